"""The points of an index, made from the catalog: a pure function of its chunks, embeddings and settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.candidates import wanted_vectors
from indexer.carrying import Carried
from retrieval.catalog import Catalog, Collection, StoredChunk
from retrieval.keyword import Bm25
from retrieval.stores.base import Point, Store


@dataclass(frozen=True, slots=True)
class Recipe:
    """How points are made from chunks: BM25's parameters, and which models' vectors they carry.

    `fingerprints` are those of passages; `active` is the one that searches use, empty for a collection without a model.
    """

    bm25: Bm25
    fingerprints: tuple[str, ...]
    active: str = ""


def recipe(catalog: Catalog, collection: Collection, store: Store) -> Recipe:
    """Return how this collection's points are made today, making room in the store for the vectors they carry."""
    average_length = catalog.collections.setting(collection, "average_length") or catalog.chunks.lengths(collection)[1]
    config = catalog.collections.get(collection.name).config
    wanted = wanted_vectors(catalog, collection)
    for name, size in wanted.items():
        store.add_vector(name, size)
    active = catalog.models.get(config.model).passage_fingerprint if config.model else ""
    return Recipe(Bm25(average_length, config.k1, config.b), tuple(wanted), active)


def points(catalog: Catalog, how: Recipe, chunks: Sequence[StoredChunk]) -> list[Point]:
    """Return the points of chunks; a chunk that a model has not embedded has no vector of that model."""
    hashes = {chunk.text_hash for chunk in chunks}
    vectors = {fingerprint: catalog.embeddings.get(fingerprint, hashes) for fingerprint in how.fingerprints}
    return [
        Point(
            id=chunk.id,
            document=chunk.document,
            terms=how.bm25.weights(chunk.terms),
            vectors={name: found[chunk.text_hash] for name, found in vectors.items() if chunk.text_hash in found},
            metadata=chunk.metadata,
            lead=chunk.position == 0,
        )
        for chunk in chunks
    ]


def fill(catalog: Catalog, collection: Collection, store: Store) -> dict[str, Carried]:
    """Put every chunk of the collection into an empty store without touching the log: how a memory index is made.

    Return the states of its vectors.
    """
    how = recipe(catalog, collection, store)
    missing: set[str] = set()
    for chunks in catalog.chunks.all_stored(collection):
        made = points(catalog, how, chunks)
        store.upsert(made)
        missing.update(name for name in how.fingerprints for point in made if name not in point.vectors)
    return {name: Carried(after=None, whole=name not in missing) for name in how.fingerprints}
