"""The default store: Qdrant Edge in this process, one shard on disk a collection, owned by one process at a time.

Layout of a collection's folder: owner.lock and owner.json (see lock), and generations of the index, one of them current
(see generations). A generation is shard/ (the engine's), unflushed (see opened), and soft-deletes, present while the
engine still counts deleted points in IDF; then keyword legs ask for statistics of living points only, which is exact
and costs about 2 ms at 100,000 points; compact() ends that.

The engine keeps no log of its own: what was not flushed is applied from the catalog again.

Threads: calls from several threads take turns, as the engine holds the GIL in any case, and every call is atomic but
for writes of many points, which are atomic by the batch. One thread writes at a time.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Self

import qdrant_edge as edge

from retrieval.errors import StoreError
from retrieval.filters import Exists, Filter
from retrieval.stores import engine
from retrieval.stores.base import Candidates, FacetCount, Leg, Point
from retrieval.stores.checks import check_legs, check_points, check_resize, check_vectors
from retrieval.stores.conditions import filtered_fields, translate
from retrieval.stores.facets import ranked_facets
from retrieval.stores.generations import current_generation, make_current, remove_generation, remove_others
from retrieval.stores.lock import OwnerLock
from retrieval.stores.opened import PAGE, Opened
from retrieval.stores.payload import DOCUMENT, IS_LEAD, LEAD, PRESENT, equality_field
from retrieval.types import FloatArray

_BATCH = 256
_MAX_FACET_VALUES = 100_000
MAX_INDEXED_FIELDS = 64
"""Fields beyond these are filtered by reading every payload: slower by far, never wrong."""


class EdgeStore:
    """An index on disk in this process; see Store for what each method promises.

    The first filter or facet on a field indexes it, once: about a second for 100,000 points.
    """

    def __init__(
        self, folder: Path, *, command: str = "", indexing_threshold_kb: int = engine.INDEXING_THRESHOLD_KB
    ) -> None:
        """Open or create the index in a folder and own it until close(); `command` names the owner to others.

        Raises IndexBusy when another process owns it, StoreError when it cannot be read.
        """
        self._folder = folder
        self._indexing_threshold_kb = indexing_threshold_kb
        self._turn = RLock()
        self._owner = OwnerLock(folder, command=command)
        self._owner.acquire()
        self._opened: Opened | None = None
        try:
            generation = current_generation(folder)
            remove_others(folder)
            self._opened = self._open(generation)
        except BaseException:
            self._owner.release()
            raise

    def announce(self, address: str) -> None:
        """Tell other processes the URL at which this one answers HTTP."""
        self._owner.announce(address)

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert or replace points; when one is refused the index stays as it was."""
        with self._using("writing points") as index:
            accepted = check_points(points, index.sizes)
        for start in range(0, len(accepted), _BATCH):
            batch = accepted[start : start + _BATCH]
            operation = engine.upsert_points(batch)  # takes longer than the rest: searches need not wait for it
            with self._using("writing points") as index:
                index.note_soft_deletes([point.id for point in batch])
                index.update(operation)
                index.documents.update((point.id, point.document) for point in batch)

    def delete(self, ids: Sequence[int]) -> None:
        """Remove points."""
        with self._using("deleting points") as index:
            known = index.known(ids)
            index.note_soft_deletes(known)
            if known:
                index.update(edge.UpdateOperation.delete_points(list(known)))
            for point_id in known:
                index.documents.pop(point_id, None)

    def add_vector(self, name: str, size: int) -> None:
        """Make room for a named dense vector, stored as float16."""
        with self._using("adding a vector") as index:
            if check_resize(name, size, index.sizes):
                index.update(engine.dense_vector(name, size), of_points=False)
                index.sizes[name] = size

    def drop_vector(self, name: str) -> None:
        """Remove a named vector from every point."""
        with self._using("dropping a vector") as index:
            if index.sizes.pop(name, None) is not None:
                index.update(edge.UpdateOperation.delete_vector_name(name), of_points=False)

    def put_vectors(self, name: str, vectors: Mapping[int, FloatArray]) -> None:
        """Set the named vector of points that exist."""
        with self._using("writing vectors") as index:
            check_vectors(name, vectors.values(), index.sizes)
            known = index.known(vectors)
            # Once compacted, a segment takes no writes: its point is copied out and counts as deleted there.
            index.note_soft_deletes(known)
            for start in range(0, len(known), _BATCH):
                batch = [(i, vectors[i]) for i in known[start : start + _BATCH]]
                index.update(engine.vectors_update(name, batch))

    def vector_sizes(self) -> Mapping[str, int]:
        """The named vectors and their dimensions."""
        with self._using("reading its configuration") as index:
            return dict(index.sizes)

    def search(self, legs: Sequence[Leg], limit: int, where: Filter | None = None) -> list[Candidates]:
        """Answer the legs in one batch; among equal scores at the cut the engine chooses."""
        with self._using("searching") as index:
            check_legs(legs, index.sizes)
            condition = self._condition(where)
            exact = index.has_soft_deletes
            requests = [engine.query_request(leg, limit, where=condition, exact_idf=exact) for leg in legs]
            if not requests or limit <= 0:
                return [Candidates.of([]) for _ in legs]
            answers = index.shard.query_batch(edge.QueryBatchRequest(requests))
            return [_candidates(index, hits) for hits in answers]

    def facet(self, name: str, where: Filter | None = None, limit: int = 20) -> list[FacetCount]:
        """Count documents by value."""
        with self._using("counting values") as index:
            field = equality_field(name)
            index.index_field(LEAD)
            if not self._index_key_field(name, field, required=True):
                return []
            leads = engine.EdgeConditions().any_of(LEAD, [IS_LEAD])
            condition = self._condition(where)
            both = engine.EdgeConditions().every([leads] if condition is None else [leads, condition])
            request = edge.FacetRequest(field, limit=_MAX_FACET_VALUES, exact=True, filter=both)
            return ranked_facets({str(hit.value): hit.count for hit in index.shard.facet(request).hits}, limit)

    def count(self, where: Filter | None = None) -> int:
        """How many points match."""
        with self._using("counting points") as index:
            return index.shard.count(edge.CountRequest(exact=True, filter=self._condition(where)))

    def ids(self) -> Iterator[int]:
        """Every point's id, ascending; read page by page, so points written meanwhile may or may not appear."""
        for records in self._pages(with_payload=False):
            yield from (int(record.id) for record in records)

    def get(self, ids: Collection[int]) -> list[Point]:
        """The points as stored, vectors made unit and rounded to float16."""
        ordered = sorted(set(ids))
        found: list[Point] = []
        for start in range(0, len(ordered), _BATCH):
            with self._using("reading points") as index:
                records = index.shard.retrieve(list(ordered[start : start + _BATCH]), True, True)
                found += [engine.read_point(record) for record in records]
        return sorted(found, key=lambda point: point.id)

    def clear(self) -> None:
        """Remove every point and every named vector."""
        with self._using("clearing") as index:
            index.put_away()
            self._opened = self._open(index.folder)

    def warm(self) -> None:
        """Read which document each point belongs to: 0.3 s at 100,000 points, and each search saves 2 to 4 ms."""
        for records in self._pages(with_payload=True):
            with self._using("reading points") as index:
                index.documents.update((int(record.id), (record.payload or {})[DOCUMENT]) for record in records)

    def compact(self) -> None:
        """Build HNSW graphs, drop deleted points. Holds the GIL throughout: 20 to 50 s at 100,000 points, two cores."""
        with self._using("compacting") as index:
            index.shard.optimize()
            index.flush()
            index.forget_soft_deletes()

    def flush(self) -> None:
        """Return once every change so far is on disk."""
        with self._using("flushing") as index:
            index.flush()

    def close(self) -> None:
        """Flush, close and release the lock; harmless when closed."""
        with self._turn:
            index, self._opened = self._opened, None
            try:
                if index is not None:
                    with engine.engine_errors(self._folder, "closing"):
                        index.close()
            finally:
                self._owner.release()

    @property
    def indexed_fields(self) -> list[str]:
        """The payload fields that filters and facets have asked for."""
        with self._using("reading its configuration") as index:
            return sorted(index.indexed)

    def index_fields(self, fields: Iterable[str]) -> None:
        """Index payload fields now, which the first filter on each would do."""
        for field in fields:
            with self._using("indexing a field") as index:
                index.index_field(field)

    def adopt(self, other: Self) -> None:
        """Go over to what `other` has open in a generation of this folder, and has flushed; delete what was open here.

        Searches go on, first in the one, then in the other; a kill leaves the one or the other.
        """
        with other._turn, self._using("going over to another generation") as before:
            after = other._opened
            if after is None:
                raise StoreError(f"The index in {other._folder} is closed; open it again.")
        make_current(self._folder, after.folder)
        with self._turn:
            after.documents = before.documents | after.documents
            self._opened, other._opened = after, None
        other._owner.release()
        with engine.engine_errors(self._folder, "closing"):
            before.discard()  # deleted before that, its files would stop the process until all are freed
        remove_generation(self._folder, before.folder)

    def _open(self, generation: Path) -> Opened:
        return Opened.open(generation, indexing_threshold_kb=self._indexing_threshold_kb)

    @contextmanager
    def _using(self, doing: str) -> Iterator[Opened]:
        with self._turn, engine.engine_errors(self._folder, doing):
            if self._opened is None:
                raise StoreError(f"The index in {self._folder} is closed; open it again.")
            yield self._opened

    def _pages(self, *, with_payload: bool) -> Iterator[Sequence[edge.Record]]:
        selected = edge.PayloadSelector.Include([DOCUMENT]) if with_payload else False
        offset: edge.PointId | None = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=PAGE, with_payload=selected, with_vector=False)
            with self._using("reading points") as index:
                records, offset = index.shard.scroll(request)
            yield records
            if offset is None:
                return

    def _condition(self, where: Filter | None) -> edge.Filter | None:
        if where is None:
            return None
        for key, field in sorted(filtered_fields(where)):
            self._index_key_field(key, field)
        return translate(where, engine.EdgeConditions())

    def _index_key_field(self, key: str, field: str, *, required: bool = False) -> bool:
        """Index a payload field of a key that some point has, and say whether it is; names made up cost nothing."""
        with self._using("indexing a field") as index:
            if field in index.indexed:
                return True
            index.index_field(PRESENT)
            present = translate(Exists(key), engine.EdgeConditions())
            if not index.shard.count(edge.CountRequest(exact=True, filter=present)):
                return False
            if len(index.indexed) < MAX_INDEXED_FIELDS or required:
                index.index_field(field)
            return field in index.indexed


def _candidates(index: Opened, hits: Sequence[edge.ScoredPoint]) -> Candidates:
    ids = [int(hit.id) for hit in hits]
    return Candidates.ranked(ids, index.documents_of(ids), [hit.score for hit in hits])
