"""Fifty ingests killed at random moments: nothing acknowledged is missing, and the index equals its catalog."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from retrieval.catalog import Catalog
from retrieval.settings import Settings
from tests.homes import REPOSITORY, environment, tandem

ROUNDS = 50
SEED = 20_260_101
WORDS = "bread water stone river garden kitten puppy vehicle morning kitchen village bridge light yeast".split()  # noqa: SIM905  # a line of words reads better


@dataclass(slots=True)
class Corpus:
    """Markdown files that change from round to round; each says its revision."""

    folder: Path
    dice: random.Random
    revisions: dict[str, int] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)

    def write(self, name: str, revision: int) -> None:
        """Write a file of some sections; its first line tells the revision."""
        sections = [
            f"## Part {part}\n\n{' '.join(self.dice.choices(WORDS, k=60))}." for part in range(self.dice.randint(1, 4))
        ]
        text = f"# {name}\n\nThis is revision {revision} of {name}.\n\n" + "\n\n".join(sections)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.revisions[name] = revision

    def change(self, revision: int) -> None:
        """Add, edit and delete some files."""
        for number in range(25):
            self.write(f"r{revision}/{number}.md", revision)
        for name in self.dice.sample(sorted(self.revisions), k=min(25, len(self.revisions))):
            self.write(name, revision)
        for name in self.dice.sample(sorted(self.revisions), k=10):
            (self.folder / name).unlink()
            del self.revisions[name]


def kept(home: Path) -> dict[str, int]:
    """The revision of every document that the catalog has: what was acknowledged."""
    catalog = Catalog.open(Settings(home=home).resolved_catalog_url)
    try:
        collections = catalog.collections.list()
        found = [document for collection in collections for document in catalog.documents.all(collection)]
        return {document.id: _revision(document.text) for document in found}
    finally:
        catalog.close()


def _revision(text: str) -> int:
    return int(text.split("revision ")[1].split(" ")[0])


def killed_ingest(environ: Mapping[str, str], corpus: Corpus, home: Path) -> bool:
    """Start an ingest and kill it at any moment, or once it owns the index, or just after one of its writes."""
    command = [sys.executable, "-m", "service.cli", "ingest", str(corpus.folder), "--prune"]
    note, log, dice = home / "index" / "default" / "owner.json", home / "catalog.sqlite-wal", corpus.dice
    note.unlink(missing_ok=True)
    when = dice.choice(["any", "owner", "write", "write", "write"])
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=dict(environ), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        if when != "any":
            awaited(process, note.exists)
        for _ in range(dice.randint(1, 12) if when == "write" else 0):
            written = changed_at(log)
            awaited(process, lambda written=written: changed_at(log) != written)  # type: ignore[misc]  # bound here
        time.sleep(dice.uniform(0.0, 0.02 if when == "write" else 1.0))
        ran = process.poll() is None
        process.kill()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    return ran


def awaited(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    """Wait until something has happened, or the process has ended."""
    deadline = time.monotonic() + 20
    while not happened() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)


def changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def assert_healthy(environ: Mapping[str, str]) -> int:
    doctor = tandem(environ, "doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    checked: int = json.loads(doctor.stdout)["checked"]
    return checked


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_in_fifty_kills(tmp_path: Path, tiny_model: Path) -> None:
    home, dice = tmp_path / "home", random.Random(SEED)
    environ, corpus = environment(home, tiny_model), Corpus(tmp_path / "posts", dice)
    corpus.change(0)
    assert tandem(environ, "status").returncode == 0
    acknowledged: dict[str, int] = {}
    killed = progressed = 0
    for number in range(1, ROUNDS + 1):
        corpus.change(number)
        killed += killed_ingest(environ, corpus, home)
        after = kept(home)
        for name in acknowledged.keys() & corpus.revisions.keys():
            assert name in after, f"round {number}: {name} was acknowledged and is missing"
            assert acknowledged[name] <= after[name] <= corpus.revisions[name]
        progressed += after != acknowledged
        acknowledged = after
        if number % 10 == 0:
            assert_healthy(environ)
            assert kept(home) == acknowledged
    assert killed >= ROUNDS // 2, (
        "most ingests ended before they were killed: the corpus is too small to prove anything"
    )
    assert progressed >= 10, "hardly an ingest came to committing before it was killed"

    last = tandem(environ, "ingest", str(corpus.folder), "--prune", "--json")
    assert last.returncode == 0, last.stderr
    assert kept(home) == corpus.revisions
    assert assert_healthy(environ) >= len(corpus.revisions)
    again = json.loads(tandem(environ, "ingest", str(corpus.folder), "--prune", "--json").stdout)
    assert (again["embedded"], again["documents"], again["unchanged"]) == (0, 0, len(corpus.revisions))
