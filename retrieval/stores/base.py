"""What a search index must do: hold points with both legs, and answer either leg.

A point is a chunk: a sparse BM25 vector and one dense vector per embedding model, written together. The store
applies IDF itself, over the points it holds: idf = ln(1 + (N - df + 0.5) / (df + 0.5)).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, Self, overload

import numpy as np
from numpy.typing import NDArray

from retrieval.filters import Filter
from retrieval.types import FloatArray, JsonValue, Metadata, SparseVector


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk as the index holds it.

    `id` is the chunk's row in the catalog and `document` its document's row. `lead` is true for exactly one chunk a
    document, so that facets count documents. `vectors` maps a vector name to a unit vector of shape (d,).
    """

    id: int
    document: int
    terms: SparseVector
    vectors: Mapping[str, FloatArray]
    metadata: Metadata = field(default_factory=dict)
    lead: bool = False


class Candidate(NamedTuple):
    """A point that a leg found."""

    id: int
    document: int
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Candidates(Sequence[Candidate]):
    """What a leg found, best first, ties by ascending id: as columns of shape (n,), which is what fusion works on."""

    ids: NDArray[np.int64]
    documents: NDArray[np.int64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, found: Iterable[tuple[int, int, float]]) -> Self:
        """Return candidates in the order given."""
        rows = list(found)
        ids, documents, scores = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(np.array(ids, np.int64), np.array(documents, np.int64), np.array(scores, np.float64))

    @classmethod
    def ranked(cls, ids: Sequence[int], documents: Sequence[int], scores: Sequence[float]) -> Self:
        """Return candidates in their due order."""
        columns = np.array(ids, np.int64), np.array(documents, np.int64), np.array(scores, np.float64)
        order = np.lexsort((columns[0], -columns[2]))
        return cls(columns[0][order], columns[1][order], columns[2][order])

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Candidate]:
        return map(Candidate, self.ids.tolist(), self.documents.tolist(), self.scores.tolist())

    @overload
    def __getitem__(self, place: int) -> Candidate: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> Candidate | Self:
        if isinstance(place, slice):
            return replace(self, ids=self.ids[place], documents=self.documents[place], scores=self.scores[place])
        return Candidate(int(self.ids[place]), int(self.documents[place]), float(self.scores[place]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # equal to a list with the same candidates


@dataclass(frozen=True, slots=True)
class KeywordLeg:
    """Score by the dot product of query term weights, stored weights and IDF; only points that share a term."""

    terms: SparseVector


@dataclass(frozen=True, slots=True)
class EmbeddingLeg:
    """Score by cosine with the dense vector called `name`; points without it are not candidates."""

    name: str
    vector: FloatArray


Leg = KeywordLeg | EmbeddingLeg


@dataclass(frozen=True, slots=True)
class FacetCount:
    """How many documents have this value of a metadata field."""

    value: JsonValue
    count: int


class Store(Protocol):
    """A search index of one collection. Errors of the engine are raised as StoreError."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert points or replace them whole, both legs at once; every vector name must have been added."""
        ...

    def delete(self, ids: Sequence[int]) -> None:
        """Remove points; unknown ids are ignored."""
        ...

    def add_vector(self, name: str, size: int) -> None:
        """Make room for a named dense vector of `size` dimensions on the live index; a no-op if it is there.

        Raises StoreError if the name exists with another size.
        """
        ...

    def drop_vector(self, name: str) -> None:
        """Remove a named vector from every point; unknown names are ignored."""
        ...

    def put_vectors(self, name: str, vectors: Mapping[int, FloatArray]) -> None:
        """Set the named vector of points that exist, leaving the rest of each point alone."""
        ...

    def vector_sizes(self) -> Mapping[str, int]:
        """The named vectors and their dimensions."""
        ...

    def search(self, legs: Sequence[Leg], limit: int, where: Filter | None = None) -> list[Candidates]:
        """Answer all legs in one pass; one list of at most `limit` candidates a leg, in the order of `legs`."""
        ...

    def facet(self, name: str, where: Filter | None = None, limit: int = 20) -> list[FacetCount]:
        """Count documents by value of a metadata field, most frequent first, ties by value."""
        ...

    def count(self, where: Filter | None = None) -> int:
        """How many points (not documents) match."""
        ...

    def ids(self) -> Iterator[int]:
        """Every point's id, ascending."""
        ...

    def get(self, ids: Collection[int]) -> list[Point]:
        """The points as stored, ascending by id; unknown ids are left out."""
        ...

    def clear(self) -> None:
        """Remove every point and every named vector."""
        ...

    def announce(self, address: str) -> None:
        """Tell processes that find this index held the URL at which its owner answers HTTP."""
        ...

    def warm(self) -> None:
        """Load what makes searches fast; a service calls it once at start, a single command need not."""
        ...

    def compact(self) -> None:
        """Build the approximate index and reclaim space. May block the whole process: never call it while serving."""
        ...

    def flush(self) -> None:
        """Return once every change so far survives a power cut."""
        ...

    def close(self) -> None:
        """Flush and release the index and its lock."""
        ...
