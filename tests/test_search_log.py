"""The log of searches: written in batches beside the searches, bounded, and forgotten in time."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.searches import FeedbackKind, LoggedSearch, Origin, Said
from retrieval.errors import CatalogError
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.types import Hit, LegScore, Mode
from service import search_log
from service.search_log import SearchLog, logged


def search(name: str, *, collection: str = "default", days_ago: float = 0.0) -> LoggedSearch:
    at = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")
    return LoggedSearch(name, collection, "dog", "hybrid", "hybrid@m", Origin.API, 10, 1, 1, ("d1",), True, at)


@pytest.fixture
def log(catalog: Catalog, collection: Collection) -> Iterator[SearchLog]:
    log = SearchLog(catalog, days=30)
    yield log
    log.stop()


def test_searches_are_written_soon_and_at_the_latest_when_it_stops(catalog: Catalog, log: SearchLog) -> None:
    log.start()
    log.add(search("a"))
    log.settle()
    assert catalog.searches.get("a") == search("a", days_ago=0)
    log.add(search("b"))
    log.stop()
    assert catalog.searches.get("b") is not None
    assert log.dropped == 0


def test_a_full_queue_drops_and_never_waits(log: SearchLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_log, "MAX_WAITING", 3)
    for number in range(5):
        log.add(search(str(number)))  # nobody writes yet
    assert log.dropped == 2


def test_many_are_written_in_few_transactions(
    catalog: Catalog, log: SearchLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    put = catalog.searches.put

    def counted(batch: Sequence[LoggedSearch]) -> None:
        batches.append(len(batch))
        put(batch)

    monkeypatch.setattr(catalog.searches, "put", counted)
    for number in range(700):
        log.add(search(f"s{number}"))
    log.start()
    log.settle()
    assert sorted(batches) == [200, 500]
    assert catalog.searches.get("s699") is not None


def test_a_catalog_that_fails_costs_log_lines_and_no_search(
    catalog: Catalog, log: SearchLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_: Sequence[LoggedSearch]) -> None:
        raise CatalogError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(catalog.searches, "put", failing)
        log.start()
        log.add(search("lost"))
        log.settle()
    log.add(search("kept"))
    log.settle()
    assert (catalog.searches.get("lost"), log.dropped) == (None, 1)
    assert catalog.searches.get("kept") is not None
    assert "could not be logged" in caplog.text


def test_old_searches_go_with_their_feedback_and_searches_of_no_collection_never_come(
    catalog: Catalog, collection: Collection, log: SearchLog
) -> None:
    catalog.searches.put([search("old", days_ago=31), search("new", days_ago=29), search("gone", collection="gone")])
    assert catalog.searches.get("gone") is None
    for name in ("old", "new"):
        assert catalog.searches.say(Said(name, FeedbackKind.CLICK, "d1", 1))
    log.start()
    log.add(search("now"))
    log.settle()
    assert catalog.searches.get("old") is None
    assert [liked.search for liked in catalog.searches.liked(collection)] == ["new"]
    catalog.collections.delete("default")
    assert catalog.searches.get("new") is None


def test_zero_days_keep_searches_for_good(catalog: Catalog, collection: Collection) -> None:
    catalog.searches.put([search("old", days_ago=5_000)])
    log = SearchLog(catalog, days=0)
    log.start()
    log.stop()
    assert catalog.searches.get("old") is not None


def hit(rank: int, keyword: int, embedding: int) -> Hit:
    legs = {"keyword": LegScore(keyword, 1.0), "embedding": LegScore(embedding, 1.0)}
    return Hit(rank, 1.0, f"d{rank}", "", None, {}, (), legs)


@pytest.mark.parametrize(
    ("query", "hits", "agreed"),
    [
        (Query("x"), (hit(1, 1, 1), hit(2, 2, 2)), True),
        (Query("x"), (hit(1, 1, 2), hit(2, 2, 1)), False),
        (Query("x"), (hit(1, 3, 3), hit(2, 1, 1)), True),
        (Query("x"), (), None),
        (Query("x", mode=Mode.KEYWORD), (hit(1, 1, 1),), None),
        (Query("x", offset=10), (hit(11, 1, 1),), None),
    ],
)
def test_legs_agree_where_both_put_one_document_first(query: Query, hits: tuple[Hit, ...], agreed: bool | None) -> None:
    result = SearchResult("x\0", hits, "hybrid@m", {})
    kept = logged("id", "default", query, result, origin=Origin.PAGE)
    assert (kept.agreed, kept.text) == (agreed, "x\ufffd")


def test_a_search_that_waits_is_not_held_up_by_a_writer(catalog: Catalog, log: SearchLog) -> None:
    log.start()
    with catalog.database.write():
        log.add(search("patient"))
        adding = threading.Thread(target=log.add, args=(search("second"),))
        adding.start()
        adding.join(2)
        assert not adding.is_alive()
    log.settle()
    assert catalog.searches.get("second") is not None
