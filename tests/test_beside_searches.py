"""Changes come into an index that is searched: in small steps, flushed later, statistics read beside."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer import pace
from indexer.apply import open_index
from indexer.doctor import examine
from indexer.pace import Pace
from indexer.pipeline import Pipeline
from indexer.submission import Submitted, submit
from retrieval.catalog import Moments
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Searcher, Statistics
from retrieval.stores.base import Point
from retrieval.stores.edge import EdgeStore
from retrieval.types import Mode
from service import postponed, served
from service.postponed import Postponed
from service.served import Served
from tests.homes import opened_home

NEVER = 3600.0, 3600.0


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model, is_bare=True)
    commit(home, "a bear")
    yield home
    home.close()


def commit(home: Home, *texts: str) -> None:
    """Put documents into the catalog only, as another process does."""
    target, encoder = home.prepared("default")
    submit(Pipeline.of(home.catalog, target, encoder), [Submitted(text, text, format="text") for text in texts])


def serve(home: Home) -> Served:
    return Served(home, home.catalog.collections.get("default"), address="", stopping=threading.Event())


def found(served: Served, text: str) -> list[str]:
    return [hit.document_id for hit in served.search(Query(text, 100, Mode.KEYWORD)).hits]


def pending(home: Home) -> int:
    return home.catalog.changes.count_pending(home.catalog.collections.get("default"))


def test_points_are_written_a_few_at_a_time_with_pauses(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    paused: list[float] = []
    upsert = EdgeStore.upsert

    def counting(store: EdgeStore, points: Sequence[Point]) -> None:
        sizes.append(len(points))
        upsert(store, points)

    monkeypatch.setattr(EdgeStore, "upsert", counting)
    monkeypatch.setattr(served, "BESIDE_SEARCHES", Pace(changes=7, points=3, pause_s=0.001))
    monkeypatch.setattr(pace, "time", SimpleNamespace(sleep=paused.append))
    open_ = serve(home)
    sizes.clear()
    commit(home, *(f"bear {number}" for number in range(9)))
    open_.apply()
    assert max(sizes) == 3
    assert paused == [0.001] * len(sizes)
    assert len(found(open_, "bear")) == 10
    open_.close()


def test_what_is_not_flushed_yet_is_searched_and_no_longer_pending(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[None] = []
    flush = EdgeStore.flush

    def counting(store: EdgeStore) -> None:
        flushed.append(None)
        flush(store)

    monkeypatch.setattr(EdgeStore, "flush", counting)
    monkeypatch.setattr(served, "FLUSH", NEVER)
    open_ = serve(home)
    flushed.clear()
    for number in range(3):
        commit(home, f"goat {number}")
        open_.apply()
        open_.settle()
        assert len(found(open_, "goat")) == number + 1
    assert (pending(home), flushed) == (0, [])
    open_.close()
    assert len(flushed) == 1


@pytest.mark.parametrize("settled", [False, True])
def test_an_index_killed_before_it_was_flushed_is_complete_when_opened_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settled: bool
) -> None:
    monkeypatch.setattr(served, "FLUSH", (0.0, 0.0) if settled else NEVER)
    open_ = serve(home)
    commit(home, "a goat", "a horse")
    home.catalog.documents.delete(home.catalog.collections.get("default"), ["a bear"], str.split)
    open_.apply()
    open_.settle()
    shutil.copytree(home.settings.home, tmp_path / "copy")  # what a kill leaves
    open_.close()
    after = Home.open(replace(home.settings, home=tmp_path / "copy"))
    collection = after.catalog.collections.get("default")
    with open_index(after.settings, after.catalog, collection) as owner:
        assert after.catalog.changes.count_pending(collection) == (0 if settled else 3)
        diagnosis = examine(owner)
        assert (diagnosis.is_healthy, diagnosis.checked) == (True, 2)
    after.close()


def test_a_search_does_not_wait_for_statistics_that_are_being_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, go_on = threading.Event(), threading.Event()
    open_ = serve(home)
    read = Searcher._read_statistics

    def slowly(searcher: Searcher) -> Statistics:
        reading.set()
        assert go_on.wait(10)
        return read(searcher)

    monkeypatch.setattr(Searcher, "_read_statistics", slowly)
    commit(home, "a goat")
    writer = threading.Thread(target=open_.apply)
    writer.start()
    assert reading.wait(10)
    assert found(open_, "goat") == ["a goat"]  # what was applied is found, by the statistics there were
    assert writer.is_alive()
    go_on.set()
    writer.join()
    open_.close()


def test_statistics_that_take_long_are_read_now_and_then_and_not_forgotten(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[None] = []
    refresh = Searcher.refresh

    def counting(searcher: Searcher) -> None:
        read.append(None)
        refresh(searcher)

    monkeypatch.setattr(Searcher, "refresh", counting)
    monkeypatch.setattr(served, "QUICK_S", 0.0)
    monkeypatch.setattr(served, "SHARE_OF_TIME", 1e-9)
    open_ = serve(home)
    for number in range(4):
        commit(home, f"goat {number}")
        open_.apply()
    assert len(read) == 1
    open_._refresh_at = 0.0
    open_.settle()
    open_.settle()
    assert len(read) == 2
    open_.close()


def test_moments_are_taken_when_changes_pause(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "MEASURE", NEVER)
    monkeypatch.setattr(served, "SMALL", 0)
    commit(home, "a goat", "a horse", "a river")
    open_ = serve(home)
    collection = home.catalog.collections.get("default")
    fingerprint = home.catalog.models.get(collection.config.model).passage_fingerprint

    def measured() -> int:
        moments: Moments | None = home.catalog.moments.get(collection, fingerprint)
        return moments.points if moments else 0

    commit(home, "a puppy")
    open_.apply()
    open_.settle()
    assert measured() == 4
    before = open_.state
    assert open_.state == before
    open_._measure.calm_s = 0.0
    open_.settle()
    assert measured() == 5
    assert open_.state != before  # by other moments, the same search scores otherwise
    open_.close()


def test_work_is_due_once_nothing_changes_or_too_long_after_the_first_change(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 101.9, 102.0, 103.9, 104.9, 105.0, 107.0, 108.9, 109.0])
    monkeypatch.setattr(postponed, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    work = Postponed(calm_s=2, latest_s=5)
    assert not work.is_due()  # without a look at the clock
    work.note()  # at 100
    assert not work.is_due()
    work.note()  # at 102
    assert not work.is_due()
    work.note()  # at 104.9
    assert work.is_due()  # five seconds after the first
    work.done()
    assert not work.is_due()
    work.note()  # at 107
    assert not work.is_due()
    assert work.is_due()  # two seconds after the last
