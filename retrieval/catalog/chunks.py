"""Chunks: kept by text so that an unchanged one keeps its id, and read in the forms that index and search need."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, delete, func, insert, select, update

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database
from retrieval.catalog.rows import in_batches, packed_terms, unpacked_terms
from retrieval.catalog.showing import VISIBLE, ShownChunk, shown_chunks, visible_metadata
from retrieval.types import Chunk, Metadata, SparseVector

READ_AHEAD = 2000
WordsOf = Callable[[str], Iterable[str]]
"""From a chunk's embedding text to the words that the vocabulary counts."""


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with what both legs need: its weighted term frequencies, their sum, and the hash of what is embedded."""

    chunk: Chunk
    text_hash: str
    terms: SparseVector
    length: float


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as the index is built from it; `document` is the document's row."""

    id: int
    document: int
    position: int
    terms: SparseVector
    text_hash: str
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A chunk's text with its document's id and title, for re-analysis, auditing and evaluation."""

    id: int
    document_id: str
    title: str
    chunk: Chunk
    text_hash: str


class Chunks:
    """Read chunks; documents write them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stored(self, collection: Collection, ids: Iterable[int]) -> list[StoredChunk]:
        """Return those of `ids` that exist, for the index."""
        found: list[StoredChunk] = []
        statement = _stored(collection)
        with self._database.read() as connection:
            for batch in in_batches(ids):
                rows = connection.execute(statement.where(schema.chunks.c.id.in_(batch)))
                found.extend(_stored_chunk(row) for row in rows)
        return found

    def all_stored(self, collection: Collection) -> Iterator[list[StoredChunk]]:
        """Yield every chunk in batches, by id."""
        statement = _stored(collection).order_by(schema.chunks.c.id)
        for rows in self._paged(statement):
            yield [_stored_chunk(row) for row in rows]

    def all_texts(self, collection: Collection) -> Iterator[list[ChunkText]]:
        """Yield every chunk's text in batches, by id."""
        chunks, documents = schema.chunks, schema.documents
        statement = (
            select(chunks, documents.c.external_id, documents.c.title)
            .join(documents, documents.c.id == chunks.c.document_id)
            .where(chunks.c.collection_id == collection.id)
            .order_by(chunks.c.id)
        )
        for rows in self._paged(statement):
            yield [
                ChunkText(
                    row.id,
                    row.external_id,
                    row.title,
                    Chunk(row.position, tuple(row.headings), row.text, row.tokens),
                    row.text_hash,
                )
                for row in rows
            ]

    def _paged(self, statement: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
        last = 0
        while True:
            with self._database.read() as connection:
                rows = connection.execute(statement.where(schema.chunks.c.id > last).limit(READ_AHEAD)).all()
            if not rows:
                return
            yield rows
            last = rows[-1].id

    def shown(self, ids: Iterable[int]) -> dict[int, ShownChunk]:
        """Return those of `ids` that exist, by id, each with its document."""
        shown: dict[int, ShownChunk] = {}
        with self._database.read() as connection:
            for batch in in_batches(ids):
                shown.update(shown_chunks(connection, batch))
        return shown

    def ids(self, collection: Collection) -> list[int]:
        """Return every chunk's id, ascending."""
        table = schema.chunks
        statement = select(table.c.id).where(table.c.collection_id == collection.id).order_by(table.c.id)
        with self._database.read() as connection:
            return list(connection.execute(statement).scalars())

    def text_hashes(self, collection: Collection) -> list[str]:
        """Return the text hash of every chunk, by chunk id."""
        table = schema.chunks
        statement = select(table.c.text_hash).where(table.c.collection_id == collection.id).order_by(table.c.id)
        with self._database.read() as connection:
            return list(connection.execute(statement).scalars())

    def hashed(self, collection: Collection, *, after: int, limit: int) -> list[tuple[int, str]]:
        """Return chunks after an id, ascending, each with its text hash."""
        table = schema.chunks
        later = (table.c.collection_id == collection.id, table.c.id > after)
        statement = select(table.c.id, table.c.text_hash).where(*later).order_by(table.c.id).limit(limit)
        with self._database.read() as connection:
            return [(row.id, row.text_hash) for row in connection.execute(statement)]

    def sizes(self, collection: Collection) -> dict[int, int]:
        """Return how many chunks each document has, by the document's row."""
        table = schema.chunks
        statement = (
            select(table.c.document_id, func.count())
            .where(table.c.collection_id == collection.id)
            .group_by(table.c.document_id)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def lengths(self, collection: Collection) -> tuple[int, float]:
        """How many chunks there are, and their mean length in weighted terms (0.0 for none)."""
        table = schema.chunks
        statement = select(func.count(), func.avg(table.c.length)).where(table.c.collection_id == collection.id)
        with self._database.read() as connection:
            count, mean = connection.execute(statement).one()
        return count, float(mean or 0.0)

    def reanalyze(self, terms: Sequence[tuple[int, SparseVector, float]]) -> None:
        """Replace the terms and lengths of chunks given as (id, terms, length)."""
        rows = [{"chunk": key, "terms": packed_terms(vector), "length": length} for key, vector, length in terms]
        table = schema.chunks
        statement = update(table).where(table.c.id == bindparam("chunk"))
        with self._database.write() as connection:
            if rows:
                connection.execute(statement.values(terms=bindparam("terms"), length=bindparam("length")), rows)


def _stored(collection: Collection) -> Select[Any]:
    chunks, documents = schema.chunks, schema.documents
    return (
        select(
            chunks.c.id,
            chunks.c.document_id,
            chunks.c.position,
            chunks.c.terms,
            chunks.c.text_hash,
            *(documents.c[name] for name in VISIBLE),
        )
        .join(documents, documents.c.id == chunks.c.document_id)
        .where(chunks.c.collection_id == collection.id)
    )


def _stored_chunk(row: Sequence[Any]) -> StoredChunk:
    key, document, position, terms, text_hash, *visible = row
    return StoredChunk(key, document, position, unpacked_terms(terms), text_hash, visible_metadata(*visible))


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose chunks are being written: the collection's row, the document's row, its title before and its title now."""

    collection: int
    document: int
    old_title: str
    title: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts words of chunks that come and go, for the vocabulary."""

    words_of: WordsOf
    counts: Counter[str]

    def add(self, chunk: Chunk, title: str, sign: int) -> None:
        """Count each word of the chunk once, with `sign` 1 for a chunk that comes and -1 for one that goes."""
        for word in set(self.words_of(chunk.embedding_text(title))):
            self.counts[word] += sign


def replace_chunks(
    connection: Connection, owner: Owner, chunks: Sequence[IndexedChunk], tally: Tally
) -> tuple[list[int], list[int]]:
    """Make `chunks` the document's chunks; one whose text is unchanged keeps its id. Return (gone ids, current ids)."""
    table = schema.chunks
    existing: dict[str, list[Row[Any]]] = defaultdict(list)
    rows = connection.execute(select(table).where(table.c.document_id == owner.document).order_by(table.c.id.desc()))
    for row in rows:
        existing[row.text_hash].append(row)
    kept: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    for indexed in chunks:
        if same := existing.get(indexed.text_hash):
            kept.append({"chunk": same.pop().id, **_columns(owner, indexed)})
        else:
            new.append(_columns(owner, indexed))
            tally.add(indexed.chunk, owner.title, 1)
    gone = [row for rest in existing.values() for row in rest]
    _delete_rows(connection, gone, owner.old_title, tally)
    return [row.id for row in gone], sorted([row["chunk"] for row in kept] + _write(connection, kept, new))


def _write(connection: Connection, kept: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[int]:
    table = schema.chunks
    if kept:
        names = [name for name in kept[0] if name != "chunk"]
        values: dict[str, BindParameter[Any]] = {name: bindparam(name) for name in names}
        connection.execute(update(table).where(table.c.id == bindparam("chunk")).values(values), kept)
    if not new:
        return []
    return list(connection.execute(insert(table).returning(table.c.id, sort_by_parameter_order=True), new).scalars())


def remove_chunks(connection: Connection, document: int, title: str, tally: Tally) -> list[int]:
    """Delete a document's chunks and return their ids."""
    table = schema.chunks
    rows = connection.execute(select(table).where(table.c.document_id == document)).all()
    _delete_rows(connection, rows, title, tally)
    return [row.id for row in rows]


def _delete_rows(connection: Connection, rows: Sequence[Row[Any]], title: str, tally: Tally) -> None:
    for row in rows:
        tally.add(Chunk(row.position, tuple(row.headings), row.text, row.tokens), title, -1)
    for batch in in_batches(row.id for row in rows):
        connection.execute(delete(schema.chunks).where(schema.chunks.c.id.in_(batch)))


def _columns(owner: Owner, indexed: IndexedChunk) -> dict[str, Any]:
    chunk = indexed.chunk
    return {
        "collection_id": owner.collection,
        "document_id": owner.document,
        "position": chunk.position,
        "headings": list(chunk.headings),
        "text": chunk.text,
        "tokens": chunk.tokens,
        "text_hash": indexed.text_hash,
        "terms": packed_terms(indexed.terms),
        "length": indexed.length,
    }
