"""Writes that hold only while a document is what their writer has seen."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.errors import CatalogError

Still = Mapping[str, str]
"""Content hashes, by id, that documents must still have when they are written."""
UNCONDITIONAL: Still = {}


class DocumentChanged(CatalogError):
    """A document is not what whoever writes it has seen: somebody else has changed or deleted it."""

    @classmethod
    def of(cls, document_id: str) -> "DocumentChanged":
        """Return the error of one document."""
        return cls(
            f"The document {document_id!r} was changed or deleted since; nothing was written. Read it, then decide."
        )


def stored_hash(connection: Connection, collection: Collection, document_id: str) -> str | None:
    """Return the content hash of a document as it was kept; None where there is none."""
    table = schema.documents
    mine = (table.c.collection_id == collection.id, table.c.external_id == document_id)
    found: str | None = connection.execute(select(table.c.content_hash).where(*mine)).scalar()
    return found


def check_still(connection: Connection, collection: Collection, still: Still) -> None:
    """Raise DocumentChanged where a document is not what `still` says, inside the transaction that writes it."""
    for document_id, content_hash in still.items():
        if stored_hash(connection, collection, document_id) != content_hash:
            raise DocumentChanged.of(document_id)
