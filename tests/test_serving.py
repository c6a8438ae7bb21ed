"""What a service keeps open: it follows other processes, survives trouble, and never uses a closed index."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from indexer import apply
from indexer.apply import open_index
from indexer.doctor import examine
from indexer.pipeline import Pipeline
from indexer.submission import Submitted, submit
from retrieval.errors import IndexBusy, ModelError, NotFound, StoreError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Searcher
from retrieval.settings import Settings
from retrieval.types import Mode
from service import serving as serving_module
from service.served import Served
from service.serving import Serving

WITHIN_S = 2.0


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "POLL_S", 0.1)


@pytest.fixture
def settings(tmp_path: Path, tiny_model: Path) -> Settings:
    return Settings(home=tmp_path / "home", model=str(tiny_model), threads=1)


@contextmanager
def opened(settings: Settings) -> Iterator[Home]:
    home = Home.open(settings)
    try:
        yield home
    finally:
        home.close()


@pytest.fixture
def home(settings: Settings) -> Iterator[Home]:
    with opened(settings) as home:
        yield home


@pytest.fixture
def elsewhere(settings: Settings, home: Home) -> Iterator[Home]:
    """The same home as another process has it open."""
    with opened(settings) as other:
        yield other


def commit(home: Home, *texts: str, collection: str = "default") -> None:
    """Put documents into the catalog only, as a process does that does not own the index."""
    target, encoder = home.prepared(collection)
    submit(Pipeline.of(home.catalog, target, encoder), [Submitted(text, text, format="text") for text in texts])


def found(serving: Serving, text: str, collection: str = "default") -> list[str]:
    return [hit.document_id for hit in serving.search(collection, Query(text, 100, Mode.KEYWORD)).hits]


def soon(holds: Callable[[], bool]) -> bool:
    """Whether it holds within the time that a change may take to be searchable."""
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("store", ["edge", "memory"])
def test_what_another_process_commits_is_soon_searchable(settings: Settings, store: str) -> None:
    with opened(replace(settings, store=store)) as home, opened(settings) as elsewhere:
        commit(home, "a bear")
        with Serving(home) as serving:
            assert found(serving, "bear") == ["a bear"]
            commit(elsewhere, "a goat")
            assert soon(lambda: found(serving, "goat") == ["a goat"])
            elsewhere.catalog.documents.delete(elsewhere.catalog.collections.get("default"), ["a bear"], str.split)
            assert soon(lambda: found(serving, "bear") == [])


def test_a_collection_that_another_process_makes_opens_by_itself(home: Home, elsewhere: Home) -> None:
    with Serving(home) as serving:
        with pytest.raises(NotFound):
            serving.of("later")
        commit(elsewhere, "a horse", collection="later")
        assert found(serving, "horse", "later") == ["a horse"]


def test_a_collection_deleted_elsewhere_is_let_go_and_may_come_back(home: Home, elsewhere: Home) -> None:
    commit(home, "an old house")
    with Serving(home) as serving:
        before = serving.of("default")
        elsewhere.catalog.collections.delete("default")
        assert soon(lambda: not before.is_open)
        with pytest.raises(NotFound):
            serving.search("default", Query("house"))
        commit(elsewhere, "a new house")
        assert found(serving, "house") == ["a new house"]


def test_a_search_that_meets_a_closed_index_looks_again(home: Home) -> None:
    commit(home, "a river")
    with Serving(home) as serving:
        before = serving.of("default")
        before.close()
        with pytest.raises(StoreError, match="closed"):
            before.apply()
        assert found(serving, "river") == ["a river"]
        assert serving.of("default") is not before


def test_a_failing_poll_is_not_the_last(home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(home, "a bear")
    with Serving(home) as serving:
        polled = threading.Event()

        def broken() -> None:
            polled.set()
            raise RuntimeError("the catalog is away")

        with monkeypatch.context() as patched:
            patched.setattr(home.catalog.collections, "list", broken)
            assert polled.wait(WITHIN_S)
        commit(elsewhere, "a goat")
        assert soon(lambda: found(serving, "goat") == ["a goat"])


def test_a_model_that_could_not_be_loaded_is_tried_again(home: Home, settings: Settings) -> None:
    commit(home, "a puppy")
    home.close()
    folder = settings.models_dir / "tiny"
    folder.rename(folder.with_name("away"))
    with opened(settings) as afresh, Serving(afresh) as serving:
        with pytest.raises(ModelError):
            serving.search("default", Query("dog"))
        folder.with_name("away").rename(folder)
        assert serving.search("default", Query("dog")).hits[0].document_id == "a puppy"


def test_one_collections_trouble_does_not_hold_up_another(
    home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commit(home, "a bear", collection="a")
    commit(home, "a bear", collection="b")
    with Serving(home) as serving, caplog.at_level(logging.WARNING):

        def failing() -> None:
            raise StoreError("The disk is full.")

        monkeypatch.setattr(serving.of("a"), "apply", failing)
        commit(elsewhere, "a goat", collection="b")
        assert soon(lambda: found(serving, "goat", "b") == ["a goat"])
        assert soon(lambda: "The disk is full" in caplog.text)
        time.sleep(0.3)  # two more polls say the same
        assert caplog.text.count("The disk is full") == 1


def test_an_index_that_another_process_holds_is_taken_over_when_it_is_free(home: Home, elsewhere: Home) -> None:
    commit(home, "a bear")
    with ExitStack() as stack:
        target = elsewhere.catalog.collections.get("default")
        holding = stack.enter_context(open_index(elsewhere.settings, elsewhere.catalog, target))
        holding.apply_pending()
        with Serving(home, address="http://127.0.0.1:1") as serving:
            with pytest.raises(IndexBusy):
                serving.search("default", Query("bear"))
            summary, indexed = serving.submit("default", [Submitted("g", "a goat", format="text")])
            assert (summary.documents, indexed) == (1, False)
            stack.close()
            assert found(serving, "goat") == ["g"]


def test_a_second_service_on_a_home_is_told_of_the_first(home: Home, elsewhere: Home) -> None:
    commit(home, "a bear")
    with Serving(home, address="http://127.0.0.1:8081") as first:
        second = Serving(elsewhere, address="http://127.0.0.1:8082")
        with pytest.raises(IndexBusy, match=r"serves this home already, at http://127\.0\.0\.1:8081"):
            second.start()
        assert found(first, "bear") == ["a bear"]


def test_a_stopped_service_has_let_go_of_everything(home: Home, elsewhere: Home) -> None:
    commit(home, "a bear")
    serving = Serving(home)
    serving.start()
    serving.stop()
    with pytest.raises((IndexBusy, StoreError)):
        serving.search("default", Query("bear"))
    target = elsewhere.catalog.collections.get("default")
    with open_index(elsewhere.settings, elsewhere.catalog, target) as owner:
        assert examine(owner).is_healthy


def test_stopping_does_not_wait_for_all_changes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(home, *(f"bear {number}" for number in range(6)))
    monkeypatch.setattr(apply, "BATCH", 1)
    stopping = threading.Event()
    stopping.set()
    target = home.catalog.collections.get("default")
    with pytest.raises(IndexBusy, match="stopping"):
        Served(home, target, address="", stopping=stopping)
    assert home.catalog.changes.count_pending(target) == 5
    with open_index(home.settings, home.catalog, target) as owner:
        owner.apply_pending()
        assert examine(owner).is_healthy


def test_whoever_waited_for_another_threads_changes_sees_them(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The poller may apply what a writer committed; the writer must not answer before searches see it."""
    commit(home, "a bear")
    refreshing, go_on = threading.Event(), threading.Event()
    refresh = Searcher.refresh

    def slow(searcher: Searcher) -> None:
        refreshing.set()
        go_on.wait(10)
        refresh(searcher)

    with Serving(home) as serving:
        monkeypatch.setattr(Searcher, "refresh", slow)
        commit(home, "a goat")
        served = serving.of("default")
        poller = threading.Thread(target=served.apply)
        writer = threading.Thread(target=served.apply)
        poller.start()
        assert refreshing.wait(10)
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        go_on.set()
        poller.join()
        writer.join()


def test_writers_searches_and_the_poller_get_along(home: Home, elsewhere: Home) -> None:
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # reported below
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def write(writer: int) -> None:
        for number in range(3):
            name = f"{writer}-{number}"
            _, indexed = serving.submit("default", [Submitted(name, f"bear number{writer}x{number}", format="text")])
            assert indexed
            assert name in found(serving, "bear")

    def search() -> None:
        for _ in range(20):
            serving.search("default", Query("bear"))

    with Serving(home) as serving:
        serving.submit("default", [Submitted("first", "a first bear", format="text")])
        threads = [guarded(lambda writer=writer: write(writer)) for writer in range(3)]  # type: ignore[misc]  # mypy#1484
        threads += [guarded(search) for _ in range(3)]
        threads.append(guarded(lambda: commit(elsewhere, *(f"bear elsewhere {number}" for number in range(5)))))
        for thread in threads:
            thread.join()
        assert errors == []
        assert soon(lambda: len(found(serving, "bear")) == 15)
    target = home.catalog.collections.get("default")
    with open_index(home.settings, home.catalog, target) as owner:
        assert examine(owner).is_healthy
