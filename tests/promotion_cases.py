"""A home with two models to promote, and what tests of promotion ask of it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from sqlalchemy import select

from indexer.apply import IndexOwner, open_index
from indexer.candidates import candidates_of
from indexer.carrying import Carried
from indexer.doctor import examine
from indexer.promotion import verdict_key
from retrieval.catalog import Collection, schema
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.home import Home
from retrieval.model_folder import ModelFolder
from retrieval.query import Query
from retrieval.search import Searcher
from retrieval.stores.qdrant import QdrantStore
from retrieval.types import Mode
from tests.homes import Workbench, page
from tests.tiny_model import build_adapter, build_tiny_model, exchange

NOUNS = ["car", "dog", "cat", "bread", "water", "stone", "bridge", "river", "garden", "morning", "kitchen", "light"]
NOUNS += ["yeast", "window", "winter", "horse", "book", "door", "coat", "moon"]
PAGES = [page(f"{noun}.md", f"The {noun} is here.") for noun in NOUNS]
QUERIES = ("a fast vehicle", "puppy", "the river of the morning")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@cache
def _template(tiny_model: Path) -> Path:
    bench = Workbench.open(tiny_model.parent / "two-models", tiny_model)
    bench.put(*PAGES)
    with bench.index():
        pass
    added(bench.home, other_model(tiny_model), "other")
    bench.close()
    shutil.rmtree(bench.home.settings.index_dir)  # sparse files: making them again takes less than copying them
    return bench.home.settings.home


def other_model(tiny_model: Path) -> Path:
    """The folder of the home's second model, built beside the first."""
    return build_tiny_model(tiny_model.parent / "second" / "other", salt="other")


def two_models(folder: Path, tiny_model: Path) -> Workbench:
    """Open a home with a collection that is searched with "tiny", and with "other" too."""
    return Workbench.copied(_template(tiny_model), folder, tiny_model)


def with_each_store(bench: Workbench, store: str, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """The same home with another store; a stand-in for a server outlives who connects to it."""
    client = QdrantClient(":memory:")
    monkeypatch.setattr(client, "close", lambda: None)

    def local(_url: str, _key: str, collection: str) -> QdrantStore:
        return QdrantStore(client, collection, place="local mode", indexes=False)

    monkeypatch.setattr(QdrantStore, "connect", local)
    settings = replace(bench.home.settings, store=store, qdrant_url="local")
    return replace(bench, home=Home(settings, bench.home.catalog))


def added(home: Home, folder: Path, version: str) -> str:
    return home.register(home.models.add_model(folder, version)).passage_fingerprint


def adapter(home: Home, folder: Path, version: str = "adapter") -> str:
    """Add an adapter over "tiny" for which cars are dogs, and dogs cars."""
    query_map = exchange(home.encoder_of("tiny"), "car", "dog")
    return added(home, build_adapter(folder, ModelFolder.read(home.settings.models_dir / "tiny"), query_map), version)


def collection_of(home: Home) -> Collection:
    return home.catalog.collections.get("default")


def active(home: Home) -> str:
    return collection_of(home).config.model


def candidates(home: Home) -> list[str]:
    return candidates_of(home.catalog, collection_of(home))


@contextmanager
def indexed(home: Home) -> Iterator[IndexOwner]:
    with open_index(home.settings, home.catalog, collection_of(home)) as owner:
        owner.apply_pending()
        yield owner


class Results(list[tuple[str, list[tuple[str, float]]]]):
    """What every query finds in each mode and how it scores, by arm; equal to the digit."""

    digits = True
    """The stand-in for a server rounds differently each time its arrays grow."""

    def __eq__(self, other: object) -> bool:
        if self.digits or not isinstance(other, Results):
            return super().__eq__(other)
        return len(self) == len(other) and all(
            arm == same_arm and dict(hits) == pytest.approx(dict(same_hits), abs=1e-6)
            for (arm, hits), (same_arm, same_hits) in zip(self, other, strict=True)
        )

    __hash__ = None


def results(home: Home) -> Results:
    """Search, in an index that is healthy."""
    collection = collection_of(home)
    with indexed(home) as owner:
        assert examine(owner).is_healthy
        searcher = Searcher(home.catalog, collection, owner.store, lambda: home.encoder(collection))
        found = [searcher.search(Query(text, 20, mode)) for text in QUERIES for mode in Mode]
        told = Results((result.arm, [(hit.document_id, hit.score) for hit in result.hits]) for result in found)
        told.digits = home.settings.store != "qdrant"
        return told


def vectors_of(home: Home) -> Mapping[str, Carried]:
    """The states of the vectors that the index has, which must be those it says it has."""
    with indexed(home) as owner:
        states = owner.carrier.ledger.read()
        assert states.keys() == owner.store.vector_sizes().keys()
        return states


def judged(
    home: Home,
    version: str,
    verdict: str = "better",
    *,
    judgments: str = "judged",
    against: str = "",
    **evidence: object,
) -> None:
    """Keep a verdict on a version against the active model, or another."""
    collection, against = collection_of(home), against or active(home)
    key = verdict_key(home.catalog, collection, against, version)
    kept = KeptVerdict(f"hybrid@{against}", f"hybrid@{version}", judgments, key, verdict, evidence)
    home.catalog.verdicts.put(collection, kept)


def assert_no_orphans(home: Home) -> None:
    """Every row has a folder that works, every candidate and every vector a row."""
    records = {record.version: record for record in home.catalog.models.list()}
    for version, record in records.items():
        assert home.models.encoder(version).fingerprint == record.fingerprint
    fingerprints = {record.passage_fingerprint for record in records.values()}
    with home.catalog.database.read() as connection:
        for table in (schema.embeddings, schema.moments):
            assert set(connection.execute(select(table.c.fingerprint).distinct()).scalars()) <= fingerprints
    assert {active(home), *candidates(home)} <= records.keys()
    assert set(vectors_of(home)) <= fingerprints


@contextmanager
def killed_at_call(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, number: int) -> Iterator[None]:
    """Die when a method is called for the so-manieth time."""
    calls, real = 0, getattr(owner, name)

    def die(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == number:
            raise Killed
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(Killed):
            yield
