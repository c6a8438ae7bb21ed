"""What is particular to the embedded engine: reopening, damage, soft deletes under a graph, threads, the factory."""

import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import IndexBusy, StoreError, UsageError
from retrieval.filters import AnyOf, Range
from retrieval.settings import Settings
from retrieval.stores import index_folder, open_store, opened, remove_store
from retrieval.stores.base import EmbeddingLeg
from retrieval.stores.edge import EdgeStore
from retrieval.stores.memory import MemoryStore
from retrieval.stores.opened import MOST_UNFLUSHED
from retrieval.stores.payload import PRESENT, equality_field
from tests.store_cases import embedding, found_ids, keyword, point, vector


def test_a_reopened_index_holds_everything(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "default")
    store.add_vector("m1", 2)
    store.upsert([point(i, {1: 1.0}, vectors={"m1": vector(1, i)}, metadata={"n": i}) for i in (1, 2, 3)])
    store.delete([3])
    before = store.search([keyword(1), embedding("m1", 1, 1)], 5, Range("n", gte=1))
    store.close()
    again = EdgeStore(tmp_path / "default")
    assert again.vector_sizes() == {"m1": 2}
    assert again.search([keyword(1), embedding("m1", 1, 1)], 5, Range("n", gte=1)) == before
    again.close()


def test_a_closed_index_says_so_and_closes_again_quietly(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "default")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.count()


@pytest.mark.parametrize("damage", ["configuration", "segment", "truncated", "empty"])
def test_a_damaged_index_says_how_to_rebuild_it_and_frees_its_lock(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "default"
    store = EdgeStore(folder)
    store.upsert([point(1, {1: 1.0})])
    store.close()
    [segment] = [path for path in (folder / "shard" / "segments").iterdir() if path.is_dir()]
    match damage:
        case "configuration":
            (folder / "shard" / "edge_config.json").write_text("{")
        case "segment":
            (segment / "segment.json").write_text("{")
        case "truncated":
            (segment / "vector_storage-keyword" / "store" / "tracker.dat").write_bytes(b"")
        case _:
            (folder / "shard").rename(folder / "away")
            (folder / "shard").mkdir()
    for _ in range(2):
        with pytest.raises(StoreError, match="tandem reindex") as raised:
            EdgeStore(folder)
        assert not isinstance(raised.value, IndexBusy)


def test_idf_stays_exact_when_compacted_graphs_lose_points(tmp_path: Path) -> None:
    """With a graph, a segment takes no writes: replaced points stay in it as deleted, and Edge counts those."""
    rng = np.random.default_rng(1)
    store, oracle = EdgeStore(tmp_path / "default", indexing_threshold_kb=1), MemoryStore()
    unit = rng.normal(size=(400, 16)).astype(np.float32)
    for each in (store, oracle):
        each.add_vector("m1", 16)
        each.upsert([point(i, {i % 7: 1.0, 50: 1.0}, vectors={"m1": unit[i]}) for i in range(400)])
        each.compact()
        each.upsert([point(i, {50: 2.0}, vectors={"m1": unit[i]}) for i in range(60)])
        each.put_vectors("m1", {i: unit[i + 1] for i in range(100, 150)})
        each.delete(range(200, 240))
    for _ in range(2):
        for term in (3, 50):
            [[found]], [[exact]] = store.search([keyword(term)], 1), oracle.search([keyword(term)], 1)
            assert found.score == pytest.approx(exact.score, abs=1e-6)
        store.compact()
    assert not (tmp_path / "default" / "soft-deletes").exists()
    store.close()


def test_a_filtered_search_over_a_graph_misses_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(500, 8)).astype(np.float32)
    store = EdgeStore(tmp_path / "default", indexing_threshold_kb=1)
    store.add_vector("m1", 8)
    store.upsert([point(i, vectors={"m1": vectors[i]}, metadata={"n": i % 10}) for i in range(500)])
    store.compact()
    [found] = store.search([EmbeddingLeg("m1", vectors[0])], 500, AnyOf("n", (3,)))
    assert sorted(found_ids(found)) == list(range(3, 500, 10))
    store.close()


def test_an_interrupted_clear_is_finished_at_the_next_opening(tmp_path: Path) -> None:
    folder = tmp_path / "default"
    store = EdgeStore(folder)
    store.upsert([point(1, {1: 1.0})])
    store.close()
    (folder / "shard").rename(folder / "cleared")
    again = EdgeStore(folder)
    assert again.count() == 0
    assert not (folder / "cleared").exists()
    again.close()


def killed_in_a_flush(store: EdgeStore, folder: Path, number: bytes, target: Path) -> Path:
    """Copy an open index as a kill would leave it: points are on disk, the shard's number is an older one."""
    assert store._opened
    store._opened.shard.flush()
    shutil.copytree(folder, target)
    [file] = target.rglob("segment.json")
    file.write_bytes(number)
    return target


def test_what_is_applied_again_after_a_kill_in_a_flush_counts(tmp_path: Path) -> None:
    store, folder = EdgeStore(tmp_path / "a"), tmp_path / "a"
    store.upsert([point(1), point(2)])
    store.close()
    [file] = folder.rglob("segment.json")
    number = file.read_bytes()
    for kill in ("b", "c", "d"):  # one upon another, none of which leaves a whole flush
        store = EdgeStore(folder)
        for new in range(3, 13):
            store.upsert([point(new, metadata={"before": kill})])
        folder = killed_in_a_flush(store, folder, number, tmp_path / kill)
        store.close()
    with closing(EdgeStore(folder)) as store:
        store.delete([11, 12])
        store.upsert([point(10, metadata={"after": "the kills"})])
    with closing(EdgeStore(folder)) as store:
        assert list(store.ids()) == list(range(1, 11))
        assert store.get([10])[0].metadata == {"after": "the kills"}
        assert not (folder / "unflushed").exists()


def test_an_index_that_is_only_read_stays_in_doubt_and_one_that_was_closed_is_in_none(tmp_path: Path) -> None:
    folder, mark = tmp_path / "a", tmp_path / "a" / "unflushed"
    store = EdgeStore(folder)
    store.upsert([point(1)])
    assert mark.read_text() == str(MOST_UNFLUSHED)
    shutil.copytree(folder, tmp_path / "b")
    store.close()
    assert not mark.exists()
    folder, mark = tmp_path / "b", tmp_path / "b" / "unflushed"
    for _ in range(3):
        EdgeStore(folder).close()
        assert mark.read_text() == str(MOST_UNFLUSHED)
    with closing(EdgeStore(folder)) as store:
        store.upsert([point(2)])
        assert mark.read_text() == str(2 * MOST_UNFLUSHED)
        store.flush()
        assert mark.read_text() == str(MOST_UNFLUSHED)


@pytest.mark.parametrize("written", ["", "-5", "1e9", "x" * 100])
def test_a_count_of_operations_that_is_none_says_how_to_go_on(tmp_path: Path, written: str) -> None:
    EdgeStore(tmp_path / "a").close()
    (tmp_path / "a" / "unflushed").write_text(written)
    with pytest.raises(StoreError, match="tandem reindex"):
        EdgeStore(tmp_path / "a")


def test_no_more_is_left_unflushed_than_is_counted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MOST_UNFLUSHED", 3)
    with closing(EdgeStore(tmp_path / "a")) as store:
        for new in range(7):
            store.upsert([point(new)])
        assert store._opened
        assert store._opened._unflushed == 1


def test_invented_field_names_create_no_indexes_and_real_ones_only_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.stores.edge.MAX_INDEXED_FIELDS", 4)
    store = EdgeStore(tmp_path / "default")
    fields = [f"f{i}" for i in range(6)]
    store.upsert([point(1, {1: 1.0}, metadata=dict.fromkeys(fields, "x"))])
    for field in fields:
        assert store.count(AnyOf(field, ("x",))) == 1
        assert store.count(AnyOf(f"invented {field}", ("x",))) == 0
    store.close()
    again = EdgeStore(tmp_path / "default")
    assert set(again.indexed_fields) == {PRESENT, *(equality_field(f"f{i}") for i in range(3))}
    again.close()


def test_searches_from_many_threads_while_one_writes_see_whole_points(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "default")
    store.add_vector("m1", 4)
    store.upsert([point(i, {1: 1.0}, document=i * 10, vectors={"m1": vector(1, 0, 0, i)}) for i in range(50)])

    def search(_: int) -> bool:
        words, dense = store.search([keyword(1), embedding("m1", 1, 0, 0, 3)], 40)
        return all(c.document == c.id * 10 for c in [*words, *dense]) and len(words) == len(dense) == 40

    def write(round_: int) -> bool:
        first = 50 + 5 * round_
        batch = range(first, first + 5)
        store.upsert([point(i, {1: 1.0}, document=i * 10, vectors={"m1": vector(1, 0, 0, i)}) for i in batch])
        store.delete([first])
        return True

    with ThreadPoolExecutor(6) as pool:
        searches = [pool.submit(search, n) for n in range(120)]
        with ThreadPoolExecutor(1) as writer:
            writes = list(writer.map(write, range(30)))
        assert all(future.result() for future in searches)
    assert all(writes)
    assert store.count() == 50 + 30 * 4
    store.close()


def test_the_factory_opens_what_the_settings_name(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    edge = open_store(settings, "default", command="tandem ingest")
    assert isinstance(edge, EdgeStore)
    with pytest.raises(IndexBusy, match="`tandem ingest`"):
        open_store(settings, "default")
    with pytest.raises(IndexBusy):
        remove_store(settings, "default")
    edge.close()
    remove_store(settings, "default")
    remove_store(settings, "default")
    assert not index_folder(settings, "default").exists()
    assert isinstance(open_store(Settings(home=tmp_path, store="memory"), "default"), MemoryStore)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "c:d", "nul\0", "new\nline", ".hidden"])
def test_collection_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a usable name"):
        open_store(Settings(home=tmp_path), name)


def test_a_server_that_is_unset_or_silent_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="TANDEM_QDRANT_URL is empty"):
        open_store(Settings(home=tmp_path, store="qdrant"), "default")
    with pytest.raises(StoreError, match=r"http://127\.0\.0\.1:9 failed while opening"):
        open_store(Settings(home=tmp_path, store="qdrant", qdrant_url="http://127.0.0.1:9"), "default")


def test_opening_an_embedded_index_imports_neither_scipy_nor_the_client(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from pathlib import Path; from retrieval.settings import Settings;"
        "from retrieval.stores import open_store; open_store(Settings(home=Path(sys.argv[1])), 'default').close();"
        "print([m for m in ('scipy', 'qdrant_client', 'torch') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_idf_by_hand() -> None:
    store = MemoryStore()
    store.upsert([point(1, {1: 1.0}), point(2)])
    assert store.search([keyword(1)], 1)[0][0].score == pytest.approx(math.log(2))
