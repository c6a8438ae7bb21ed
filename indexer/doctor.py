"""Does the index hold what the catalog says, on both legs? Prove it point by point, and repair it."""

from dataclasses import dataclass, field

import numpy as np

from indexer.apply import IndexOwner, points, recipe
from retrieval.catalog.rows import in_batches
from retrieval.stores.base import Point

BATCH = 1000
VECTOR_TOLERANCE = 2e-3
"""An index may hold vectors as float16."""
TERM_TOLERANCE = 1e-5


@dataclass(slots=True)
class Diagnosis:
    """What differs, as chunk ids; counted while the index is read."""

    checked: int = 0
    missing: list[int] = field(default_factory=list)
    """In the catalog, not in the index."""
    extra: list[int] = field(default_factory=list)
    """In the index, not in the catalog."""
    keyword: list[int] = field(default_factory=list)
    """The keyword leg differs."""
    embedding: list[int] = field(default_factory=list)
    """The embedding leg differs."""
    payload: list[int] = field(default_factory=list)
    """Its document, metadata or place in the document differs."""
    unembedded: list[int] = field(default_factory=list)
    """The active model has not embedded it."""

    @property
    def is_healthy(self) -> bool:
        """Whether the index holds exactly what the catalog says, and everything is embedded."""
        return not any((self.missing, self.extra, self.keyword, self.embedding, self.payload, self.unembedded))

    @property
    def to_upsert(self) -> list[int]:
        """The points that a repair writes again."""
        return sorted({*self.missing, *self.keyword, *self.embedding, *self.payload})


def examine(owner: IndexOwner) -> Diagnosis:
    """Compare every point of the index with the catalog; pending changes are applied first, as any owner would."""
    owner.apply_pending()
    diagnosis = Diagnosis()
    expected_ids = owner.catalog.chunks.ids(owner.collection)
    diagnosis.extra = sorted(set(owner.store.ids()) - set(expected_ids))
    how = recipe(owner.catalog, owner.collection, owner.store)
    for ids in in_batches(expected_ids, BATCH):
        stored = {point.id: point for point in owner.store.get(ids)}
        expected = points(owner.catalog, how, owner.catalog.chunks.stored(owner.collection, ids))
        for point in expected:
            diagnosis.checked += 1
            diagnosis.unembedded.extend([point.id] if len(point.vectors) < len(how.fingerprints) else [])
            _compare(point, stored.get(point.id), diagnosis)
    return diagnosis


def _compare(expected: Point, found: Point | None, diagnosis: Diagnosis) -> None:
    if found is None:
        diagnosis.missing.append(expected.id)
        return
    if not _same_terms(expected, found):
        diagnosis.keyword.append(expected.id)
    if not _same_vectors(expected, found):
        diagnosis.embedding.append(expected.id)
    if (expected.document, expected.lead, dict(expected.metadata)) != (
        found.document,
        found.lead,
        dict(found.metadata),
    ):
        diagnosis.payload.append(expected.id)


def _same_terms(expected: Point, found: Point) -> bool:
    return np.array_equal(expected.terms.indices, found.terms.indices) and np.allclose(
        expected.terms.values, found.terms.values, rtol=TERM_TOLERANCE
    )


def _same_vectors(expected: Point, found: Point) -> bool:
    return all(
        name in found.vectors and np.allclose(vector, found.vectors[name], atol=VECTOR_TOLERANCE)
        for name, vector in expected.vectors.items()
    )


def repair(owner: IndexOwner, diagnosis: Diagnosis) -> Diagnosis:
    """Make the index what the catalog says, and examine it again."""
    owner.catalog.changes.redo(owner.collection, diagnosis.to_upsert, diagnosis.extra)
    return examine(owner)
