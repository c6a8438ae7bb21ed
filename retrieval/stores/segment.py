"""A run of points as arrays: postings for the keyword leg, a matrix per dense vector, a mask of those still alive."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retrieval.stores.base import Point
from retrieval.types import FloatArray, SparseVector

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Postings:
    """Term-major weights: term `terms[i]` stands in rows[starts[i]:starts[i + 1]] with weights of the same slice."""

    terms: NDArray[np.uint32]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: FloatArray

    @classmethod
    def of(cls, vectors: Sequence[SparseVector]) -> "Postings":
        """Invert document-major vectors; row i is the i-th vector."""
        lengths = np.fromiter((vector.indices.size for vector in vectors), np.int64, len(vectors))
        indices = np.concatenate([np.empty(0, np.uint32), *(vector.indices for vector in vectors)]).astype(np.uint32)
        weights: FloatArray = np.concatenate([np.empty(0, np.float32), *(vector.values for vector in vectors)])
        order = np.argsort(indices, kind="stable")
        terms, starts = np.unique(indices[order], return_index=True)
        rows = np.repeat(np.arange(len(vectors), dtype=np.int32), lengths)
        return cls(terms, np.append(starts, indices.size), rows[order], weights[order])

    def of_term(self, term: int) -> tuple[NDArray[np.int32], FloatArray]:
        """Return the rows that have the term, ascending, and its weights there."""
        place = int(np.searchsorted(self.terms, term))
        if place == self.terms.size or self.terms[place] != term:
            return self.rows[:0], self.weights[:0]
        span = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return self.rows[span], self.weights[span]


@dataclass(slots=True)
class Dense:
    """Unit vectors of shape (rows, d), and which rows have one."""

    matrix: FloatArray
    present: NDArray[np.bool_]


@dataclass(slots=True)
class Segment:
    """Points in ascending id; only `alive` and `dense` ever change. `points` carry no vectors: `dense` has them."""

    points: list[Point]
    ids: NDArray[np.int64]
    documents: NDArray[np.int64]
    postings: Postings
    alive: NDArray[np.bool_]
    dense: dict[str, Dense] = field(default_factory=dict)

    @classmethod
    def of(cls, points: Iterable[Point], sizes: Mapping[str, int]) -> "Segment":
        """Seal points; vectors whose name is not in `sizes` are left out."""
        ordered = sorted(points, key=lambda point: point.id)
        count = len(ordered)
        segment = cls(
            points=[Point(p.id, p.document, p.terms, {}, p.metadata, p.lead) for p in ordered],
            ids=np.fromiter((point.id for point in ordered), np.int64, count),
            documents=np.fromiter((point.document for point in ordered), np.int64, count),
            postings=Postings.of([point.terms for point in ordered]),
            alive=np.ones(count, np.bool_),
        )
        for name, size in sizes.items():
            rows = [row for row, point in enumerate(ordered) if name in point.vectors]
            segment.put(name, size, rows, [ordered[row].vectors[name] for row in rows])
        return segment

    def put(self, name: str, size: int, rows: Sequence[int], vectors: Sequence[FloatArray]) -> None:
        """Set the named vector of some rows, made unit."""
        if not rows:
            return
        count = len(self.points)
        dense = self.dense.get(name)
        if dense is None:
            dense = Dense(np.zeros((count, size), np.float32), np.zeros(count, np.bool_))
            self.dense[name] = dense
        places = np.asarray(rows, np.intp)
        dense.matrix[places] = unit(np.asarray(vectors, np.float32))
        dense.present[places] = True

    def point(self, row: int) -> Point:
        """Return the point of a row, its vectors put back."""
        bare = self.points[row]
        vectors = {name: dense.matrix[row].copy() for name, dense in self.dense.items() if dense.present[row]}
        return Point(bare.id, bare.document, bare.terms, vectors, bare.metadata, bare.lead)


def unit(vectors: FloatArray) -> FloatArray:
    """Return vectors of shape (..., d) scaled to length one; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: FloatArray = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return scaled
