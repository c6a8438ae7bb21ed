"""What every benchmark shares: repeated runs, medians with their spread, the machine, and a table in Markdown."""

import os
import platform
import re
import shlex
import statistics
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
SHARED_DATA = ROOT.parent / "shared" / "data"
"""Real corpora; a benchmark that can use them says whether it did."""
LIBRARIES = ("numpy", "onnxruntime", "tokenizers", "qdrant-edge-py", "SQLAlchemy", "typer")


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of repeated measurements, with the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise at least one measurement."""
        return cls(statistics.median(values), min(values), max(values))

    def shown(self, digits: int = 2) -> str:
        """Return "median (least to greatest)"."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share (0 to 1) of the values does not exceed: the nearest rank."""
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, int(rank) - 1)]


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def interleaved(repeats: int, *actions: Callable[[], float]) -> list[list[float]]:
    """Run the actions in turn (A B A B), so that a disturbance hits all alike; return each one's measurements."""
    measured: list[list[float]] = [[] for _ in actions]
    for _ in range(repeats):
        for values, action in zip(measured, actions, strict=True):
            values.append(action())
    return measured


@dataclass(frozen=True, slots=True)
class Report:
    """One result file: what was measured and how, its tables, and what they show."""

    name: str
    title: str
    parts: Sequence[str]
    libraries: Sequence[str] = ()

    def write(self, folder: Path) -> Path:
        """Write NAME.md into the folder, print it, and return its path."""
        lines = [f"# {self.title}", *self.parts, f"Made by `{command_line(self.name)}`.", machine(self.libraries)]
        text = "\n\n".join(lines) + "\n"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.md"
        path.write_text(text, encoding="utf-8")
        print(text)
        return path


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; every column but the first is right-aligned."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def target(label: str, value: float, limit: float, *, at_least: bool = False) -> str:
    """Return one line that says whether a target is met."""
    wanted = f"at least {limit:g}" if at_least else f"at most {limit:g}"
    is_met = value >= limit if at_least else value <= limit
    return f"- {label}: {value:.2f}, wanted {wanted}: {'met' if is_met else '**missed**'}"


def progress(text: str) -> None:
    """Say on stderr what is being measured."""
    print(text, file=sys.stderr, flush=True)


def parser(description: str) -> ArgumentParser:
    """Return a parser with the option that every benchmark has."""
    made = ArgumentParser(description=description)
    made.add_argument("--out", type=Path, default=RESULTS, help="folder of the result (default: benchmarks/results)")
    return made


def command_line(name: str) -> str:
    """Return the command that made this result, without the folders of this machine."""
    given = list(sys.argv[1:])
    for option in ("--out", "--home"):
        if option in given:
            place = given.index(option)
            del given[place : place + 2]
    return shlex.join(["python", "-m", f"benchmarks.{name}", *given])


def machine(libraries: Sequence[str] = ()) -> str:
    """Describe the machine in a sentence: no names, no paths."""
    versions = [f"{name} {found}" for name in (*LIBRARIES, *libraries) if (found := _version(name))]
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}",
        f"{_processor()}, {_cores()} cores, {_memory_gb():.0f} GB",
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}",
        *versions,
    ]
    return f"Machine: {'; '.join(parts)}. Load at the end: {os.getloadavg()[0]:.1f}."


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return " ".join(found.group(1).split()) if found else platform.processor() or "processor unknown"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
