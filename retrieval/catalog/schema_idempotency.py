"""The table of answers that are kept under their callers' keys."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, String, Table

from retrieval.catalog.schema import metadata

# `status` is 0 while the request is being answered; `claim` says by whom, `beat_at` when they were last heard of.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", String(160), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("claim", String(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("beat_at", Float, nullable=False),
    Index(None, "made_at"),
)
