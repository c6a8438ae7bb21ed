"""The words a collection knows, and in how many chunks: for "did you mean", and to tell a known word from a typo."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, select

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database
from retrieval.catalog.rows import in_batches, insert_for

MAX_WORD = 64
"""Longer words are nobody's typing; they are not kept."""


class Vocabulary:
    """Read the vocabulary; documents write it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self, collection: Collection, words: Iterable[str]) -> dict[str, int]:
        """Return in how many chunks each of `words` stands, leaving out unknown ones."""
        found: dict[str, int] = {}
        with self._database.read() as connection:
            for batch in in_batches(words):
                rows = connection.execute(_COUNTS, {"collection": collection.id, "words": batch})
                found.update({row.word: row.chunks for row in rows})
        return found

    def all(self, collection: Collection) -> dict[str, int]:
        """Return every word with the number of chunks it stands in."""
        table = schema.vocabulary
        statement = select(table.c.word, table.c.chunks).where(table.c.collection_id == collection.id)
        with self._database.read() as connection:
            return {word: chunks for word, chunks in connection.execute(statement)}  # noqa: C416  # dict() has no types

    def replace(self, collection: Collection, counts: Mapping[str, int]) -> None:
        """Make `counts` the whole vocabulary, as a re-analysis does."""
        table = schema.vocabulary
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.collection_id == collection.id))
            count_words(connection, collection.id, counts)


# Made once: SQLAlchemy takes longer to make this statement than SQLite to answer it.
_COUNTS = select(schema.vocabulary.c.word, schema.vocabulary.c.chunks).where(
    schema.vocabulary.c.collection_id == bindparam("collection"),
    schema.vocabulary.c.word.in_(bindparam("words", expanding=True)),
)


def count_words(connection: Connection, collection_id: int, changes: Mapping[str, int]) -> None:
    """Add to the words' counts (or take away), inside the caller's transaction; a word at 0 is forgotten."""
    table = schema.vocabulary
    rows = [
        {"collection_id": collection_id, "word": word, "chunks": change}
        for word, change in sorted(changes.items())
        if change and len(word) <= MAX_WORD
    ]
    if not rows:
        return
    statement = insert_for(connection, table)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.collection_id, table.c.word],
        set_={"chunks": table.c.chunks + statement.excluded.chunks},
    )
    connection.execute(statement, rows)
    if any(change < 0 for change in changes.values()):
        connection.execute(delete(table).where(table.c.collection_id == collection_id, table.c.chunks <= 0))
