"""The tables of what was searched, and what readers made of the answers."""

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text

from retrieval.catalog.schema import metadata

# A search that a service answered; nothing about who asked. `shown` are ids of documents, the first at rank `first`.
searches = Table(
    "searches",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("at", String(32), nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("arm", String(160), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("k", Integer, nullable=False),
    Column("first", Integer, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("shown", JSON, nullable=False),
    Column("agreed", Integer),
    Index(None, "collection_id", "at"),
)

# What a reader said of an answer. `document` is "" for all of it.
feedback = Table(
    "feedback",
    metadata,
    Column("search_id", ForeignKey("searches.id", ondelete="CASCADE"), primary_key=True),
    Column("document", Text, primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("rank", Integer),
    Column("at", String(32), nullable=False),
)
