"""Several processes on one home: each works, or says who holds the index and what to do; nothing is corrupted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexer.pace import NICE
from retrieval.catalog import Catalog
from retrieval.settings import Settings
from tests.homes import REPOSITORY, Cli, environment, tandem, write_pages

HOLDER = """
import sys
from pathlib import Path
from retrieval.stores.lock import OwnerLock
with OwnerLock(Path(sys.argv[1]), command="tandem ingest somewhere"):
    print("held", flush=True)
    sys.stdin.read()
"""
HELD_BY = "`tandem ingest somewhere` (process "


def posts(folder: Path, count: int, *, word: str) -> Path:
    lines = [json.dumps({"_id": f"{word}{n}", "text": f"The {word} number {n} is here."}) for n in range(count)]
    return write_pages(folder, {"all.jsonl": "\n".join(lines)})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def environ(home: Path, tiny_model: Path) -> Mapping[str, str]:
    return environment(home, tiny_model)


@pytest.fixture
def cli(home: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Commands in this process, which is quicker where nothing runs beside them but the holder of the lock."""
    return Cli.on(home, tiny_model, capture=capsys, patch=monkeypatch)


@pytest.fixture
def filled(home: Path, cli: Cli, tmp_path: Path) -> Path:
    assert cli("ingest", str(posts(tmp_path / "bread", 5, word="bread"))).code == 0
    return home


@contextmanager
def held(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the index until its input is closed."""
    command = [sys.executable, "-c", HOLDER, str(home / "index" / "default")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def started(environ: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs beside the test."""
    command = [sys.executable, "-m", "service.cli", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, env=dict(environ), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(process: subprocess.Popen[str]) -> str:
    """Wait for a command that must succeed; return what it told people."""
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out + err


def documents(home: Path) -> set[str]:
    catalog = Catalog.open(Settings(home=home).resolved_catalog_url)
    try:
        collections = catalog.collections.list()
        return {key for collection in collections for key in catalog.documents.keys(collection)}
    finally:
        catalog.close()


def assert_healthy(cli: Cli, documents: int) -> None:
    doctor = cli("doctor", "--json")
    assert doctor.code == 0, doctor.out + doctor.err
    assert doctor.json["checked"] == documents
    status = cli("status", "--json").json["collections"][0]
    assert (status["documents"], status["pending_changes"], status["owner"]) == (documents, 0, None)


def test_while_another_process_holds_the_index_search_works_and_the_rest_names_the_holder(
    filled: Path, cli: Cli
) -> None:
    usual = cli("search", "bread", "--json").json["hits"]
    with held(filled):
        search = cli("search", "bread", "--json")
        assert search.code == 0
        assert HELD_BY in search.err
        hits = search.json["hits"]
        assert [h["document"]["id"] for h in hits] == [h["document"]["id"] for h in usual]
        # Documents that differ in a number only: half precision shows in the third digit.
        assert [h["score"] for h in hits] == pytest.approx([h["score"] for h in usual], abs=0.02)
        for command in (["doctor"], ["reindex"], ["collections", "delete", "default"]):
            refused = cli(*command)
            assert (refused.code, refused.out) == (1, "")
            assert HELD_BY in refused.err
            assert "Wait for it" in refused.err
            assert refused.err.count("\n") == 1
        assert HELD_BY in cli("status", "--json").json["collections"][0]["owner"]
        deleted = cli("documents", "delete", "bread0")
        assert deleted.code == 0
        assert HELD_BY in deleted.err
    assert_healthy(cli, 4)


def test_an_ingest_fills_the_catalog_while_the_index_is_held_and_the_index_once_it_is_free(
    filled: Path, cli: Cli, environ: Mapping[str, str], tmp_path: Path
) -> None:
    folder = posts(tmp_path / "water", 5, word="water")
    with held(filled) as holder, started(environ, "ingest", str(folder)) as ingest:
        deadline = time.monotonic() + 30
        while len(documents(filled)) < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(documents(filled)) == 10
        assert ingest.poll() is None
        assert os.getpriority(os.PRIO_PROCESS, ingest.pid) >= NICE  # who serves needs the processor more
        holder.kill()
        assert HELD_BY in finished(ingest)
    assert_healthy(cli, 10)


@pytest.mark.slow
def test_two_ingests_at_once_on_a_home_that_is_not_there_both_succeed(
    home: Path, cli: Cli, environ: Mapping[str, str], tmp_path: Path
) -> None:
    first, second = posts(tmp_path / "bread", 40, word="bread"), posts(tmp_path / "water", 40, word="water")
    with started(environ, "ingest", str(first)) as one, started(environ, "ingest", str(second)) as other:
        finished(one)
        finished(other)
    assert len(documents(home)) == 80
    assert_healthy(cli, 80)


@pytest.mark.slow
def test_the_same_ingest_twice_at_once_is_one_ingest(cli: Cli, environ: Mapping[str, str], tmp_path: Path) -> None:
    folder = str(posts(tmp_path / "bread", 40, word="bread"))
    with started(environ, "ingest", folder) as one, started(environ, "ingest", folder) as other:
        finished(one)
        finished(other)
    assert_healthy(cli, 40)


@pytest.mark.slow
def test_a_home_is_made_once_by_many_at_once(home: Path, environ: Mapping[str, str]) -> None:
    with started(environ, "status") as a, started(environ, "status") as b, started(environ, "status") as c:
        for process in (a, b, c):
            finished(process)


@pytest.mark.slow
def test_search_and_doctor_while_real_ingests_run(
    filled: Path, cli: Cli, environ: Mapping[str, str], tmp_path: Path
) -> None:
    folders = [posts(tmp_path / word, 1500, word=word) for word in ("water", "stone", "river")]
    searched = diagnosed = 0
    with (
        started(environ, "ingest", str(folders[0])) as a,
        started(environ, "ingest", str(folders[1])) as b,
        started(environ, "ingest", str(folders[2])) as c,
    ):
        while any(process.poll() is None for process in (a, b, c)):
            search = tandem(environ, "search", "bread", "--json")
            assert search.returncode == 0, search.stderr
            assert json.loads(search.stdout)["hits"][0]["document"]["id"].startswith("bread")
            searched += 1
            doctor = tandem(environ, "doctor")
            if doctor.returncode:
                assert "is held by" in doctor.stderr, doctor.stdout + doctor.stderr
                assert doctor.stderr.count("\n") == 1
            diagnosed += 1
        for process in (a, b, c):
            finished(process)
    assert searched
    assert diagnosed
    assert_healthy(cli, 4505)
