"""Runs that were kept: what an arm ranked for a judgment set, and under what circumstances."""

import zlib
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, insert, select

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database, now


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run by its judgment set and arm; `trec` is its content in TREC format.

    `key` is a digest of all it depends on: a run with another key is out of date.
    """

    judgments: str
    arm: str
    key: str
    trec: str
    made_at: str = ""


class Runs:
    """Keep and find runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, collection: Collection, run: KeptRun) -> None:
        """Keep a run in place of the one of the same judgment set and arm."""
        table = schema.runs
        row = {
            "collection_id": collection.id,
            "judgments": run.judgments,
            "arm": run.arm,
            "key": run.key,
            "content": zlib.compress(run.trec.encode("utf-8", "surrogatepass")),
            "made_at": run.made_at or now(),
        }
        with self._database.write() as connection:
            connection.execute(delete(table).where(*_mine(collection, run.judgments, run.arm)))
            connection.execute(insert(table).values(row))

    def get(self, collection: Collection, judgments: str, arm: str) -> KeptRun | None:
        """Return a run, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(schema.runs).where(*_mine(collection, judgments, arm))).one_or_none()
        if row is None:
            return None
        trec = zlib.decompress(row.content).decode("utf-8", "surrogatepass")
        return KeptRun(row.judgments, row.arm, row.key, trec, row.made_at)

    def kept(self, collection: Collection) -> list[tuple[str, str, str]]:
        """Return the judgment set, the arm and the moment of every run, the newest first, without what they ranked."""
        table = schema.runs
        statement = (
            select(table.c.judgments, table.c.arm, table.c.made_at)
            .where(table.c.collection_id == collection.id)
            .order_by(table.c.made_at.desc(), table.c.judgments, table.c.arm)
        )
        with self._database.read() as connection:
            return [(row.judgments, row.arm, row.made_at) for row in connection.execute(statement)]


def _mine(collection: Collection, judgments: str, arm: str) -> tuple[ColumnElement[bool], ...]:
    table = schema.runs
    return table.c.collection_id == collection.id, table.c.judgments == judgments, table.c.arm == arm
