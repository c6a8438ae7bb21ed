"""Qdrant Edge as plain calls: opening a shard, requests and conditions, and its exceptions as StoreError."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge

from retrieval.errors import StoreError
from retrieval.filters import Interval
from retrieval.stores.base import KeywordLeg, Leg, Point
from retrieval.stores.checks import KEYWORD
from retrieval.stores.payload import DOCUMENT, LEAD, point_payloads, read_metadata, read_terms, stored_terms
from retrieval.types import FloatArray

_SPARSE = {KEYWORD: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)}

INDEXING_THRESHOLD_KB = 10_000
"""Segments smaller than this stay exact when compacted."""


@contextmanager
def engine_errors(folder: Path, doing: str) -> Iterator[None]:
    """Raise what the engine throws, panics included, as StoreError."""
    try:
        yield
    except (StoreError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # a panic of the engine is no Exception
        raise StoreError(
            f"The index in {folder} failed while {doing}: {str(error)[:300]}. "
            "If this persists, rebuild it from the catalog with `tandem reindex`."
        ) from error


def open_shard(path: Path, *, indexing_threshold_kb: int = INDEXING_THRESHOLD_KB) -> edge.EdgeShard:
    """Open the shard in a folder, creating it when the folder is absent; the engine's exceptions pass."""
    if path.exists():
        return edge.EdgeShard.load(str(path))
    path.mkdir(parents=True)
    # Any deleted point makes compaction rewrite its segment: the engine counts deleted points in IDF until then.
    optimizers = edge.EdgeOptimizersConfig(
        deleted_threshold=1e-9, vacuum_min_vector_number=1, indexing_threshold=indexing_threshold_kb
    )
    # The catalog is the log: what was not flushed is applied from there again. The engine's own would be read whole at
    # every start, which takes longer than all else about opening a shard.
    # One thread a search: handing a query of a millisecond to others takes a third of it.
    config = edge.EdgeConfig(sparse_vectors=_SPARSE, optimizers=optimizers, wal_enabled=False, max_search_threads=1)
    return edge.EdgeShard.create(str(path), config)


def dense_sizes(path: Path) -> dict[str, int]:
    """Read the named dense vectors and their dimensions from the shard's own configuration.

    Raises StoreError when it cannot be read.
    """
    try:
        config = json.loads((path / "edge_config.json").read_text(encoding="utf-8"))
        return {str(name): int(vector["size"]) for name, vector in config.get("vectors", {}).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"The index in {path} has no readable configuration ({error}). Rebuild it with `tandem reindex`."
        ) from error


def upsert_points(points: Sequence[Point]) -> edge.UpdateOperation:
    """Return the operation that writes points whole."""
    payloads = point_payloads(points)
    return edge.UpdateOperation.upsert_points([_point(p, payload) for p, payload in zip(points, payloads, strict=True)])


def _point(point: Point, payload: dict[str, Any]) -> edge.Point:
    terms = stored_terms(point.terms)
    sparse = edge.SparseVector(terms.indices.tolist(), terms.values.tolist())
    vectors = {name: vector.tolist() for name, vector in point.vectors.items()}
    return edge.Point(point.id, {KEYWORD: sparse, **vectors}, payload)


def read_point(record: edge.Record) -> Point:
    """Return a point as it was given; vectors are unit float16 numbers as float32."""
    payload = record.payload or {}
    vectors = dict(record.vector) if isinstance(record.vector, dict) else {}
    sparse = vectors.pop(KEYWORD)
    if not isinstance(sparse, edge.SparseVector):
        raise StoreError(f"Point {record.id} has no keyword vector; run `tandem reindex`.")
    return Point(
        id=int(record.id),
        document=payload[DOCUMENT],
        terms=read_terms(sparse.indices, sparse.values),
        vectors={name: np.asarray(vector, np.float32) for name, vector in vectors.items()},
        metadata=read_metadata(payload),
        lead=LEAD in payload,
    )


def query_request(leg: Leg, limit: int, *, where: edge.Filter | None, exact_idf: bool) -> edge.QueryRequest:
    """Return the request of one leg; `exact_idf` counts living points only, at a cost."""
    if isinstance(leg, KeywordLeg):
        sparse = edge.SparseVector(leg.terms.indices.tolist(), leg.terms.values.tolist())
        query = edge.Query.Nearest(sparse, using=KEYWORD)
        corpus = edge.IdfParams(corpus=edge.Filter()) if exact_idf else None
        params = edge.SearchParams(idf=corpus)
    else:
        query = edge.Query.Nearest(leg.vector.tolist(), using=leg.name)
        # A filtered walk of the graph can miss what passes the filter; a scan of what passes cannot.
        params = edge.SearchParams(hnsw_ef=max(128, limit), exact=where is not None)
    return edge.QueryRequest(limit=limit, query=query, filter=where, params=params, with_payload=False)


NOTHING = edge.UpdateOperation.delete_points([])
"""An operation that changes nothing, and is counted."""


def dense_vector(name: str, size: int) -> edge.UpdateOperation:
    """Return the operation that makes room for a vector. Float16: embeddings are kept so, and it is twice as fast."""
    return edge.UpdateOperation.create_dense_vector(
        name, size, edge.Distance.Cosine, datatype=edge.VectorStorageDatatype.Float16
    )


def field_index(field: str) -> edge.UpdateOperation:
    """Return the operation that indexes a payload field: numbers and dates by order, all else by value."""
    # Without sub-graphs of its own: they make compaction several times slower, and filtered searches scan.
    params: edge.FloatIndexParams | edge.KeywordIndexParams = (
        edge.FloatIndexParams(enable_hnsw=False)
        if field.startswith(("n_", "t_"))
        else edge.KeywordIndexParams(enable_hnsw=False)
    )
    return edge.UpdateOperation.create_field_index(field, params)


def vectors_update(name: str, vectors: Sequence[tuple[int, FloatArray]]) -> edge.UpdateOperation:
    """Return the operation that sets a named vector of points."""
    return edge.UpdateOperation.update_vectors([edge.PointVectors(i, {name: v.tolist()}) for i, v in vectors])


class EdgeConditions:
    """Builds the engine's filters; see Conditions."""

    def any_of(self, field: str, texts: list[str]) -> edge.Filter:
        return edge.Filter(must=[edge.FieldCondition(field, match=edge.MatchAny(texts))])

    def within(self, field: str, interval: Interval) -> edge.Filter:
        bounds = edge.RangeFloat(gt=interval.gt, gte=interval.gte, lt=interval.lt, lte=interval.lte)
        return edge.Filter(must=[edge.FieldCondition(field, range=bounds)])

    def every(self, clauses: list[edge.Filter]) -> edge.Filter:
        return edge.Filter(must=list(clauses))

    def some(self, clauses: list[edge.Filter]) -> edge.Filter:
        return edge.Filter(should=list(clauses))

    def negation(self, clause: edge.Filter) -> edge.Filter:
        return edge.Filter(must_not=[clause])
