"""The default store: Qdrant Edge in this process, one shard on disk a collection, owned by one process at a time.

Layout of a collection's folder: shard/ (the engine's), owner.lock and owner.json (see lock), and soft-deletes, present
while the engine still counts deleted points in IDF; then keyword legs ask for statistics of living points only, which
is exact and costs about 2 ms at 100,000 points; compact() ends that.

The engine keeps no log of its own: what was not flushed is applied from the catalog again.

Threads: calls from several threads take turns, as the engine holds the GIL in any case, and every call is atomic but
for writes of many points, which are atomic by the batch. One thread writes at a time.
"""

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import qdrant_edge as edge

from retrieval.errors import StoreError
from retrieval.filters import Exists, Filter
from retrieval.stores import engine
from retrieval.stores.base import Candidates, FacetCount, Leg, Point
from retrieval.stores.checks import check_legs, check_points, check_resize, check_vectors
from retrieval.stores.conditions import filtered_fields, translate
from retrieval.stores.facets import ranked_facets
from retrieval.stores.lock import OwnerLock
from retrieval.stores.payload import DOCUMENT, IS_LEAD, LEAD, PRESENT, equality_field
from retrieval.types import FloatArray

_BATCH = 256
_PAGE = 10_000
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
        self._open_shard: edge.EdgeShard | None = None
        try:
            self._open()
        except BaseException:
            self._owner.release()
            raise

    def announce(self, address: str) -> None:
        """Tell other processes the URL at which this one answers HTTP."""
        self._owner.announce(address)

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert or replace points; when one is refused the index stays as it was."""
        with self._using("writing points"):
            accepted = check_points(points, self._sizes)
        for start in range(0, len(accepted), _BATCH):
            batch = accepted[start : start + _BATCH]
            operation = engine.upsert_points(batch)  # takes longer than the rest: searches need not wait for it
            with self._using("writing points") as shard:
                self._note_soft_deletes([point.id for point in batch])
                shard.update(operation)
                self._documents.update((point.id, point.document) for point in batch)

    def delete(self, ids: Sequence[int]) -> None:
        """Remove points."""
        with self._using("deleting points") as shard:
            known = self._known(ids)
            self._note_soft_deletes(known)
            if known:
                shard.update(edge.UpdateOperation.delete_points(list(known)))
            for point_id in known:
                self._documents.pop(point_id, None)

    def add_vector(self, name: str, size: int) -> None:
        """Make room for a named dense vector, stored as float16."""
        with self._using("adding a vector") as shard:
            if check_resize(name, size, self._sizes):
                shard.update(engine.dense_vector(name, size))
                self._sizes[name] = size

    def drop_vector(self, name: str) -> None:
        """Remove a named vector from every point."""
        with self._using("dropping a vector") as shard:
            if self._sizes.pop(name, None) is not None:
                shard.update(edge.UpdateOperation.delete_vector_name(name))

    def put_vectors(self, name: str, vectors: Mapping[int, FloatArray]) -> None:
        """Set the named vector of points that exist."""
        with self._using("writing vectors") as shard:
            check_vectors(name, vectors.values(), self._sizes)
            known = self._known(vectors)
            # Once compacted, a segment takes no writes: its point is copied out and counts as deleted there.
            self._note_soft_deletes(known)
            for start in range(0, len(known), _BATCH):
                shard.update(engine.vectors_update(name, [(i, vectors[i]) for i in known[start : start + _BATCH]]))

    def vector_sizes(self) -> Mapping[str, int]:
        """The named vectors and their dimensions."""
        with self._using("reading its configuration"):
            return dict(self._sizes)

    def search(self, legs: Sequence[Leg], limit: int, where: Filter | None = None) -> list[Candidates]:
        """Answer the legs in one batch; among equal scores at the cut the engine chooses."""
        with self._using("searching") as shard:
            check_legs(legs, self._sizes)
            condition = self._condition(where)
            exact = self._has_soft_deletes
            requests = [engine.query_request(leg, limit, where=condition, exact_idf=exact) for leg in legs]
            if not requests or limit <= 0:
                return [Candidates.of([]) for _ in legs]
            answers = shard.query_batch(edge.QueryBatchRequest(requests))
            return [self._candidates(hits) for hits in answers]

    def facet(self, name: str, where: Filter | None = None, limit: int = 20) -> list[FacetCount]:
        """Count documents by value."""
        with self._using("counting values") as shard:
            field = equality_field(name)
            self._index_field(LEAD)
            if not self._index_key_field(name, field, required=True):
                return []
            leads = engine.EdgeConditions().any_of(LEAD, [IS_LEAD])
            condition = self._condition(where)
            both = engine.EdgeConditions().every([leads] if condition is None else [leads, condition])
            request = edge.FacetRequest(field, limit=_MAX_FACET_VALUES, exact=True, filter=both)
            return ranked_facets({str(hit.value): hit.count for hit in shard.facet(request).hits}, limit)

    def count(self, where: Filter | None = None) -> int:
        """How many points match."""
        with self._using("counting points") as shard:
            return shard.count(edge.CountRequest(exact=True, filter=self._condition(where)))

    def ids(self) -> Iterator[int]:
        """Every point's id, ascending; read page by page, so points written meanwhile may or may not appear."""
        yield from (int(record.id) for record in self._scroll(with_payload=False))

    def get(self, ids: Collection[int]) -> list[Point]:
        """The points as stored, vectors made unit and rounded to float16."""
        ordered = sorted(set(ids))
        found: list[Point] = []
        for start in range(0, len(ordered), _BATCH):
            with self._using("reading points") as shard:
                records = shard.retrieve(list(ordered[start : start + _BATCH]), True, True)
                found += [engine.read_point(record) for record in records]
        return sorted(found, key=lambda point: point.id)

    def clear(self) -> None:
        """Remove every point and every named vector."""
        with self._using("clearing") as shard:
            shard.close()
            self._path.rename(self._trash)
            self._forget_soft_deletes()
            self._open()

    def warm(self) -> None:
        """Read which document each point belongs to: 0.3 s at 100,000 points, and each search saves 2 to 4 ms."""
        for record in self._scroll(with_payload=True):
            self._documents[int(record.id)] = (record.payload or {})[DOCUMENT]

    def compact(self) -> None:
        """Build HNSW graphs, drop deleted points. Holds the GIL throughout: 20 to 50 s at 100,000 points, two cores."""
        with self._using("compacting") as shard:
            shard.optimize()
            shard.flush()
            self._forget_soft_deletes()

    def flush(self) -> None:
        """Return once every change so far is on disk."""
        with self._using("flushing") as shard:
            shard.flush()

    def close(self) -> None:
        """Flush, close and release the lock; harmless when closed."""
        with self._turn:
            shard, self._open_shard = self._open_shard, None
            try:
                if shard is not None:
                    with engine.engine_errors(self._folder, "closing"):
                        shard.flush()
                        shard.close()
            finally:
                self._owner.release()

    @property
    def _path(self) -> Path:
        return self._folder / "shard"

    @property
    def _trash(self) -> Path:
        return self._folder / "cleared"

    @property
    def _soft_deletes(self) -> Path:
        return self._folder / "soft-deletes"

    @contextmanager
    def _using(self, doing: str) -> Iterator[edge.EdgeShard]:
        with self._turn, engine.engine_errors(self._folder, doing):
            if self._open_shard is None:
                raise StoreError(f"The index in {self._folder} is closed; open it again.")
            yield self._open_shard

    def _open(self) -> None:
        shutil.rmtree(self._trash, ignore_errors=True)
        with engine.engine_errors(self._folder, "opening"):
            shard = engine.open_shard(self._path, indexing_threshold_kb=self._indexing_threshold_kb)
            self._sizes = engine.dense_sizes(self._path)
            self._indexed = set(shard.info().payload_schema)
        self._documents: dict[int, int] = {}
        self._has_soft_deletes = self._soft_deletes.exists()
        self._open_shard = shard

    def _known(self, ids: Iterable[int]) -> list[int]:
        with self._using("looking up points") as shard:
            asked = sorted({i for i in ids if i >= 0})
            return [
                int(r.id)
                for s in range(0, len(asked), _PAGE)
                for r in shard.retrieve(list(asked[s : s + _PAGE]), False, False)
            ]

    def _note_soft_deletes(self, ids: Sequence[int]) -> None:
        if self._has_soft_deletes or not self._known(ids):
            return
        descriptor = os.open(self._soft_deletes, os.O_WRONLY | os.O_CREAT, 0o600)
        os.fsync(descriptor)
        os.close(descriptor)
        self._has_soft_deletes = True

    def _forget_soft_deletes(self) -> None:
        self._soft_deletes.unlink(missing_ok=True)
        self._has_soft_deletes = False

    def _candidates(self, hits: Sequence[edge.ScoredPoint]) -> Candidates:
        ids = [int(hit.id) for hit in hits]
        try:
            documents = list(map(self._documents.__getitem__, ids))
        except KeyError:
            self._learn_documents([point_id for point_id in ids if point_id not in self._documents])
            documents = list(map(self._documents.__getitem__, ids))
        return Candidates.ranked(ids, documents, [hit.score for hit in hits])

    def _learn_documents(self, ids: Sequence[int]) -> None:
        with self._using("reading points") as shard:
            records = shard.retrieve(list(ids), edge.PayloadSelector.Include([DOCUMENT]), False)
        self._documents.update((int(record.id), (record.payload or {})[DOCUMENT]) for record in records)

    def _scroll(self, *, with_payload: bool) -> Iterator[edge.Record]:
        selected = edge.PayloadSelector.Include([DOCUMENT]) if with_payload else False
        offset: edge.PointId | None = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=_PAGE, with_payload=selected, with_vector=False)
            with self._using("reading points") as shard:
                records, offset = shard.scroll(request)
            yield from records
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
        if field in self._indexed:
            return True
        self._index_field(PRESENT)
        present = translate(Exists(key), engine.EdgeConditions())
        with self._using("counting points") as shard:
            if not shard.count(edge.CountRequest(exact=True, filter=present)):
                return False
        if len(self._indexed) < MAX_INDEXED_FIELDS or required:
            self._index_field(field)
        return field in self._indexed

    def _index_field(self, field: str) -> None:
        if field not in self._indexed:
            with self._using("indexing a field") as shard:
                shard.update(engine.field_index(field))
            self._indexed.add(field)
