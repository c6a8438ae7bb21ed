"""How long does a command take from nothing, and how much memory, against importing sentence-transformers?

Whole processes, in turn, with a warm disk: wall-clock time, processor time (user and system, which other load on the
machine hardly moves), and the peak of resident memory.

    python -m benchmarks.startup [--repeats 7] [--home HOME]
"""

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Report, Spread, parser, progress, table, target
from benchmarks.homes import fresh_home, ingest, writing

NAME = "startup"
QUERY = "run a blocking function without freezing the event loop"
HELP, SEARCH = "tandem --help", "tandem search"
TANDEM = [sys.executable, "-m", "service.cli"]
HELP_S, SEARCH_S = 0.3, 1.0


@dataclass(frozen=True, slots=True)
class Used:
    """What one process took: seconds of the clock and of processors."""

    wall_s: float
    cpu_s: float


def used(command: Sequence[str], environment: Mapping[str, str]) -> Used:
    """Run a command to its end; raises CalledProcessError when it fails."""
    started = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Used(wall_s, usage.ru_utime + usage.ru_stime)


def peak_mb(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return the peak of a process's resident memory in megabytes, looked at every millisecond; Linux only.

    The peak that the system reports at a process's end would be that of the process that started it, if that is larger.
    """
    peak_kb = 0
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while child.poll() is None:
        with suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child.pid}/status").read_text())
            peak_kb = max(peak_kb, int(found.group(1)) if found else 0)
        time.sleep(0.001)
    return peak_kb * 1024 / 1e6


def imports_torch(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a Python command imports torch."""
    traced = [command[0], "-X", "importtime", *command[1:]]
    finished = subprocess.run(traced, env=environment, capture_output=True, text=True, check=True)
    return any(line.rpartition("|")[2].strip() == "torch" for line in finished.stderr.splitlines())


def commands() -> dict[str, list[str]]:
    """Return what is measured, by name."""
    found = {
        "python -c pass": [sys.executable, "-c", "pass"],
        HELP: [*TANDEM, "--help"],
        SEARCH: [*TANDEM, "search", QUERY],
    }
    if importlib.util.find_spec("sentence_transformers"):
        found["import sentence_transformers"] = [sys.executable, "-c", "import sentence_transformers"]
    return found


def shown(name: str, runs: Sequence[Used], peak: float) -> list[str]:
    """Return a command's row of the table."""
    walls, processors = Spread.of([run.wall_s for run in runs]), Spread.of([run.cpu_s for run in runs])
    return [f"`{name}`", walls.shown(), processors.shown(), f"{peak:.0f}"]


def main() -> None:
    """Measure, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--home", type=Path, help="a home with documents; by default one is made")
    given = options.parse_args()
    with ExitStack() as stack:
        folder = given.home
        if folder is None:
            home = stack.enter_context(fresh_home())
            progress("Making a home to search")
            ingest(home, writing("asyncio,json", Path("nowhere")))
            folder = home.settings.home
        environment = {**os.environ, "TANDEM_HOME": str(folder)}
        environment.pop("TANDEM_STORE", None)
        measured: dict[str, list[Used]] = {name: [] for name in commands()}
        for _ in range(given.repeats):
            for name, command in commands().items():
                measured[name].append(used(command, environment))
        peaks = {name: peak_mb(command, environment) for name, command in commands().items()}
        torch = imports_torch(commands()[SEARCH], environment)
    rows = [shown(name, runs, peaks[name]) for name, runs in measured.items()]
    walls = {name: Spread.of([run.wall_s for run in runs]).median for name, runs in measured.items()}
    targets = [
        target(f"{HELP}, s", walls[HELP], HELP_S),
        target(f"{SEARCH}, s", walls[SEARCH], SEARCH_S),
        f"- {SEARCH} imports torch: {'**yes**' if torch else 'no'}",
    ]
    what = (
        f"Median of {given.repeats} runs in turn (least to greatest); a search is a whole process that prints ten hits."
    )
    header = ["", "wall-clock time, s", "processor time, s", "peak memory, MB"]
    Report(NAME, "Start-up of the command", [what, table(header, rows), "\n".join(targets)]).write(given.out)


if __name__ == "__main__":
    main()
