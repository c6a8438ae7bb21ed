"""Documents: written with their chunks, links, changes and vocabulary in one transaction; read back as they came."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from retrieval.catalog import schema
from retrieval.catalog.changes import Operation, log
from retrieval.catalog.chunks import (
    IndexedChunk,
    Owner,
    Tally,
    WordsOf,
    remove_chunks,
    replace_chunks,
)
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Along, Database, nothing_else, now
from retrieval.catalog.due_vectors import check_embedded
from retrieval.catalog.rows import in_batches, insert_for
from retrieval.catalog.showing import SHOWN_COLUMNS, ShownDocument, shown_document
from retrieval.catalog.unchanged import UNCONDITIONAL, Still, check_still, stored_hash
from retrieval.catalog.vocabulary import count_words
from retrieval.errors import NotFound
from retrieval.types import Block, BlockKind, Document, Link


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document ready to be kept: the item it came from, and its chunks."""

    document: Document
    item_key: str
    chunks: tuple[IndexedChunk, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes: documents of one source root, and the hashes of the items now complete."""

    root: str
    records: Sequence[DocumentRecord]
    items: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """What a plan needs to know of a document that is there."""

    root: str
    item_key: str
    content_hash: str


class Documents:
    """Keep, find and delete documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        collection: Collection,
        batch: Batch,
        words_of: WordsOf,
        *,
        embedded_by: Set[str] | None = None,
        still: Still = UNCONDITIONAL,
    ) -> None:
        """Insert or replace documents by id, log the changes, and record the items as ingested: all or nothing.

        Raises, keeping nothing, NotEmbedded if a model whose vectors are due is not among those that embedded their
        texts, given by passage fingerprint; and DocumentChanged if one of them has other content than `still` says.
        """
        tally = Tally(words_of, Counter())
        with self._database.write() as connection:
            written = {record.document.id for record in batch.records}
            check_still(connection, collection, {key: still[key] for key in still.keys() & written})
            if embedded_by is not None and batch.records:
                check_embedded(connection, collection.id, embedded_by)
            for record in batch.records:
                _put_document(connection, (collection.id, batch.root), record, tally)
            count_words(connection, collection.id, tally.counts)
            _put_items(connection, collection.id, batch)

    def delete(
        self,
        collection: Collection,
        ids: Iterable[str],
        words_of: WordsOf,
        *,
        still: Still = UNCONDITIONAL,
        along: Along[int] = nothing_else,
    ) -> int:
        """Delete documents by id and log the deletions; unknown ids are ignored. Return how many there were.

        Raises DocumentChanged, deleting nothing, if one of them has other content than `still` says.
        """
        table, tally, deleted = schema.documents, Tally(words_of, Counter()), 0
        with self._database.write() as connection:
            check_still(connection, collection, still)
            for batch in in_batches(ids):
                mine = (table.c.collection_id == collection.id, table.c.external_id.in_(batch))
                for row in connection.execute(select(table).where(*mine)).all():
                    removed = remove_chunks(connection, row.id, row.title, tally)
                    log(connection, collection.id, Operation.DELETE, removed)
                    connection.execute(delete(table).where(table.c.id == row.id))
                    _forget_item(connection, collection.id, row.root, row.item_key)
                    deleted += 1
            count_words(connection, collection.id, tally.counts)
            along(connection, deleted)
        return deleted

    def forget_items(self, collection: Collection, root: str, keys: Iterable[str]) -> None:
        """Forget that items were ingested, so that they count as new when they come back."""
        with self._database.write() as connection:
            for key in keys:
                _forget_item(connection, collection.id, root, key)

    def items(self, collection: Collection, root: str) -> dict[str, str]:
        """Return the hash of each item of a source root as last ingested, by key; empty for one ingested in part."""
        table, documents = schema.items, schema.documents
        mine = (table.c.collection_id == collection.id, table.c.root == root)
        held = (documents.c.collection_id == collection.id, documents.c.root == root)
        with self._database.read() as connection:
            in_part = connection.execute(select(documents.c.item_key).where(*held).distinct()).scalars()
            whole = connection.execute(select(table.c.key, table.c.content_hash).where(*mine))
            return dict.fromkeys(in_part, "") | {row.key: row.content_hash for row in whole}

    def keys(self, collection: Collection) -> dict[str, DocumentKey]:
        """Return where every document came from and what it held, by document id."""
        table = schema.documents
        columns = (table.c.external_id, table.c.root, table.c.item_key, table.c.content_hash)
        statement = select(*columns).where(table.c.collection_id == collection.id)
        with self._database.read() as connection:
            return {
                row.external_id: DocumentKey(row.root, row.item_key, row.content_hash)
                for row in connection.execute(statement)
            }

    def get(self, collection: Collection, document_id: str) -> Document:
        """Return a document whole; raises NotFound."""
        table, links = schema.documents, schema.links
        mine = (table.c.collection_id == collection.id, table.c.external_id == document_id)
        with self._database.read() as connection:
            row = connection.execute(select(table).where(*mine)).one_or_none()
            if row is None:
                raise _not_there(collection, document_id)
            found = connection.execute(select(links).where(links.c.document_id == row.id).order_by(links.c.id))
            return _document(row, [Link(link.target, link.anchor, link.sentence) for link in found])

    def content_hash(self, collection: Collection, document_id: str) -> str:
        """Return the digest of a document's content as it was kept; raises NotFound."""
        with self._database.read() as connection:
            found = stored_hash(connection, collection, document_id)
        if found is None:
            raise _not_there(collection, document_id)
        return found

    def all(self, collection: Collection) -> Iterator[Document]:
        """Yield every document whole, in the order they came."""
        table, links = schema.documents, schema.links
        last = 0
        while True:
            later = (table.c.collection_id == collection.id, table.c.id > last)
            with self._database.read() as connection:
                rows = connection.execute(select(table).where(*later).order_by(table.c.id).limit(200)).all()
                of_these = links.c.document_id.in_([row.id for row in rows])
                found = connection.execute(select(links).where(of_these).order_by(links.c.id)).all()
            if not rows:
                return
            for row in rows:
                mine = [Link(link.target, link.anchor, link.sentence) for link in found if link.document_id == row.id]
                yield _document(row, mine)
            last = rows[-1].id

    def listed(self, collection: Collection, *, after: str = "", limit: int = 100) -> list[ShownDocument]:
        """Return documents by id, those after `after`."""
        table = schema.documents
        statement = (
            select(*SHOWN_COLUMNS)
            .where(table.c.collection_id == collection.id, table.c.external_id > after)
            .order_by(table.c.external_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [shown_document(*row) for row in connection.execute(statement)]

    def shown(self, rows: Iterable[int]) -> dict[int, ShownDocument]:
        """Return documents by their row."""
        shown: dict[int, ShownDocument] = {}
        with self._database.read() as connection:
            for batch in in_batches(rows):
                for key, *columns in connection.execute(_SHOWN, {"rows": batch}):
                    shown[key] = shown_document(*columns)
        return shown

    def rows(self, collection: Collection, ids: Iterable[str]) -> dict[int, str]:
        """Return the ids of those documents that exist, by their row."""
        table = schema.documents
        found: dict[int, str] = {}
        statement = select(table.c.id, table.c.external_id).where(table.c.collection_id == collection.id)
        with self._database.read() as connection:
            for batch in in_batches(ids):
                rows = connection.execute(statement.where(table.c.external_id.in_(batch)))
                found.update({row.id: row.external_id for row in rows})
        return found

    def count(self, collection: Collection) -> int:
        """How many documents there are."""
        table = schema.documents
        with self._database.read() as connection:
            statement = select(func.count()).select_from(table).where(table.c.collection_id == collection.id)
            return connection.execute(statement).scalar_one()


# Made once: SQLAlchemy takes longer to make this statement than SQLite to answer it.
_SHOWN = select(schema.documents.c.id, *SHOWN_COLUMNS).where(
    schema.documents.c.id.in_(bindparam("rows", expanding=True))
)


def _not_there(collection: Collection, document_id: str) -> NotFound:
    return NotFound(
        f"There is no document {document_id!r} in collection {collection.name!r}. "
        "`tandem documents list` shows those there are."
    )


def _put_document(connection: Connection, place: tuple[int, str], record: DocumentRecord, tally: Tally) -> None:
    collection_id, root = place
    table, document = schema.documents, record.document
    mine = (table.c.collection_id == collection_id, table.c.external_id == document.id)
    old = connection.execute(select(table.c.id, table.c.title).where(*mine)).one_or_none()
    values = {"collection_id": collection_id, "root": root, "item_key": record.item_key, **_columns(document)}
    if old is None:
        key = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
    else:
        key = old.id
        connection.execute(update(table).where(table.c.id == key).values(values))
        connection.execute(delete(schema.links).where(schema.links.c.document_id == key))
    owner = Owner(collection_id, key, old.title if old else document.title, document.title)
    gone, current = replace_chunks(connection, owner, record.chunks, tally)
    log(connection, collection_id, Operation.DELETE, gone)
    log(connection, collection_id, Operation.UPSERT, current)
    if document.links:
        rows = [
            {"document_id": key, "target": link.target, "anchor": link.anchor, "sentence": link.sentence}
            for link in document.links
        ]
        connection.execute(insert(schema.links), rows)


def _put_items(connection: Connection, collection_id: int, batch: Batch) -> None:
    rows = [
        {"collection_id": collection_id, "root": batch.root, "key": key, "content_hash": content_hash}
        for key, content_hash in batch.items.items()
    ]
    if rows:
        table = schema.items
        statement = insert_for(connection, table)
        statement = statement.on_conflict_do_update(
            index_elements=[table.c.collection_id, table.c.root, table.c.key],
            set_={"content_hash": statement.excluded.content_hash},
        )
        connection.execute(statement, rows)


def _forget_item(connection: Connection, collection_id: int, root: str, key: str) -> None:
    table = schema.items
    mine = (table.c.collection_id == collection_id, table.c.root == root, table.c.key == key)
    connection.execute(delete(table).where(*mine))


def _columns(document: Document) -> dict[str, Any]:
    return {
        "external_id": document.id,
        "content_hash": document.content_hash,
        "title": document.title,
        "blocks": [[block.kind, block.text, block.level, block.language] for block in document.blocks],
        "url": document.url,
        "created": document.created,
        "updated": document.updated,
        "tags": list(document.tags),
        "metadata": dict(document.metadata),
        "ingested_at": now(),
    }


def _document(row: Row[Any], links: Sequence[Link]) -> Document:
    return Document(
        id=row.external_id,
        title=row.title,
        blocks=tuple(Block(BlockKind(kind), text, level, language) for kind, text, level, language in row.blocks),
        url=row.url,
        created=row.created,
        updated=row.updated,
        tags=tuple(row.tags),
        metadata=row.metadata,
        links=tuple(links),
    )
