"""qdrant-client's models as plain values: points, requests, answers and conditions. Imported only with a server."""

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

import numpy as np
from qdrant_client import models
from qdrant_client.conversions.common_types import PointId

from retrieval.errors import StoreError
from retrieval.filters import Interval
from retrieval.stores.base import Candidates, KeywordLeg, Leg, Point
from retrieval.stores.checks import KEYWORD
from retrieval.stores.payload import DOCUMENT, LEAD, point_payloads, read_metadata, read_terms, stored_terms
from retrieval.types import FloatArray

Offset: TypeAlias = PointId | None


def sparse_params() -> models.SparseVectorParams:
    """Return the keyword vector's parameters: the server applies IDF."""
    return models.SparseVectorParams(modifier=models.Modifier.IDF)


def dense_config(size: int) -> models.DenseVectorNameConfig:
    """Return the parameters of a named dense vector."""
    return models.DenseVectorNameConfig(
        dense=models.DenseVectorConfig(
            size=size, distance=models.Distance.COSINE, datatype=models.VectorStorageDatatype.FLOAT16
        )
    )


def dense_sizes(info: models.CollectionInfo) -> dict[str, int]:
    """Return the named dense vectors of a collection and their dimensions."""
    vectors = info.config.params.vectors
    return {name: params.size for name, params in vectors.items()} if isinstance(vectors, dict) else {}


def point_structs(points: Sequence[Point]) -> list[models.PointStruct]:
    """Return points as the client takes them."""
    payloads = zip(points, point_payloads(points), strict=True)
    return [models.PointStruct(id=p.id, vector=_vectors(p), payload=payload) for p, payload in payloads]


def _vectors(point: Point) -> dict[str, models.Vector]:
    terms = stored_terms(point.terms)
    sparse = models.SparseVector(indices=terms.indices.tolist(), values=terms.values.tolist())
    return {KEYWORD: sparse, **{name: vector.tolist() for name, vector in point.vectors.items()}}


def read_point(record: models.Record) -> Point:
    """Return a point as it was given."""
    payload = record.payload or {}
    vectors = dict(record.vector) if isinstance(record.vector, dict) else {}
    sparse = vectors.pop(KEYWORD, None)
    if not isinstance(sparse, models.SparseVector) or isinstance(record.id, UUID):
        raise StoreError(f"Point {record.id} was not written by Tandem; run `tandem reindex`.")
    return Point(
        id=int(record.id),
        document=payload[DOCUMENT],
        terms=read_terms(sparse.indices, sparse.values),
        vectors={name: np.asarray(vector, np.float32) for name, vector in vectors.items()},
        metadata=read_metadata(payload),
        lead=LEAD in payload,
    )


def vector_update(point_id: int, name: str, vector: FloatArray) -> models.PointVectors:
    """Return the update that sets a point's named vector."""
    return models.PointVectors(id=point_id, vector={name: vector.tolist()})


def query_request(leg: Leg, limit: int, *, where: models.Filter | None) -> models.QueryRequest:
    """Return the request of one leg, with the document's row in the answer."""
    query: models.SparseVector | list[float]
    if isinstance(leg, KeywordLeg):
        query = models.SparseVector(indices=leg.terms.indices.tolist(), values=leg.terms.values.tolist())
        name, params = KEYWORD, models.SearchParams(idf=models.IdfCorpusParams(corpus=models.Filter()))
    else:
        query = leg.vector.tolist()
        name, params = leg.name, models.SearchParams(hnsw_ef=max(128, limit), exact=where is not None)
    return models.QueryRequest(
        query=query, using=name, limit=limit, filter=where, params=params, with_payload=[DOCUMENT]
    )


def candidates(answer: models.QueryResponse) -> Candidates:
    """Return the candidates of an answer, ties by id."""
    documents = [(hit.payload or {})[DOCUMENT] for hit in answer.points]
    return Candidates.ranked([int(hit.id) for hit in answer.points], documents, [hit.score for hit in answer.points])


def index_schema(field: str) -> models.PayloadSchemaType:
    """Return the kind of index of a payload field."""
    ordered = field.startswith(("n_", "t_"))
    return models.PayloadSchemaType.FLOAT if ordered else models.PayloadSchemaType.KEYWORD


class QdrantConditions:
    """Builds the client's filters; see Conditions."""

    def any_of(self, field: str, texts: list[str]) -> models.Filter:
        return models.Filter(must=[models.FieldCondition(key=field, match=models.MatchAny(any=texts))])

    def within(self, field: str, interval: Interval) -> models.Filter:
        bounds = models.Range(gt=interval.gt, gte=interval.gte, lt=interval.lt, lte=interval.lte)
        return models.Filter(must=[models.FieldCondition(key=field, range=bounds)])

    def every(self, clauses: list[models.Filter]) -> models.Filter:
        return models.Filter(must=list(clauses))

    def some(self, clauses: list[models.Filter]) -> models.Filter:
        return models.Filter(should=list(clauses))

    def negation(self, clause: models.Filter) -> models.Filter:
        return models.Filter(must_not=[clause])
