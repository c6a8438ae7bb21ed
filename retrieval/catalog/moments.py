"""Moments of both legs over a collection, from which the distribution of any query's scores follows without a scan."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database
from retrieval.types import FloatArray


@dataclass(frozen=True, slots=True)
class Moments:
    """`mean` has shape (d,), `covariance` (d, d), over `points` unit vectors."""

    points: int
    mean: FloatArray
    covariance: FloatArray


@dataclass(frozen=True, slots=True)
class TermMoments:
    """Per term, over `points` chunks: how many hold it, and the sums of its BM25 weights (no IDF) and their squares.

    All arrays have shape (t,); `terms` is ascending.
    """

    points: int
    terms: NDArray[np.uint32]
    frequencies: NDArray[np.uint32]
    sums: FloatArray
    squares: FloatArray

    def of(self, terms: NDArray[np.uint32]) -> "TermMoments":
        """Return the moments of these terms alone, zero for unknown ones."""
        places = np.minimum(np.searchsorted(self.terms, terms), max(len(self.terms) - 1, 0))
        known = self.terms[places] == terms if len(self.terms) else np.zeros(len(terms), dtype=bool)
        picked = [
            np.where(known, array[places], 0) if len(self.terms) else np.zeros(len(terms)) for array in self._arrays
        ]
        return TermMoments(
            self.points, terms, picked[0].astype(np.uint32), picked[1].astype(np.float32), picked[2].astype(np.float32)
        )

    @property
    def _arrays(self) -> tuple[NDArray[np.uint32], FloatArray, FloatArray]:
        return self.frequencies, self.sums, self.squares

    @property
    def idf(self) -> FloatArray:
        """The store's idf of each term: ln(1 + (N - df + 0.5) / (df + 0.5))."""
        frequencies = self.frequencies.astype(np.float64)
        return np.log1p((self.points - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)


class MomentsTable:
    """Read and write moments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, collection: Collection, fingerprint: str) -> Moments | None:
        """Return the moments last recorded for this model, or None."""
        table = schema.moments
        statement = select(table).where(table.c.collection_id == collection.id, table.c.fingerprint == fingerprint)
        with self._database.read() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        mean = np.frombuffer(row.mean, "<f4")
        return Moments(row.points, mean, np.frombuffer(row.covariance, "<f4").reshape(len(mean), len(mean)))

    def put(self, collection: Collection, fingerprint: str, moments: Moments) -> None:
        """Record moments, replacing those there were."""
        table = schema.moments
        mine = (table.c.collection_id == collection.id, table.c.fingerprint == fingerprint)
        row = {
            "collection_id": collection.id,
            "fingerprint": fingerprint,
            "points": moments.points,
            "mean": moments.mean.astype("<f4").tobytes(),
            "covariance": moments.covariance.astype("<f4").tobytes(),
        }
        with self._database.write() as connection:
            connection.execute(delete(table).where(*mine))
            connection.execute(insert(table).values(row))

    def get_terms(self, collection: Collection) -> TermMoments | None:
        """Return the terms' moments last recorded, or None."""
        table = schema.term_moments
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.collection_id == collection.id)).one_or_none()
        if row is None:
            return None
        return TermMoments(
            row.points,
            np.frombuffer(row.terms, "<u4"),
            np.frombuffer(row.frequencies, "<u4"),
            np.frombuffer(row.sums, "<f4"),
            np.frombuffer(row.squares, "<f4"),
        )

    def put_terms(self, collection: Collection, moments: TermMoments) -> None:
        """Record the terms' moments, replacing those there were."""
        table = schema.term_moments
        row = {
            "collection_id": collection.id,
            "points": moments.points,
            "terms": moments.terms.astype("<u4").tobytes(),
            "frequencies": moments.frequencies.astype("<u4").tobytes(),
            "sums": moments.sums.astype("<f4").tobytes(),
            "squares": moments.squares.astype("<f4").tobytes(),
        }
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.collection_id == collection.id))
            connection.execute(insert(table).values(row))
