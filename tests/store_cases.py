"""Small points and queries for the tests of stores, and the stores they are run against."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from retrieval.stores.base import Candidate, EmbeddingLeg, KeywordLeg, Point, Store
from retrieval.stores.edge import EdgeStore
from retrieval.stores.memory import MemoryStore
from retrieval.types import FloatArray, Metadata, SparseVector

SERVER_URL = os.environ.get("TANDEM_TEST_QDRANT_URL", "")
ENGINES = ("memory", "edge", "qdrant-local", "qdrant-server")

StoreMaker = Callable[[], Store]


def open_engine(engine: str, folder: Path) -> Store:
    """Open an empty store of a kind, or skip where there is no server to test against."""
    if engine == "memory":
        return MemoryStore()
    if engine == "edge":
        return EdgeStore(folder / "default")
    return _open_qdrant(engine)


def _open_qdrant(engine: str) -> Store:
    from qdrant_client import QdrantClient

    from retrieval.stores.qdrant import QdrantStore

    if engine == "qdrant-local":
        return QdrantStore(QdrantClient(":memory:"), "test", place="local mode", indexes=False)
    if not SERVER_URL:
        pytest.skip("TANDEM_TEST_QDRANT_URL is not set: no Qdrant server to test against")
    store = QdrantStore.connect(SERVER_URL, os.environ.get("TANDEM_TEST_QDRANT_API_KEY", ""), "contract_test")
    store.clear()
    return store


def terms(weights: Mapping[int, float]) -> SparseVector:
    """Return a sparse vector from term ids to weights."""
    ordered = sorted(weights.items())
    return SparseVector(
        np.array([term for term, _ in ordered], np.uint32), np.array([weight for _, weight in ordered], np.float32)
    )


def vector(*numbers: float) -> FloatArray:
    """Return numbers as a vector."""
    return np.array(numbers, np.float32)


def point(
    point_id: int,
    weights: Mapping[int, float] | None = None,
    *,
    document: int | None = None,
    vectors: Mapping[str, FloatArray] | None = None,
    metadata: Metadata | None = None,
) -> Point:
    """Return a point; by default its own document's only chunk."""
    row = point_id if document is None else document
    return Point(point_id, row, terms(weights or {}), vectors or {}, metadata or {}, lead=document is None)


def keyword(*query_terms: int) -> KeywordLeg:
    """Return a keyword leg over term ids, each weighing 1."""
    return KeywordLeg(terms(dict.fromkeys(query_terms, 1.0)))


def embedding(name: str, *numbers: float) -> EmbeddingLeg:
    """Return an embedding leg."""
    return EmbeddingLeg(name, vector(*numbers))


def found_ids(candidates: Sequence[Candidate]) -> list[int]:
    """Return the candidates' point ids in order."""
    return [candidate.id for candidate in candidates]


def scores_by_id(candidates: Sequence[Candidate]) -> dict[int, float]:
    """Return the candidates' scores."""
    return {candidate.id: candidate.score for candidate in candidates}
