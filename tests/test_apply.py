"""The index becomes what the catalog says, whenever it was killed, lost, damaged or replaced."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer import apply
from indexer.apply import IndexOwner, open_emptied_index, open_index
from indexer.doctor import Diagnosis, examine
from indexer.pace import Pace
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.changes import Changes
from retrieval.catalog.collections import Collections
from retrieval.errors import StoreError
from retrieval.keyword import Bm25
from retrieval.stores.memory import MemoryStore
from retrieval.types import Mode
from tests.homes import Pages, Workbench, page

SHORT = [page(f"short{n}.md", f"Bread number {n}.") for n in range(4)]
LONG = page("long.md", "The river and the stone bridge and the morning light of the village. " * 9)


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


def index_folder(bench: Workbench) -> Path:
    return bench.home.settings.index_dir / "default"


def diagnosed(bench: Workbench) -> Diagnosis:
    with bench.index() as owner:
        return examine(owner)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> Iterator[None]:
    """Die as soon as this method is called."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(Killed):
            yield


def test_what_was_flushed_but_not_marked_is_applied_again(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.put(*SHORT)
    with killed_at(monkeypatch, Changes, "mark_indexed"), bench.index():
        pass
    assert bench.home.catalog.changes.count_pending(bench.collection) == 4
    assert diagnosed(bench).is_healthy
    assert bench.home.catalog.changes.count_pending(bench.collection) == 0


def test_an_index_killed_before_it_was_recorded_as_the_collections_own_is_made_again(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(*SHORT)
    with killed_at(monkeypatch, Collections, "put_setting"), bench.index():
        pass
    assert diagnosed(bench).is_healthy
    assert diagnosed(bench).checked == 4


def test_a_rebuild_killed_after_the_index_was_emptied_is_completed(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(*SHORT)
    with bench.index() as owner, killed_at(monkeypatch, type(owner.store), "flush"):
        owner.rebuild()
    assert diagnosed(bench).is_healthy


def test_an_edited_document_leaves_no_old_chunk_behind(bench: Workbench) -> None:
    bench.put(page("a.md", "Bread."))
    with bench.index():
        pass
    bench.put(page("a.md", "Water."))
    with bench.index() as owner:
        assert owner.store.count() == 1
    assert bench.found("bread", mode=Mode.KEYWORD) == []


def test_a_chunk_deleted_before_its_upsert_was_applied_never_comes_in(bench: Workbench) -> None:
    bench.put(*SHORT)
    bench.ingest(Pages({}), prune=True)
    with bench.index() as owner:
        assert owner.store.count() == 0
        assert bench.home.catalog.changes.count_pending(bench.collection) == 0


def test_batches_are_applied_in_order(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "AT_ONCE", Pace(changes=2))
    bench.put(*SHORT)
    bench.put(page("short0.md", "Water."), *SHORT[1:])
    seen: list[tuple[int, int]] = []
    with open_index(bench.home.settings, bench.home.catalog, bench.collection) as owner:
        assert owner.apply_pending(lambda done, left: seen.append((done, left))) == 6
        assert examine(owner).is_healthy
    assert seen == [(2, 4), (4, 2), (6, 0)]


def stored_with_mean(bench: Workbench, owner: IndexOwner, mean: float) -> bool:
    chunks = bench.home.catalog.chunks.stored(bench.collection, bench.home.catalog.chunks.ids(bench.collection))
    points = {point.id: point for point in owner.store.get([chunk.id for chunk in chunks])}
    weighed = [(points[chunk.id].terms.values, Bm25(mean).weights(chunk.terms).values) for chunk in chunks]
    return all(np.allclose(found, expected, rtol=1e-5) for found, expected in weighed)


def test_every_chunk_is_weighed_again_when_the_mean_length_has_drifted(bench: Workbench) -> None:
    bench.put(*SHORT)
    with bench.index() as owner:
        _, before = bench.home.catalog.chunks.lengths(bench.collection)
        assert stored_with_mean(bench, owner, before)
        bench.put(*SHORT, LONG)
        _, after = bench.home.catalog.chunks.lengths(bench.collection)
        assert after > 2 * before
        assert owner.apply_pending() >= 5
        assert bench.home.catalog.collections.setting(bench.collection, "average_length") == after
        assert stored_with_mean(bench, owner, after)
        assert not stored_with_mean(bench, owner, before)


def test_a_small_drift_is_settled_when_no_more_is_to_come_or_at_the_next_start(bench: Workbench) -> None:
    bench.put(*SHORT)
    with bench.index():
        pass
    with open_index(bench.home.settings, bench.home.catalog, bench.collection) as owner:
        _, before = bench.home.catalog.chunks.lengths(bench.collection)
        bench.put(*SHORT, page("longer.md", "Bread and water and a stone for the garden."))
        _, after = bench.home.catalog.chunks.lengths(bench.collection)
        assert 1.01 < after / before < 1.1
        owner.apply_pending(more_to_come=True)  # and then the ingest is killed
        assert bench.home.catalog.collections.setting(bench.collection, "average_length") == before
    with bench.index() as owner:
        assert stored_with_mean(bench, owner, after)


def test_a_drift_of_less_than_a_percent_changes_no_other_chunk(bench: Workbench) -> None:
    bench.put(*SHORT)
    with bench.index() as owner:
        bench.put(*SHORT, page("short9.md", "Bread number 9."))
        assert owner.apply_pending() == 1


def test_deletions_that_make_the_mean_drift_are_applied_too(bench: Workbench) -> None:
    bench.put(*SHORT, LONG)
    with bench.index():
        pass
    bench.ingest(Pages.of(*SHORT), prune=True)
    diagnosis = diagnosed(bench)
    assert (diagnosis.extra, diagnosis.checked) == ([], 4)
    assert diagnosis.is_healthy


@pytest.mark.parametrize("step", ["redo_all", "put_setting"])
def test_weighing_again_may_be_killed_at_any_step(bench: Workbench, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    bench.put(*SHORT)
    with bench.index():
        pass
    bench.put(*SHORT, LONG)
    owner = Changes if step == "redo_all" else Collections
    with killed_at(monkeypatch, owner, step), bench.index():
        pass
    with bench.index() as index:
        _, mean = bench.home.catalog.chunks.lengths(bench.collection)
        assert stored_with_mean(bench, index, mean)
        assert examine(index).is_healthy


def test_an_index_deleted_from_disk_is_made_again_when_opened(bench: Workbench) -> None:
    bench.put(*SHORT)
    with bench.index():
        pass
    shutil.rmtree(index_folder(bench))
    assert len(bench.found("bread", mode=Mode.KEYWORD)) == 4
    assert diagnosed(bench).is_healthy


def test_the_index_of_another_catalog_is_replaced(bench: Workbench, tmp_path: Path, tiny_model: Path) -> None:
    bench.put(*SHORT)
    with bench.index():
        pass
    other = Workbench.open(tmp_path / "other", tiny_model)
    other.put(page("x.md", "Water."), page("y.md", "Stone."))
    with other.index():
        pass
    shutil.rmtree(index_folder(bench))
    shutil.copytree(index_folder(other), index_folder(bench))
    other.close()
    assert bench.found("water", mode=Mode.KEYWORD) == []
    assert len(bench.found("bread", mode=Mode.KEYWORD)) == 4
    assert diagnosed(bench).is_healthy


def test_an_index_is_not_made_again_when_it_is_the_right_one(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.put(*SHORT)
    with bench.index():
        pass
    monkeypatch.setattr(IndexOwner, "rebuild", lambda _: pytest.fail("it was rebuilt"))
    with open_index(bench.home.settings, bench.home.catalog, bench.collection) as owner:
        assert owner.apply_pending() == 0
        assert owner.store.count() == 4


def test_stores_may_be_switched_back_and_forth(bench: Workbench) -> None:
    memory = bench.with_store("memory")
    for number, each in enumerate((bench, memory, bench, memory, bench)):
        each.put(*SHORT[: number + 1])
        with each.index() as owner:
            assert isinstance(owner.store, MemoryStore) == (each is memory)
            assert owner.store.count() == min(number + 1, 4)
            assert examine(owner).is_healthy


def test_a_memory_index_sees_what_others_commit_and_apply(bench: Workbench) -> None:
    memory = bench.with_store("memory")
    bench.put(*SHORT[:2])
    with memory.index() as first, memory.index() as second:
        bench.put(*SHORT)
        bench.ingest(Pages.of(*SHORT[1:]), prune=True)
        assert first.apply_pending() > 0
        assert second.apply_pending() > 0  # although the first has marked these as applied
        assert list(first.store.ids()) == list(second.store.ids()) == bench.home.catalog.chunks.ids(bench.collection)
        assert second.apply_pending() == 0


def test_a_memory_index_sees_deletions_from_before_everything_was_weighed_again(bench: Workbench) -> None:
    memory = bench.with_store("memory")
    bench.put(*SHORT)
    with memory.index() as sleeping, memory.index() as other:
        bench.ingest(Pages.of(*SHORT[1:]), prune=True)
        other.apply_pending()
        bench.home.catalog.changes.redo_all(bench.collection)
        sleeping.apply_pending()
        assert list(sleeping.store.ids()) == bench.home.catalog.chunks.ids(bench.collection)


def test_a_memory_index_is_weighed_by_the_mean_length_though_nothing_was_ever_applied(bench: Workbench) -> None:
    bench.put(*SHORT, LONG)
    _, mean = bench.home.catalog.chunks.lengths(bench.collection)
    with bench.with_store("memory").index() as owner:
        assert stored_with_mean(bench, owner, mean)


def test_other_bm25_parameters_make_the_index_again(bench: Workbench) -> None:
    bench.put(*SHORT, LONG)
    with bench.index() as owner:
        before = {point.id: point.terms.values.tolist() for point in owner.store.get(list(owner.store.ids()))}
    config = replace(bench.collection.config, k1=0.4, b=0.1)
    bench.collection = bench.home.catalog.collections.configure(bench.collection, config)
    with bench.index() as owner:
        after = {point.id: point.terms.values.tolist() for point in owner.store.get(list(owner.store.ids()))}
        assert examine(owner).is_healthy
    assert before.keys() == after.keys()
    assert all(before[key] != after[key] for key in before)


def test_a_damaged_index_says_what_to_do_and_can_be_made_again(bench: Workbench) -> None:
    bench.put(*SHORT)
    with bench.index():
        pass
    (index_folder(bench) / "shard" / "edge_config.json").write_text("{broken")
    with pytest.raises(StoreError, match="tandem reindex"), bench.index():
        pass
    with open_emptied_index(bench.home.settings, bench.home.catalog, bench.collection) as owner:
        assert owner.rebuild() == 4
    assert diagnosed(bench).is_healthy


@pytest.mark.parametrize("store", ["edge", "memory"])
def test_an_index_emptied_and_left_so_is_filled_by_whoever_opens_it(bench: Workbench, store: str) -> None:
    bench.put(*SHORT)
    with bench.index():
        pass
    each = bench.with_store(store)
    settings = each.home.settings
    with pytest.raises(Killed), open_emptied_index(settings, each.home.catalog, each.collection):
        raise Killed
    assert len(each.found("bread", mode=Mode.KEYWORD)) == 4
    assert diagnosed(each).is_healthy


def test_the_index_is_compacted_when_enough_has_changed(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "COMPACT_FROM_POINTS", 3)
    bench.put(*SHORT)
    with bench.index() as owner:
        assert owner.compact_if_due()
        assert not owner.compact_if_due()
        assert examine(owner).is_healthy
    bench.put(*SHORT, page("short9.md", "Bread number 9."))
    with bench.index() as owner:
        assert owner.compact_if_due()


def test_moments_wait_while_more_is_to_come_but_no_longer(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.moments.ALWAYS_BELOW", 0)
    bench.put(*SHORT)
    with bench.index():
        pass

    def points() -> int:
        terms = bench.home.catalog.moments.get_terms(bench.collection)
        assert terms is not None
        return terms.points

    with open_index(bench.home.settings, bench.home.catalog, bench.collection) as owner:
        bench.put(*SHORT, page("short9.md", "Bread number 9."))
        owner.apply_pending(more_to_come=True)  # and then the ingest is killed
        assert points() == 4
    with bench.index():
        assert points() == 5


def test_nothing_is_measured_while_nothing_changes(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.moments.ALWAYS_BELOW", 0)
    asked: list[int] = []
    bench.put(*SHORT)
    with bench.index() as owner:
        bench.put(*SHORT, page("short9.md", "Bread number 9."))
        owner.apply_pending()

        def record(_catalog: Catalog, _collection: Collection, changed: int, *, more_to_come: bool) -> bool:
            asked.append(changed)
            return False

        monkeypatch.setattr("indexer.apply.record_moments", record)
        for _ in range(3):
            owner.apply_pending()
        assert asked == []
    monkeypatch.setattr("indexer.moments.STALE_SHARE", 0.5)
    with open_index(bench.home.settings, bench.home.catalog, bench.collection) as owner:
        bench.put(*SHORT, page("short9.md", "Bread number 9."), page("short8.md", "Bread number 8."))
        for _ in range(3):
            owner.apply_pending(more_to_come=True)
        for _ in range(3):
            owner.apply_pending()
        assert asked == [1, 1, 1, 1]  # while more is to come, and once it is not


def test_small_changes_add_up_until_the_moments_are_taken_again(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.moments.ALWAYS_BELOW", 0)
    monkeypatch.setattr("indexer.moments.STALE_SHARE", 0.5)
    counted = []
    for more in range(4):
        bench.put(*SHORT, *(page(f"more{number}.md", f"Bread number {number}.") for number in range(more)))
        with bench.index():
            terms = bench.home.catalog.moments.get_terms(bench.collection)
            counted.append(terms.points if terms else 0)
    assert counted == [4, 4, 6, 6]


def test_moments_follow_the_chunks(bench: Workbench) -> None:
    bench.put(*SHORT)
    with bench.index():
        pass
    catalog, fingerprint = bench.home.catalog, bench.encoder.fingerprint
    moments = catalog.moments.get(bench.collection, fingerprint)
    terms = catalog.moments.get_terms(bench.collection)
    assert moments is not None
    assert terms is not None
    vectors = np.stack(list(catalog.embeddings.get(fingerprint, catalog.chunks.text_hashes(bench.collection)).values()))
    assert moments.points == terms.points == 4
    assert np.allclose(moments.mean, vectors.mean(axis=0), atol=1e-6)
    assert np.allclose(moments.covariance, np.cov(vectors, rowvar=False, bias=True), atol=1e-6)
    assert terms.frequencies.max() == 4
    bench.ingest(Pages.of(*SHORT[:2]), prune=True)
    with bench.index():
        pass
    renewed = catalog.moments.get_terms(bench.collection)
    assert renewed is not None
    assert renewed.points == 2
