"""The exact store: NumPy arrays, nothing approximate, nothing on disk. It is the oracle that other stores must equal.

Writes are buffered and sealed into a segment by the next read; small segments are merged as they pile up, so that
batches of upserts and searches in between stay cheap. Scores are float32; sums over terms are in the query's order.

Threads: every call is atomic; calls from several threads take turns.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from retrieval.filters import Filter, matches, values
from retrieval.stores import exact
from retrieval.stores.base import Candidates, EmbeddingLeg, FacetCount, Leg, Point
from retrieval.stores.checks import check_legs, check_points, check_resize, check_vectors
from retrieval.stores.facets import ranked_facets
from retrieval.stores.payload import token
from retrieval.stores.segment import Segment
from retrieval.types import FloatArray

Mask = NDArray[np.bool_]

_MAX_SEGMENTS = 6
_LEGS_AT_ONCE = 256


class MemoryStore:
    """An exact search index in memory; see Store for what each method promises."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._pending: dict[int, Point] = {}
        self._segments: list[Segment] = []
        self._places: dict[int, tuple[Segment, int]] = {}
        self._lock = RLock()

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert or replace points. 100,000 points in one call are as welcome as ten."""
        with self._lock:
            accepted = check_points(points, self._sizes)
            self.delete([point.id for point in accepted])
            self._pending.update((point.id, point) for point in accepted)

    def delete(self, ids: Sequence[int]) -> None:
        """Remove points."""
        with self._lock:
            for point_id in ids:
                self._pending.pop(point_id, None)
                place = self._places.pop(point_id, None)
                if place is not None:
                    place[0].alive[place[1]] = False

    def add_vector(self, name: str, size: int) -> None:
        """Make room for a named dense vector."""
        with self._lock:
            if check_resize(name, size, self._sizes):
                self._sizes[name] = size

    def drop_vector(self, name: str) -> None:
        """Remove a named vector from every point."""
        with self._lock:
            self._seal()
            self._sizes.pop(name, None)
            for segment in self._segments:
                segment.dense.pop(name, None)

    def put_vectors(self, name: str, vectors: Mapping[int, FloatArray]) -> None:
        """Set the named vector of points that exist."""
        with self._lock:
            check_vectors(name, vectors.values(), self._sizes)
            self._seal()
            for segment in self._segments:
                known = [i for i in vectors if i in self._places and self._places[i][0] is segment]
                rows = [self._places[i][1] for i in known]
                segment.put(name, self._sizes[name], rows, [vectors[i] for i in known])

    def vector_sizes(self) -> Mapping[str, int]:
        """The named vectors and their dimensions."""
        with self._lock:
            return dict(self._sizes)

    def search(self, legs: Sequence[Leg], limit: int, where: Filter | None = None) -> list[Candidates]:
        """Answer any number of legs; thousands at once are scored as one matrix product per vector name."""
        with self._lock:
            check_legs(legs, self._sizes)
            self._seal()
            allowed = [self._allowed(segment, where) for segment in self._segments]
            found: list[Candidates] = []
            for start in range(0, len(legs), _LEGS_AT_ONCE):
                found += self._search(legs[start : start + _LEGS_AT_ONCE], limit, allowed)
            return found

    def scores(self, leg: Leg, where: Filter | None = None) -> tuple[NDArray[np.int64], FloatArray]:
        """Return the ids of all points, ascending, and the leg's score of each.

        A keyword leg gives 0 to a point that shares no term; an embedding leg leaves out points without the vector.
        """
        with self._lock:
            check_legs([leg], self._sizes)
            self._seal()
            allowed = [self._allowed(segment, where) for segment in self._segments]
            if isinstance(leg, EmbeddingLeg):
                parts = exact.embedding_scores(self._segments, [leg])[0]
            else:
                parts = [
                    exact.Scored(s.alive, part.scores)
                    for s, part in zip(self._segments, exact.keyword_scores(self._segments, leg), strict=True)
                ]
            return exact.everything(
                self._segments, [part.within(mask) for part, mask in zip(parts, allowed, strict=True)]
            )

    def idf(self, term: int) -> float:
        """The inverse document frequency of a term over all points."""
        with self._lock:
            self._seal()
            holders = [(segment, segment.postings.of_term(term)[0]) for segment in self._segments]
            frequency = sum(int(segment.alive[rows].sum()) for segment, rows in holders)
            return exact.idf(sum(int(segment.alive.sum()) for segment in self._segments), frequency)

    def facet(self, name: str, where: Filter | None = None, limit: int = 20) -> list[FacetCount]:
        """Count documents by value."""
        with self._lock:
            counts: Counter[str] = Counter()
            for point in self._live(where):
                if point.lead:
                    counts.update({token(value) for value in values(point.metadata.get(name))})
        return ranked_facets(counts, limit)

    def count(self, where: Filter | None = None) -> int:
        """How many points match."""
        with self._lock:
            self._seal()
            return sum(int(self._allowed(segment, where).sum()) for segment in self._segments)

    def ids(self) -> Iterator[int]:
        """Every point's id, ascending, as of this call."""
        with self._lock:
            known = sorted(self._places.keys() | self._pending.keys())
        return iter(known)

    def get(self, ids: Collection[int]) -> list[Point]:
        """The points as stored, vectors made unit."""
        with self._lock:
            self._seal()
            return [
                segment.point(row) for segment, row in (self._places[i] for i in sorted(set(ids) & self._places.keys()))
            ]

    def clear(self) -> None:
        """Remove every point and every named vector."""
        with self._lock:
            self._sizes.clear()
            self._pending.clear()
            self._segments.clear()
            self._places.clear()

    def announce(self, address: str) -> None:
        """Do nothing: nobody else can want this index."""

    def warm(self) -> None:
        """Build the arrays now rather than in the first search."""
        with self._lock:
            self._seal()

    def compact(self) -> None:
        """Merge everything into one segment."""
        with self._lock:
            self._seal()
            self._merge(self._segments)

    def flush(self) -> None:
        """Do nothing: the catalog is what lasts."""

    def close(self) -> None:
        """Forget everything."""
        self.clear()

    def _seal(self) -> None:
        if not self._pending:
            return
        pending, self._pending = list(self._pending.values()), {}
        self._add(Segment.of(pending, self._sizes))
        # Merge the newest while they are no smaller than what came before: few segments, each point moved rarely.
        while len(self._segments) > 1 and (
            len(self._segments) > _MAX_SEGMENTS or len(self._segments[-2].points) <= 2 * len(self._segments[-1].points)
        ):
            self._merge(self._segments[-2:])

    def _add(self, segment: Segment) -> None:
        self._segments.append(segment)
        self._places.update((int(i), (segment, row)) for row, i in enumerate(segment.ids))

    def _merge(self, segments: Sequence[Segment]) -> None:
        points = [s.point(int(row)) for s in segments for row in np.flatnonzero(s.alive)]
        self._segments = [s for s in self._segments if all(s is not merged for merged in segments)]
        self._add(Segment.of(points, self._sizes))

    def _live(self, where: Filter | None) -> Iterator[Point]:
        self._seal()
        for segment in self._segments:
            yield from (segment.points[row] for row in np.flatnonzero(self._allowed(segment, where)))

    def _allowed(self, segment: Segment, where: Filter | None) -> Mask:
        if where is None:
            return segment.alive
        # The chunks of a document usually share one metadata object; judge it once.
        judged: dict[int, bool] = {}
        allowed = segment.alive.copy()
        for row in np.flatnonzero(allowed):
            metadata = segment.points[row].metadata
            if id(metadata) not in judged:
                judged[id(metadata)] = matches(where, metadata)
            allowed[row] = judged[id(metadata)]
        return allowed

    def _search(self, legs: Sequence[Leg], limit: int, allowed: Sequence[Mask]) -> list[Candidates]:
        found: list[Candidates] = [Candidates.of([]) for _ in legs]
        alike: dict[str, dict[int, EmbeddingLeg]] = {}
        for place, leg in enumerate(legs):
            if isinstance(leg, EmbeddingLeg):
                alike.setdefault(leg.name, {})[place] = leg
            else:
                scored = exact.keyword_scores(self._segments, leg)
                found[place] = exact.best(
                    self._segments, [part.within(mask) for part, mask in zip(scored, allowed, strict=True)], limit
                )
        for group in alike.values():
            together = exact.embedding_scores(self._segments, list(group.values()))
            for place, scored in zip(group, together, strict=True):
                found[place] = exact.best(
                    self._segments, [part.within(mask) for part, mask in zip(scored, allowed, strict=True)], limit
                )
        return found
