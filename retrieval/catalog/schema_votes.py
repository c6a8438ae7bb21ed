"""The catalog's tables of votes: what people said who saw two arms side by side without knowing which was which."""

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from retrieval.catalog.schema import metadata

# `ballot` is what a vote was cast by, so that none is cast twice; `a_shown` and `b_shown` are documents in order.
votes = Table(
    "votes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("ballot", String(64), nullable=False, unique=True),
    Column("query", Text, nullable=False),
    Column("a", String(160), nullable=False),
    Column("b", String(160), nullable=False),
    Column("preferred", String(8), nullable=False),
    Column("on_left", String(1), nullable=False),
    Column("a_shown", JSON, nullable=False),
    Column("b_shown", JSON, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("made_at", String(32), nullable=False),
    Index(None, "collection_id", "a", "b"),
    sqlite_autoincrement=True,
)

# Pages that can be voted on: `number` is all that a page has of its ballot, `shown` is what each side showed.
ballots = Table(
    "ballots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", String(32), nullable=False, unique=True),
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("on_left", String(1), nullable=False),
    Column("shown", JSON, nullable=False),
    Column("drawn_at", Float, nullable=False),
    Index(None, "drawn_at"),
    sqlite_autoincrement=True,
)
