"""An index is made anew in another process and gone over to: searches go on, nothing is missing, kills do no harm."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from indexer import apply, reindexing
from indexer.apply import IndexOwner, open_index
from indexer.candidates import with_candidates
from indexer.doctor import examine
from indexer.pipeline import Pipeline
from indexer.promotion import embed
from indexer.reindexing import reindexed
from indexer.renewal import Renewal
from indexer.renewal_requests import ask, read_requests
from indexer.submission import Submitted, submit
from retrieval.errors import IndexBusy, StoreError
from retrieval.filters import AnyOf
from retrieval.home import Home
from retrieval.query import Query
from retrieval.settings import Settings
from retrieval.stores import index_folder
from retrieval.stores.edge import EdgeStore
from retrieval.stores.lock import read_owner
from retrieval.types import Mode
from service import renewing
from service import serving as serving_module
from service.serving import Serving
from tests.homes import REPOSITORY, opened_home
from tests.tiny_model import build_tiny_model

WITHIN_S = 30.0
ADDRESS = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "POLL_S", 0.05)


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model, is_bare=True)
    commit(home, *(f"bear {number}" for number in range(8)))
    yield home
    home.close()


@pytest.fixture
def elsewhere(home: Home) -> Iterator[Home]:
    """The same home as another process has it open."""
    other = Home.open(home.settings)
    yield other
    other.close()


def commit(home: Home, *texts: str) -> None:
    """Put documents into the catalog only, as a process does that does not own the index."""
    target, encoder = home.prepared("default")
    documents = [Submitted(text, text, format="text", metadata={"kind": text.split()[0]}) for text in texts]
    submit(Pipeline.of(home.catalog, target, encoder), documents)


def delete(home: Home, *ids: str) -> None:
    home.catalog.documents.delete(home.catalog.collections.get("default"), list(ids), str.split)


def folder_of(home: Home) -> Path:
    return index_folder(home.settings, "default")


def generations(home: Home) -> list[str]:
    """What could be searched in an index's folder: one name, unless one is being made."""
    names = [path.name for path in folder_of(home).iterdir()]
    return sorted(name for name in names if name == "shard" or name.startswith("generation-"))


@contextmanager
def opened(home: Home) -> Iterator[IndexOwner]:
    with open_index(home.settings, home.catalog, home.catalog.collections.get("default")) as owner:
        owner.apply_pending()
        yield owner


def assert_whole(home: Home, documents: int) -> None:
    """The index is there once, opens, and is what the catalog says."""
    with opened(home) as owner:
        diagnosis = examine(owner)
        assert (diagnosis.is_healthy, diagnosis.checked) == (True, documents)
        assert len(generations(home)) == 1


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def found(serving: Serving, text: str, mode: Mode = Mode.HYBRID) -> set[str]:
    return {hit.document_id for hit in serving.search("default", Query(text, 100, mode)).hits}


@contextmanager
def searching(serving: Serving) -> Iterator[list[set[str]]]:
    """Search all the time in two threads, filtered and not; an error fails the test."""
    seen: list[set[str]] = []
    errors: list[BaseException] = []
    stop = threading.Event()
    asked = Query("bear", 100), Query("bear", 100, Mode.KEYWORD, AnyOf("kind", ("bear",)))

    def run(query: Query) -> None:
        while not stop.is_set():
            try:
                seen.append({hit.document_id for hit in serving.search("default", query).hits})
            except BaseException as error:  # reported below
                errors.append(error)
                return

    threads = [threading.Thread(target=run, args=(query,)) for query in asked]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


@pytest.mark.slow
def test_a_service_makes_its_index_anew_on_request_while_it_is_searched_and_written(
    home: Home, elsewhere: Home
) -> None:
    told: list[str] = []
    with Serving(home, address=ADDRESS) as serving, searching(serving) as seen:
        for number in range(2):
            writer = threading.Thread(target=commit, args=(elsewhere, *(f"bear {number}x{n}" for n in range(9))))
            writer.start()
            chunks, embedded = reindexed(elsewhere, "default", told.append)
            writer.join()
            delete(elsewhere, f"bear {number}")
            assert (8 <= chunks <= 26, embedded) == (True, 0)
            assert soon(lambda number=number: f"bear {number}" not in found(serving, "bear"))  # type: ignore[misc]  # bound now
            assert generations(home)[0].startswith("generation-")
        assert soon(lambda: len(found(serving, "bear")) == 24)
    assert "searches go on" in told[0]
    assert all(hits >= {f"bear {number}" for number in range(2, 8)} for hits in seen)
    assert_whole(home, 24)
    with opened(home) as owner:
        assert owner.store.indexed_fields  # type: ignore[attr-defined]  # those that the filter asked for


def test_a_service_makes_its_index_anew_by_itself_once_enough_has_changed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "COMPACT_FROM_POINTS", 3)
    monkeypatch.setattr(renewing, "LOOK", (0.0, 0.0))
    collection = home.catalog.collections.get("default")
    with Serving(home) as serving:
        assert soon(lambda: generations(home) != ["shard"] and len(generations(home)) == 1)
        first = generations(home)
        assert soon(lambda: not serving.of("default").is_renewing)
        assert home.catalog.collections.setting(collection, "uncompacted") == 0
        time.sleep(0.3)  # several polls
        assert generations(home) == first
    assert_whole(home, 8)


def test_whatever_changes_while_an_index_is_made_anew_is_in_it(home: Home) -> None:
    with opened(home) as owner:
        renewal = Renewal(home.settings, owner)
        commit(home, "goat 1", "goat 2")
        owner.apply_pending(flush=False)
        delete(home, "bear 1", "goat 1")
        owner.apply_pending(flush=False)
        commit(home, "horse 1")  # committed, and not applied before the index is gone over to
        assert soon(lambda: renewal.is_over)
        delete(home, "bear 2")
        owner.apply_pending(flush=False)
        renewal.bring(renewal.take_up())
        commit(home, "goat 3")
        owner.apply_pending(flush=False)
        assert renewal.adopt() == 9
        renewal.give_up()  # harmless at the end
        assert examine(owner).is_healthy
        assert home.catalog.changes.count_pending(owner.collection) == 0
    assert_whole(home, 9)


@pytest.mark.parametrize(
    "step",
    [
        "_owner.record_flushed",
        pytest.param("_agree", marks=pytest.mark.slow),
        pytest.param("_store.adopt", marks=pytest.mark.slow),
        pytest.param("_owner.record_compacted", marks=pytest.mark.slow),
    ],
)
def test_a_kill_at_any_step_of_going_over_leaves_a_whole_index(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        shutil.copytree(home.settings.home, tmp_path / "left")  # what a kill leaves
        raise Killed

    with opened(home) as owner:
        renewal = Renewal(home.settings, owner)
        commit(home, "goat 1")
        delete(home, "bear 1")
        owner.apply_pending(flush=False)
        assert soon(lambda: renewal.is_over)
        with monkeypatch.context() as patch:
            *owned, name = step.split(".")
            patch.setattr(getattr(renewal, owned[0]) if owned else renewal, name, die)
            with pytest.raises(Killed):
                renewal.adopt()
        renewal.give_up()
    left = Home.open(replace(home.settings, home=tmp_path / "left"))
    assert_whole(left, 8)
    left.close()


def test_when_the_other_process_is_killed_the_index_stays_as_it_is_and_who_asked_is_told(
    home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin = Renewal.__init__

    def begun_and_killed(renewal: Renewal, settings: Settings, owner: IndexOwner) -> None:
        begin(renewal, settings, owner)
        os.kill(renewal.pid, signal.SIGKILL)

    with Serving(home, address=ADDRESS) as serving:
        with monkeypatch.context() as patch:
            patch.setattr(Renewal, "__init__", begun_and_killed)
            with pytest.raises(StoreError, match=r"ended before it was done.*serves the index that there was"):
                reindexed(elsewhere, "default", lambda _: None)
        assert "stays as it is" in caplog.text
        assert generations(home) == ["shard"]
        assert len(found(serving, "bear")) == 8
    assert_whole(home, 8)


def test_an_index_that_cannot_be_begun_is_told_of_once(
    home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    with Serving(home, address=ADDRESS):
        monkeypatch.setattr("indexer.renewal._started", full)
        with pytest.raises(StoreError, match="No space left on device"):
            reindexed(elsewhere, "default", lambda _: None)
        assert generations(home) == ["shard"]
        time.sleep(0.2)  # several polls
        assert caplog.text.count("No space left") == 1
    assert_whole(home, 8)


@pytest.mark.slow
def test_why_the_other_process_failed_is_told(home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with Serving(home, address=ADDRESS):
        monkeypatch.setattr(EdgeStore, "indexed_fields", ["no path["])
        with pytest.raises(StoreError, match=r"could not be made anew: The index in .* failed while indexing a field"):
            reindexed(elsewhere, "default", lambda _: None)
    assert_whole(home, 8)


OWNER = """
import sys, time
from pathlib import Path
from indexer.apply import open_index
from indexer.renewal import Renewal
from retrieval.home import Home
from retrieval.settings import Settings
home = Home.open(Settings.from_environment())
with open_index(home.settings, home.catalog, home.catalog.collections.get("default")) as owner:
    owner.apply_pending()
    print(Renewal(home.settings, owner).pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("stopped", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_when_the_owner_is_killed_the_other_process_ends_and_the_next_opening_cleans_up(
    home: Home, stopped: bool
) -> None:
    command = [sys.executable, "-c", OWNER]
    environment = {**os.environ, **home.settings.environment(), "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        builder = int(owner.stdout.readline())
        assert soon(lambda: any(folder_of(home).glob("generation-*/owner.json")))  # it is at work
        if stopped:  # as if the engine held it up: no thread of it runs
            os.kill(builder, signal.SIGSTOP)
        owner.kill()
    [generation] = folder_of(home).glob("generation-*")
    assert soon(lambda: read_owner(generation) is None)
    assert_whole(home, 8)


def test_a_service_that_stops_leaves_nothing_and_who_asked_makes_the_index(
    home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindexing, "POLL_S", 0.01)
    monkeypatch.setattr(Renewal, "is_over", False)
    told: list[str] = []
    made: list[tuple[int, int]] = []
    with Serving(home, address=ADDRESS) as serving:
        asking = threading.Thread(target=lambda: made.append(reindexed(elsewhere, "default", told.append)))
        asking.start()
        assert soon(lambda: serving.of("default").is_renewing)
    asking.join()
    assert made == [(8, 0)]
    assert any("the index is made here" in line for line in told)
    assert_whole(home, 8)


def test_a_candidates_vectors_come_first(
    home: Home, elsewhere: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.register(elsewhere.models.add_model(build_tiny_model(tmp_path / "other", salt="other"), "other"))
    collection = elsewhere.catalog.collections.get("default")
    embed(elsewhere, collection, "other")
    with Serving(home, address=ADDRESS) as serving:
        served = serving.of("default")
        with monkeypatch.context() as patch:
            patch.setattr(Renewal, "is_over", False)
            ask(elsewhere.catalog, collection)
            assert soon(lambda: served.is_renewing)
            patch.setattr(renewing.Renewing, "_is_wanted", lambda _: False)  # once is enough to see
            elsewhere.catalog.collections.update_settings(collection, lambda s: with_candidates(s, add=["other"]))
            assert soon(lambda: generations(home) == ["shard"])
            assert read_requests(home.catalog, collection).is_open
        assert soon(lambda: read_requests(home.catalog, collection).done == 1)
    with opened(home) as owner:
        assert len(owner.store.vector_sizes()) == 2
    assert_whole(home, 8)


def test_a_request_that_is_not_taken_up_says_so_and_stays(
    home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindexing, "TAKEN_UP_WITHIN_S", 0.1)
    with Serving(home, address=ADDRESS) as serving:
        monkeypatch.setattr(serving.of("default"), "renew", lambda **_: None)
        with pytest.raises(IndexBusy, match="has not begun to make the index anew"):
            reindexed(elsewhere, "default", lambda _: None)
    assert read_requests(home.catalog, home.catalog.collections.get("default")).is_open
