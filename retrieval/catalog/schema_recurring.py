"""The catalog's tables of what is done again and again: sources to ingest, trainings to follow, schedules."""

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from retrieval.catalog.schema import metadata


def _collection_id() -> Column[int]:
    return Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False)


# What was ingested, as it was asked for: enough to do the same again. Paths are absolute.
sources = Table(
    "sources",
    metadata,
    Column("id", Integer, primary_key=True),
    _collection_id(),
    Column("location", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("ingested_at", String(32), nullable=False),
    UniqueConstraint("collection_id", "location"),
)

# The last training of a collection, and what there was to train on: eight bytes a document and a brought pair.
trainings = Table(
    "trainings",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("ended_at", String(32), nullable=False),
    Column("verdict", String(40), nullable=False),
    Column("documents", LargeBinary, nullable=False),
    Column("pairs", LargeBinary, nullable=False),
)

# Work that is asked for whenever its cron expression says so. Times are ISO 8601 in UTC, "" for never.
schedules = Table(
    "schedules",
    metadata,
    Column("id", Integer, primary_key=True),
    _collection_id(),
    Column("kind", String(32), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("cron", String(128), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("is_enabled", Integer, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("last_run_at", String(32), nullable=False),
    Column("next_run_at", String(32), nullable=False),
    Column("last_job", Integer),
    Index(None, "is_enabled", "next_run_at"),
    sqlite_autoincrement=True,
)
