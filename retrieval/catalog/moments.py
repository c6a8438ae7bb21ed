"""Mean and covariance of a model's vectors over a collection, from which a query's score distribution follows."""

from dataclasses import dataclass

import numpy as np
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
