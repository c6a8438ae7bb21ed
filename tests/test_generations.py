"""An index is made anew in another folder and gone over to: one of the two is there at any instant, and no litter."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.errors import StoreError
from retrieval.filters import Range
from retrieval.stores.edge import EdgeStore
from retrieval.stores.generations import (
    CURRENT,
    SOFT_DELETES,
    UNFLUSHED,
    current_generation,
    make_current,
    new_generation,
)
from retrieval.stores.lock import OwnerLock
from tests.store_cases import keyword, point


def made(folder: Path, ids: range, *, weight: float = 1.0) -> EdgeStore:
    store = EdgeStore(folder)
    store.upsert([point(i, {1: weight}, document=i + 100, metadata={"n": i}) for i in ids])
    store.flush()
    return store


def names(folder: Path) -> set[str]:
    """What is in an index's folder, but the lock and its note."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("owner.")}


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_index_goes_over_to_a_generation_again_and_again_and_keeps_only_that(tmp_path: Path) -> None:
    store = made(tmp_path, range(3))
    store.delete([2])
    assert names(tmp_path) == {"shard", SOFT_DELETES, UNFLUSHED}
    for size in (4, 5):
        generation = new_generation(tmp_path)
        store.adopt(made(generation, range(size)))
        assert names(tmp_path) == {CURRENT, generation.name}
        assert list(store.ids()) == list(range(size))
        assert [found.document for found in store.search([keyword(1)], 9)[0]] == [i + 100 for i in range(size)]
        store.upsert([point(9, {1: 1.0})])
        assert store.count() == size + 1
    store.close()
    again = EdgeStore(tmp_path)
    assert list(again.ids()) == [0, 1, 2, 3, 4, 9]
    again.close()


def test_what_was_adopted_from_is_closed_and_its_lock_is_free(tmp_path: Path) -> None:
    store, other = made(tmp_path, range(3)), made(new_generation(tmp_path), range(4))
    store.adopt(other)
    with pytest.raises(StoreError, match="closed"):
        other.count()
    with pytest.raises(StoreError, match="closed"):
        store.adopt(other)
    with OwnerLock(current_generation(tmp_path)):
        assert store.count() == 4
    store.close()


def test_searches_go_on_while_generations_change(tmp_path: Path) -> None:
    store = made(tmp_path, range(5))
    seen: set[tuple[int, ...]] = set()
    errors: list[BaseException] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            try:
                [found] = store.search([keyword(1)], 99, Range("n", gte=0))
                seen.add(tuple(sorted(candidate.id for candidate in found)))
            except BaseException as error:  # reported below
                errors.append(error)
                return

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for size in (6, 7, 8):
        store.adopt(made(new_generation(tmp_path), range(size)))
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert seen <= {tuple(range(size)) for size in (5, 6, 7, 8)}  # one generation or another, never half of one
    store.close()


@pytest.mark.parametrize(("step", "after"), [("make_current", 3), ("remove_generation", 4)])
def test_a_kill_leaves_one_generation_or_the_other_and_the_next_opening_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: int
) -> None:
    store, other = made(tmp_path, range(3)), made(new_generation(tmp_path), range(4))
    with monkeypatch.context() as patch:
        patch.setattr(f"retrieval.stores.edge.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            store.adopt(other)
    other.close()
    store.close()
    assert {"shard", *(found.name for found in tmp_path.glob("generation-*"))} <= names(tmp_path)
    again = EdgeStore(tmp_path)
    assert again.count() == after
    assert names(tmp_path) == ({"shard"} if after == 3 else {CURRENT, current_generation(tmp_path).name})
    again.close()


def test_a_generation_that_a_process_is_at_work_on_is_left_to_it(tmp_path: Path) -> None:
    made(tmp_path, range(3)).close()
    generation = new_generation(tmp_path)
    with OwnerLock(generation):
        EdgeStore(tmp_path).close()
        assert generation.is_dir()
    EdgeStore(tmp_path).close()
    assert not generation.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / CURRENT).write_text("../elsewhere"),
        lambda folder: (folder / CURRENT).write_text("generation-" + "0" * 32),
        lambda folder: (folder / CURRENT).write_bytes(b"\xff\xfe"),
        lambda folder: (folder / CURRENT).write_text(""),
    ],
)
def test_a_name_that_misleads_says_how_to_rebuild_and_deletes_nothing(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    store = made(tmp_path, range(3))
    store.adopt(made(new_generation(tmp_path), range(4)))
    store.close()
    before = names(tmp_path)
    damage(tmp_path)
    with pytest.raises(StoreError, match="tandem reindex"):
        EdgeStore(tmp_path)
    assert names(tmp_path) == before
    make_current(tmp_path, next(tmp_path.glob("generation-*")))
    again = EdgeStore(tmp_path)
    assert again.count() == 4
    again.close()


def test_a_name_that_is_half_written_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, range(3)).close()
    generation = new_generation(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            make_current(tmp_path, generation)
    assert current_generation(tmp_path) == tmp_path
    assert names(tmp_path) > {"shard"}
    EdgeStore(tmp_path).close()
    assert names(tmp_path) == {"shard"}


def test_a_cleared_generation_stays_the_current_one(tmp_path: Path) -> None:
    store = made(tmp_path, range(3))
    store.adopt(made(new_generation(tmp_path), range(4)))
    store.clear()
    assert store.count() == 0
    store.close()
    again = EdgeStore(tmp_path)
    assert again.count() == 0
    assert current_generation(tmp_path) != tmp_path
    again.close()
