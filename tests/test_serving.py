"""What a service keeps open: it follows other processes, survives trouble, and never uses a closed index."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from indexer import apply
from indexer.apply import open_index
from indexer.carrying import Carried, CatalogLedger
from indexer.doctor import examine
from indexer.pace import Pace
from indexer.pipeline import Pipeline
from indexer.promotion import embed, promote, rollback
from indexer.submission import Submitted, submit
from retrieval.errors import IndexBusy, ModelError, NotFound, StoreError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Searcher
from retrieval.settings import Settings
from retrieval.types import Mode
from service import served as served_module
from service import serving as serving_module
from service.served import Served
from service.serving import Serving
from tests.tiny_model import build_tiny_model

WITHIN_S = 5.0


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


@pytest.mark.parametrize("store", ["edge", "memory"])
def test_what_is_put_into_a_collection_made_again_is_searchable_when_the_answer_comes(
    settings: Settings, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "POLL_S", 600.0)
    with opened(replace(settings, store=store)) as home, opened(settings) as elsewhere:
        commit(home, "an old house")
        with Serving(home) as serving:
            elsewhere.catalog.collections.delete("default")
            _, indexed = serving.submit("default", [Submitted("new", "a new house", format="text")])
            assert (indexed, found(serving, "house")) == (True, ["new"])
            elsewhere.catalog.collections.delete("default")
            commit(elsewhere, "an open house", "a full house")
            deleted, indexed = serving.delete("default", ["a full house"])
            assert (deleted, indexed, found(serving, "house")) == (1, True, ["an open house"])


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
    monkeypatch.setattr(apply, "AT_ONCE", Pace(changes=1))
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


def with_other(home: Home, folder: Path) -> None:
    """Give the home a second model."""
    home.register(home.models.add_model(build_tiny_model(folder, salt="other"), "other"))


def arm(serving: Serving) -> str:
    return serving.search("default", Query("bear")).arm


@pytest.mark.parametrize("store", ["edge", "memory"])
def test_searches_go_on_without_an_error_while_a_model_is_promoted_and_rolled_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setattr(served_module, "CARRY_CHUNKS", 3)
    with opened(replace(settings, store=store)) as home, opened(replace(settings, store=store)) as elsewhere:
        commit(home, "a bear", "a goat", *(f"bear {number}" for number in range(20)))
        with_other(elsewhere, tmp_path / "other")
        collection = elsewhere.catalog.collections.get("default")
        with Serving(home) as serving:
            first = answers(serving)
            with searching(serving) as seen:
                promote(elsewhere, collection, "other", force="to see")
                assert soon(lambda: arm(serving) == "hybrid@other")
                second = answers(serving)
                rollback(elsewhere, collection)
                assert soon(lambda: arm(serving) == "hybrid@tiny")
            assert answers(serving) == first
            assert first != second
            expected = {tuple(first), tuple(second)}
            assert {tuple(answer) for answer in seen} <= expected  # one model or the other, never half of one
            assert soon(lambda: list(home._encoders) == ["tiny"])  # what nothing searches with is let go of


def answers(serving: Serving) -> list[tuple[str, float]]:
    """What one query finds: documents and scores."""
    return [(hit.document_id, hit.score) for hit in serving.search("default", Query("a goat and a bear", 50)).hits]


@contextmanager
def searching(serving: Serving) -> Iterator[list[list[tuple[str, float]]]]:
    """Search all the time in two threads; every answer is listed, and an error fails the test."""
    seen: list[list[tuple[str, float]]] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                seen.append(answers(serving))
            except BaseException as error:  # reported below
                errors.append(error)
                return

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert seen


def test_the_old_model_answers_until_the_new_one_is_loaded(
    home: Home, elsewhere: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(home, "a bear")
    with_other(elsewhere, tmp_path / "other")
    load, go_on = home.loaded, threading.Event()

    def slowly(version: str) -> object:
        if version == "other":
            assert go_on.wait(10)
        return load(version)

    monkeypatch.setattr(home, "loaded", slowly)
    with Serving(home) as serving:
        promote(elsewhere, elsewhere.catalog.collections.get("default"), "other", force="to see")
        time.sleep(0.4)  # several polls
        assert arm(serving) == "hybrid@tiny"
        commit(elsewhere, "a goat")
        assert soon(lambda: found(serving, "goat") == ["a goat"])  # changes are applied meanwhile
        go_on.set()
        assert soon(lambda: arm(serving) == "hybrid@other")


@pytest.mark.parametrize("damage", ["missing", "other"])
def test_a_model_that_cannot_be_used_leaves_the_service_with_the_old_one_and_is_told_of_once(
    home: Home,
    elsewhere: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    monkeypatch.setattr(served_module, "RETRY_S", 0.05)
    commit(home, "a bear")
    with_other(elsewhere, tmp_path / "other")
    collection = elsewhere.catalog.collections.get("default")
    embed(elsewhere, collection, "other")
    folder = home.settings.models_dir / "other"
    with Serving(home) as serving, caplog.at_level(logging.WARNING):
        folder.rename(folder.with_name("away"))
        if damage == "other":
            build_tiny_model(folder, salt="a third")
        elsewhere.catalog.collections.configure(collection, replace(collection.config, model="other"))
        assert soon(lambda: "is still searched with 'tiny', because 'other' cannot be used" in caplog.text)
        elsewhere.catalog.documents.delete(collection, ["a bear"], str.split)
        assert soon(lambda: found(serving, "bear") == [])  # changes are applied all the same
        time.sleep(0.3)  # a few more attempts
        assert arm(serving) == "hybrid@tiny"
        assert caplog.text.count("cannot be used") == 1
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name("away").rename(folder)
        assert soon(lambda: arm(serving) == "hybrid@other")


@pytest.mark.parametrize("store", ["edge", "memory"])
def test_a_service_carries_a_candidate_while_it_serves_and_stops_at_its_next_chance(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setattr(served_module, "CARRY_CHUNKS", 2)
    with opened(replace(settings, store=store)) as home, opened(settings) as elsewhere:
        commit(home, *(f"bear {number}" for number in range(9)))
        with_other(elsewhere, tmp_path / "other")
        collection = elsewhere.catalog.collections.get("default")
        other = elsewhere.encoder_of("other").passage_fingerprint
        embed(elsewhere, collection, "other")
        with Serving(home) as serving:
            owner = serving.of("default")._owner
            serving.begin_to_stop()
            elsewhere.catalog.collections.put_setting(collection, "candidates", ["other"])
            serving.of("default").carry()
            assert owner.carrier.state(other).after == 0
        with Serving(home) as serving:
            owner = serving.of("default")._owner
            assert soon(lambda: owner.carrier.state(other) == Carried(after=None))
            assert all(other in point.vectors for point in owner.store.get(list(owner.store.ids())))
            elsewhere.catalog.collections.put_setting(collection, "candidates", [])
            assert soon(lambda: other not in owner.store.vector_sizes())
        if store == "edge":
            assert other not in CatalogLedger(elsewhere.catalog, collection).read()


def test_what_a_promotion_leaves_of_a_config_that_a_writer_saw_is_not_taken_back(
    home: Home, elsewhere: Home, tmp_path: Path
) -> None:
    commit(home, "a bear")
    with_other(elsewhere, tmp_path / "other")
    seen_by_writer = home.catalog.collections.get("default")
    with Serving(home) as serving:
        promote(elsewhere, elsewhere.catalog.collections.get("default"), "other", force="to see")
        assert soon(lambda: arm(serving) == "hybrid@other")
        serving.of("default").follow(seen_by_writer)
        assert arm(serving) == "hybrid@other"
        assert serving.submit("default", [Submitted("g", "a goat", format="text")])[1]
    with open_index(home.settings, home.catalog, home.catalog.collections.get("default")) as owner:
        assert examine(owner).is_healthy
