"""Pairs that a model can be trained on: a query, and the chunk of a document that answers it."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database
from retrieval.catalog.rows import insert_for

MINED = "mined:"
"""What the sources of pairs that were mined from the collection begin with."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and its positive: the chunk at `position` of the document with the id `document`.

    `source` says where it came from, and `weight` what it counts beside others. `group` names the document and its near
    copies, which are never split. `strings` give the query away verbatim and are hidden in the chunk.
    """

    query: str
    document: str
    position: int
    source: str
    weight: float
    group: str
    strings: tuple[str, ...] = ()

    @property
    def is_mined(self) -> bool:
        """Whether it was mined from the collection, rather than brought from elsewhere."""
        return self.source.startswith(MINED)


class Pairs:
    """Read and write the pairs of a collection; a query has one pair a document."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, collection: Collection, pairs: Iterable[Pair], *, replace_mined: bool = False) -> None:
        """Keep pairs, each in place of the one of the same query and document; all of them or none.

        With `replace_mined`, those that were mined before go first, and a pair brought from elsewhere stays in place
        of a mined one.
        """
        table = schema.pairs
        with self._database.write() as connection:
            if replace_mined:
                mined = table.c.source.startswith(MINED)
                connection.execute(delete(table).where(table.c.collection_id == collection.id, mined))
            rows = [_row(collection, pair) for pair in pairs]
            if not rows:
                return
            statement = insert_for(connection, table)
            same = [table.c.collection_id, table.c.query, table.c.document]
            changed = {
                name: getattr(statement.excluded, name)
                for name in ("position", "source", "weight", "cluster", "strings")
            }
            connection.execute(
                statement.on_conflict_do_nothing(index_elements=same)
                if replace_mined
                else statement.on_conflict_do_update(index_elements=same, set_=changed),
                rows,
            )

    def list(self, collection: Collection) -> list[Pair]:
        """Return every pair, in the order of their sources, documents and queries, whenever they were added."""
        table = schema.pairs
        statement = (
            select(table)
            .where(table.c.collection_id == collection.id)
            .order_by(table.c.source, table.c.document, table.c.position, table.c.query)
        )
        with self._database.read() as connection:
            return [
                Pair(row.query, row.document, row.position, row.source, row.weight, row.cluster, tuple(row.strings))
                for row in connection.execute(statement)
            ]

    def counts(self, collection: Collection) -> dict[str, int]:
        """Return how many pairs each source has, by name."""
        table = schema.pairs
        statement = (
            select(table.c.source, func.count().label("pairs"))
            .where(table.c.collection_id == collection.id)
            .group_by(table.c.source)
            .order_by(table.c.source)
        )
        with self._database.read() as connection:
            return {row.source: row.pairs for row in connection.execute(statement)}

    def delete(self, collection: Collection, source: str | None = None) -> int:
        """Drop the pairs of a source, by default all, and return how many."""
        table = schema.pairs
        mine = table.c.collection_id == collection.id
        wanted = mine if source is None else mine & (table.c.source == source)
        with self._database.write() as connection:
            return connection.execute(delete(table).where(wanted)).rowcount


def _row(collection: Collection, pair: Pair) -> dict[str, object]:
    return {
        "collection_id": collection.id,
        "query": pair.query,
        "document": pair.document,
        "position": pair.position,
        "source": pair.source,
        "weight": pair.weight,
        "cluster": pair.group,
        "strings": list(pair.strings),
    }
