"""Small conversions between rows and values, and the one statement whose SQL differs between databases."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from sqlalchemy import Connection, Table

from retrieval.types import FloatArray, SparseVector

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

MAX_PARAMETERS = 900
"""Values bound in one IN list; SQLite's oldest supported limit is 999."""

T = TypeVar("T")


def insert_for(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """Return an INSERT that knows ON CONFLICT in the connection's dialect."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def in_batches(values: Iterable[T], size: int = MAX_PARAMETERS) -> Iterator[list[T]]:
    """Yield lists of at most `size` values."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch


def packed_terms(terms: SparseVector) -> bytes:
    """Return a sparse vector as bytes: the little-endian uint32 ids, then the float32 weights."""
    return terms.indices.astype("<u4").tobytes() + terms.values.astype("<f4").tobytes()


def unpacked_terms(data: bytes) -> SparseVector:
    """Return what `packed_terms` packed."""
    half = len(data) // 2
    return SparseVector(np.frombuffer(data[:half], "<u4"), np.frombuffer(data[half:], "<f4"))


def packed_vector(vector: FloatArray) -> bytes:
    """Return a dense vector as little-endian float16 bytes."""
    return vector.astype("<f2").tobytes()


def unpacked_vectors(blobs: Sequence[bytes]) -> FloatArray:
    """Return float16 blobs as unit rows, shape (n, d), float32."""
    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    rows = np.frombuffer(b"".join(blobs), "<f2").reshape(len(blobs), -1).astype(np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = rows / np.maximum(norms, np.float32(1e-12))
    return unit
