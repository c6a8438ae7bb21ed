"""Reads that help readers: the titles and headings that a collection has, and the passages around a passage."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Text, and_, cast, func, select

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database
from retrieval.catalog.rows import in_batches

MAX_NAMES = 200_000
"""Titles, and paths of headings, that are read at the most."""


@dataclass(frozen=True, slots=True)
class PlacedChunk:
    """A chunk, and where in its document it stands; `document` is the document's row."""

    id: int
    document: int
    position: int
    headings: tuple[str, ...]
    text: str


class Reading:
    """Read what suggestions and contexts are made of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def titles(self, collection: Collection) -> dict[str, int]:
        """Return the titles of documents, with how many have each, the most frequent first."""
        table = schema.documents
        count = func.count()
        statement = (
            select(table.c.title, count)
            .where(table.c.collection_id == collection.id, table.c.title != "")
            .group_by(table.c.title)
            .order_by(count.desc(), table.c.title)
            .limit(MAX_NAMES)
        )
        with self._database.read() as connection:
            return {title: documents for title, documents in connection.execute(statement)}  # noqa: C416  # dict() has no types

    def headings(self, collection: Collection) -> dict[str, int]:
        """Return the headings right above chunks, with how many chunks stand under each, the most frequent first."""
        table = schema.chunks
        path, count = cast(table.c.headings, Text), func.count()  # PostgreSQL does not group by JSON
        statement = (
            select(path, count)
            .where(table.c.collection_id == collection.id)
            .group_by(path)
            .order_by(count.desc(), path)
            .limit(MAX_NAMES)
        )
        found: dict[str, int] = {}
        with self._database.read() as connection:
            for written, chunks in connection.execute(statement):
                if headings := json.loads(written):
                    found[headings[-1]] = found.get(headings[-1], 0) + chunks
        return found

    def around(self, ids: Iterable[int], reach: int) -> list[PlacedChunk]:
        """Return chunks, and up to `reach` before and after each one, by document and position."""
        wanted, near = schema.chunks.alias("wanted"), schema.chunks
        beside = and_(
            near.c.document_id == wanted.c.document_id,
            near.c.position.between(wanted.c.position - reach, wanted.c.position + reach),
        )
        columns = (near.c.id, near.c.document_id, near.c.position, near.c.headings, near.c.text)
        statement = select(*columns).select_from(wanted.join(near, beside))
        found: dict[int, PlacedChunk] = {}
        with self._database.read() as connection:
            for batch in in_batches(ids):
                for row in connection.execute(statement.where(wanted.c.id.in_(batch))):
                    found[row.id] = PlacedChunk(row.id, row.document_id, row.position, tuple(row.headings), row.text)
        return sorted(found.values(), key=lambda chunk: (chunk.document, chunk.position))
