"""The ordered log of what the index still has to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, literal, select, update

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database
from retrieval.catalog.rows import in_batches

KEPT = 100_000
"""Indexed changes kept for the processes that hold a copy of the index in memory and are catching up."""


class Operation(StrEnum):
    """What to do with a point of the index."""

    UPSERT = "upsert"
    DELETE = "delete"


class State(StrEnum):
    """Where a change stands."""

    PENDING = "pending"
    """Committed to the catalog, not yet known to be in the index."""
    APPLIED = "applied"
    """In the index, which has not flushed yet: searched, and pending again when the index is next opened."""
    INDEXED = "indexed"
    """In the index, and flushed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log: `seq` orders it, `chunk_id` is the point's id."""

    seq: int
    chunk_id: int
    operation: Operation


class Changes:
    """Read the log and move it forward."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self, collection: Collection, limit: int) -> list[Change]:
        """Return the oldest changes that are pending, in order."""
        table = schema.changes
        statement = (
            select(table.c.seq, table.c.chunk_id, table.c.operation)
            .where(table.c.collection_id == collection.id, table.c.state == State.PENDING)
            .order_by(table.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [Change(row.seq, row.chunk_id, Operation(row.operation)) for row in connection.execute(statement)]

    def since(self, collection: Collection, seq: int, limit: int) -> list[Change]:
        """Return the oldest changes after `seq`, whatever their state: for an index that each process has a copy of."""
        table = schema.changes
        statement = (
            select(table.c.seq, table.c.chunk_id, table.c.operation)
            .where(table.c.collection_id == collection.id, table.c.seq > seq)
            .order_by(table.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [Change(row.seq, row.chunk_id, Operation(row.operation)) for row in connection.execute(statement)]

    def count_pending(self, collection: Collection) -> int:
        """How many changes the index has still to apply."""
        table = schema.changes
        statement = (
            select(func.count())
            .select_from(table)
            .where(table.c.collection_id == collection.id, table.c.state == State.PENDING)
        )
        with self._database.read() as connection:
            return connection.execute(statement).scalar_one()

    def last_seq(self, collection: Collection) -> int:
        """The newest change's number, 0 when there is none: a cheap way to see that something changed."""
        table = schema.changes
        with self._database.read() as connection:
            statement = select(func.max(table.c.seq)).where(table.c.collection_id == collection.id)
            return connection.execute(statement).scalar() or 0

    def mark_applied(self, collection: Collection, seqs: Sequence[int]) -> None:
        """Record that these changes are in the index, which has not flushed yet."""
        with self._database.write() as connection:
            _mark(connection, collection, seqs, State.APPLIED)

    def mark_indexed(self, collection: Collection, seqs: Sequence[int]) -> None:
        """Record that these changes are in the index and flushed, and forget long indexed ones.

        Not every change up to the last of them: on PostgreSQL a longer transaction may yet commit an earlier one.
        """
        if not seqs:
            return
        table = schema.changes
        long_ago = (table.c.collection_id == collection.id, table.c.state == State.INDEXED)
        with self._database.write() as connection:
            connection.execute(delete(table).where(*long_ago, table.c.seq < max(seqs) - KEPT))
            _mark(connection, collection, seqs, State.INDEXED)

    def doubt_applied(self, collection: Collection) -> None:
        """Make changes pending that were applied to an index which may not have flushed before it was closed."""
        table = schema.changes
        applied = (table.c.collection_id == collection.id, table.c.state == State.APPLIED)
        with self._database.read() as connection:
            if connection.execute(select(table.c.seq).where(*applied).limit(1)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(update(table).where(*applied).values(state=State.PENDING))

    def redo_all(self, collection: Collection) -> None:
        """Log an upsert of every chunk, in place of those logged before: what a rebuilt index has to apply.

        Deletions stay: nothing else would tell an index that still holds such a point.
        """
        table, chunks = schema.changes, schema.chunks
        with self._database.write() as connection:
            mine = (table.c.collection_id == collection.id, table.c.operation == Operation.UPSERT)
            connection.execute(delete(table).where(*mine))
            everything = select(
                chunks.c.collection_id, chunks.c.id, literal(Operation.UPSERT.value), literal(State.PENDING.value)
            ).where(chunks.c.collection_id == collection.id)
            columns = ["collection_id", "chunk_id", "operation", "state"]
            connection.execute(insert(table).from_select(columns, everything.order_by(chunks.c.id)))

    def redo(self, collection: Collection, upserts: Sequence[int], deletes: Sequence[int]) -> None:
        """Append changes for single points, as a repair does."""
        with self._database.write() as connection:
            log(connection, collection.id, Operation.DELETE, deletes)
            log(connection, collection.id, Operation.UPSERT, upserts)


def _mark(connection: Connection, collection: Collection, seqs: Sequence[int], state: State) -> None:
    table = schema.changes
    for some in in_batches(seqs):
        mine = (table.c.collection_id == collection.id, table.c.seq.in_(some))
        connection.execute(update(table).where(*mine).values(state=state))


def log(connection: Connection, collection_id: int, operation: Operation, chunk_ids: Sequence[int]) -> None:
    """Append one pending change a chunk, inside the caller's transaction."""
    rows = [
        {"collection_id": collection_id, "chunk_id": chunk_id, "operation": operation, "state": State.PENDING}
        for chunk_id in chunk_ids
    ]
    if rows:
        connection.execute(insert(schema.changes), rows)
