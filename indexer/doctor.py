"""Does the index hold what the catalog says, on both legs? Prove it point by point, and repair it."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from indexer.apply import IndexOwner
from indexer.points import points, recipe
from retrieval.catalog.rows import in_batches
from retrieval.stores.base import Point

BATCH = 1000
RECHECKS = 10
"""How often to follow commits of others; each time only what still differs is read again."""
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

    @property
    def suspects(self) -> set[int]:
        """Every chunk that something was found of."""
        return {*self.to_upsert, *self.extra, *self.unembedded}


def examine(owner: IndexOwner) -> Diagnosis:
    """Compare every point of the index with the catalog; pending changes are applied first, as any owner would.

    Others may commit meanwhile: what then differs is looked at again once their changes are applied.
    """
    seen = owner.catalog.changes.last_seq(owner.collection)
    owner.apply_pending()
    diagnosis = _examined(owner, {*owner.catalog.chunks.ids(owner.collection), *owner.store.ids()})
    checked = diagnosis.checked
    for _ in range(RECHECKS):
        newest = owner.catalog.changes.last_seq(owner.collection)
        if diagnosis.is_healthy or newest == seen:
            break
        seen = newest
        owner.apply_pending()
        diagnosis = _examined(owner, diagnosis.suspects)
    diagnosis.checked = checked
    return diagnosis


def _examined(owner: IndexOwner, ids: Collection[int]) -> Diagnosis:
    diagnosis = Diagnosis()
    how = recipe(owner.catalog, owner.collection, owner.store)
    for batch in in_batches(sorted(ids), BATCH):
        stored = {point.id: point for point in owner.store.get(batch)}
        expected = points(owner.catalog, how, owner.catalog.chunks.stored(owner.collection, batch))
        diagnosis.extra.extend(sorted(stored.keys() - {point.id for point in expected}))
        for point in expected:
            diagnosis.checked += 1
            diagnosis.unembedded.extend([point.id] if how.active and how.active not in point.vectors else [])
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
