"""Documents and chunks in the form that hits and listings show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from retrieval.catalog import schema
from retrieval.types import Metadata

VISIBLE = ("metadata", "tags", "created", "updated")
"""A document's columns that filters, facets and hits see."""


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """What a hit or a listing shows of a document."""

    id: str
    title: str
    url: str | None
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class ShownChunk:
    """A chunk as a hit shows it."""

    id: int
    headings: tuple[str, ...]
    text: str
    document: ShownDocument


SHOWN_COLUMNS = [schema.documents.c[name] for name in ("external_id", "title", "url", *VISIBLE)]

# Made once: SQLAlchemy takes longer to make this statement than SQLite to answer it.
_SHOWN = (
    select(schema.chunks.c.id, schema.chunks.c.document_id, schema.chunks.c.headings, schema.chunks.c.text)
    .add_columns(*SHOWN_COLUMNS)
    .join(schema.documents, schema.documents.c.id == schema.chunks.c.document_id)
    .where(schema.chunks.c.id.in_(bindparam("ids", expanding=True)))
)


def shown_chunks(connection: Connection, ids: Sequence[int]) -> dict[int, ShownChunk]:
    """Return those of `ids` that exist, by id, each with its document."""
    shown: dict[int, ShownChunk] = {}
    documents: dict[int, ShownDocument] = {}
    for key, document, headings, text, *columns in connection.execute(_SHOWN, {"ids": ids}):
        if document not in documents:
            documents[document] = shown_document(*columns)
        shown[key] = ShownChunk(key, tuple(headings), text, documents[document])
    return shown


def shown_document(external_id: str, title: str, url: str | None, *visible: Any) -> ShownDocument:
    """Return a document from its SHOWN_COLUMNS."""
    return ShownDocument(external_id, title, url, visible_metadata(*visible))


def visible_metadata(metadata: Metadata, tags: list[str], created: str | None, updated: str | None) -> Metadata:
    """Return the VISIBLE columns of a document as one: its metadata with its tags and dates beside them."""
    beside = {"created": created, "updated": updated, "tags": tags}
    return {**metadata, **{name: value for name, value in beside.items() if value}}
