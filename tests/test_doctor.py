"""Doctor names every way in which an index differs from its catalog, and repairs it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.apply import IndexOwner
from indexer.doctor import examine, repair
from indexer.reindex import embed_missing
from retrieval.catalog import schema
from retrieval.stores.base import Point
from retrieval.types import SparseVector
from tests.homes import Pages, Workbench, page

PAGES = [page(f"{name}.md", f"The {name} is here.", year=2020) for name in ("bread", "water", "stone", "river")]


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*PAGES)
    yield bench
    bench.close()


@pytest.fixture(scope="module", params=["edge", "memory"])
def shared_index(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path
) -> Iterator[IndexOwner]:
    """An index that each test leaves repaired."""
    bench = Workbench.open(tmp_path_factory.mktemp("shared") / "home", tiny_model)
    bench.put(*PAGES)
    with bench.with_store(request.param).index() as owner:
        yield owner
    bench.close()


def edited(owner: IndexOwner, change: Callable[[Point], Point]) -> int:
    """Change the first point behind the catalog's back."""
    first = next(owner.store.ids())
    (point,) = owner.store.get([first])
    owner.store.upsert([change(point)])
    return first


def miss_one(owner: IndexOwner) -> int:
    first = next(owner.store.ids())
    owner.store.delete([first])
    return first


def add_one(owner: IndexOwner) -> int:
    edited(owner, lambda point: replace(point, id=999))
    return 999


def other_weights(owner: IndexOwner) -> int:
    return edited(owner, lambda p: replace(p, terms=SparseVector(p.terms.indices, p.terms.values * np.float32(1.001))))


def other_terms(owner: IndexOwner) -> int:
    return edited(owner, lambda p: replace(p, terms=SparseVector(p.terms.indices[1:], p.terms.values[1:])))


def other_vector(owner: IndexOwner) -> int:
    return edited(owner, lambda p: replace(p, vectors={name: -vector for name, vector in p.vectors.items()}))


def no_vector(owner: IndexOwner) -> int:
    return edited(owner, lambda p: replace(p, vectors={}))


def other_metadata(owner: IndexOwner) -> int:
    return edited(owner, lambda p: replace(p, metadata={"year": 2021}))


def other_document(owner: IndexOwner) -> int:
    return edited(owner, lambda p: replace(p, document=77))


def not_leading(owner: IndexOwner) -> int:
    return edited(owner, lambda p: replace(p, lead=False))


def test_an_index_that_was_just_made_is_healthy(bench: Workbench) -> None:
    with bench.index() as owner:
        diagnosis = examine(owner)
    assert diagnosis.is_healthy
    assert diagnosis.checked == 4


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (miss_one, "missing"),
        (add_one, "extra"),
        (other_weights, "keyword"),
        (other_terms, "keyword"),
        (other_vector, "embedding"),
        (no_vector, "embedding"),
        (other_metadata, "payload"),
        (other_document, "payload"),
        (not_leading, "payload"),
    ],
)
def test_each_kind_of_damage_is_named_and_repaired(
    shared_index: IndexOwner, damage: Callable[[IndexOwner], int], found: str
) -> None:
    point = damage(shared_index)
    diagnosis = examine(shared_index)
    kinds = ("missing", "extra", "keyword", "embedding", "payload", "unembedded")
    assert {kind: getattr(diagnosis, kind) for kind in kinds if getattr(diagnosis, kind)} == {found: [point]}
    assert not diagnosis.is_healthy
    repaired = repair(shared_index, diagnosis)
    assert repaired.is_healthy
    assert repaired.checked == 4


def test_much_damage_at_once_is_repaired_at_once(bench: Workbench) -> None:
    with bench.index() as owner:
        first, second, third, _ = owner.store.ids()
        (point,) = owner.store.get([second])
        owner.store.delete([first])
        owner.store.upsert([replace(point, vectors={}, metadata={}), replace(point, id=1234)])
        diagnosis = examine(owner)
        assert (diagnosis.missing, diagnosis.extra) == ([first], [1234])
        assert (diagnosis.embedding, diagnosis.payload) == ([second], [second])
        assert third not in diagnosis.to_upsert
        assert repair(owner, diagnosis).is_healthy


def test_an_index_without_the_models_vectors_at_all_is_repaired(bench: Workbench) -> None:
    with bench.index() as owner:
        owner.store.drop_vector(bench.encoder.fingerprint)
        diagnosis = examine(owner)
        assert len(diagnosis.embedding) == 4
        assert repair(owner, diagnosis).is_healthy


def test_a_chunk_whose_embedding_was_lost_is_named_and_heals_once_it_is_embedded(bench: Workbench) -> None:
    with bench.index() as owner:
        with bench.home.catalog.database.write() as connection:
            connection.execute(schema.embeddings.delete())
        diagnosis = examine(owner)
        assert diagnosis.unembedded == bench.home.catalog.chunks.ids(bench.collection)
        assert not repair(owner, diagnosis).is_healthy
        assert embed_missing(bench.pipeline) == 4
        assert repair(owner, examine(owner)).is_healthy


def test_changes_that_wait_are_no_damage(bench: Workbench) -> None:
    with bench.index() as owner:
        bench.put(page("bread.md", "Something else entirely."), page("new.md", "A new one."))
        assert examine(owner).is_healthy
        bench.ingest(Pages({}), prune=True)
        assert examine(owner).is_healthy
        assert owner.store.count() == 0


def test_what_is_committed_while_the_index_is_examined_is_no_damage(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.index() as owner:
        read_ids = owner.catalog.chunks.ids
        writes = iter(
            [
                Pages.of(page("bread.md", "The bread is gone."), page("water.md", "The water is here.", year=1999)),
                Pages.of(page("stone.md", "The stone is here.", year=1999), page("new.md", "A new one.")),
            ]
        )

        def ids_and_then_a_commit(collection: object) -> list[int]:
            found = read_ids(bench.collection)
            if source := next(writes, None):
                bench.ingest(source, prune=True)
            return found

        monkeypatch.setattr(owner.catalog.chunks, "ids", ids_and_then_a_commit)
        assert examine(owner).is_healthy
        assert examine(owner).is_healthy
        assert sorted(bench.ids()) == ["new.md", "stone.md"]
