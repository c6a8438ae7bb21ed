"""The catalog's tables. A migration in migrations/ makes each of them; a test holds the two equal."""

from sqlalchemy import (
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _collection_id() -> Column[int]:
    return Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), nullable=False)


collections = Table(
    "collections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("created_at", String(32), nullable=False),
    sqlite_autoincrement=True,
)

settings = Table(
    "settings",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("recorded_at", String(32), nullable=False),
)

# What a source held when it was last ingested; an item whose hash is unchanged is not parsed again.
items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    _collection_id(),
    Column("root", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    UniqueConstraint("collection_id", "root", "key"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Integer, primary_key=True),
    _collection_id(),
    Column("external_id", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("item_key", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("blocks", JSON, nullable=False),
    Column("url", Text),
    Column("created", String(40)),
    Column("updated", String(40)),
    Column("tags", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("ingested_at", String(32), nullable=False),
    UniqueConstraint("collection_id", "external_id"),
    Index(None, "collection_id", "root", "item_key"),
    sqlite_autoincrement=True,
)

# A chunk's id is its point's id in the index, so ids are never used twice.
chunks = Table(
    "chunks",
    metadata,
    Column("id", Integer, primary_key=True),
    _collection_id(),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("headings", JSON, nullable=False),
    Column("text", Text, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("text_hash", String(32), nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("length", Float, nullable=False),
    Index(None, "document_id", "position"),
    Index(None, "collection_id", "length"),  # covers the mean length without reading the texts
    sqlite_autoincrement=True,
)

links = Table(
    "links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("target", Text, nullable=False),
    Column("anchor", Text, nullable=False),
    Column("sentence", Text, nullable=False),
)

# Shared by all collections: the same text under the same model is embedded once.
embeddings = Table(
    "embeddings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("text_hash", String(32), nullable=False),
    Column("vector", LargeBinary, nullable=False),
    UniqueConstraint("fingerprint", "text_hash"),
)

# The ordered log that the index owner applies; chunk_id has no foreign key because deletions outlive their chunk.
changes = Table(
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True),
    _collection_id(),
    Column("chunk_id", Integer, nullable=False),
    Column("operation", String(8), nullable=False),
    Column("state", String(8), nullable=False),
    Index(None, "collection_id", "state", "seq"),
    sqlite_autoincrement=True,
)

vocabulary = Table(
    "vocabulary",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("word", String(128), primary_key=True),
    Column("chunks", Integer, nullable=False),
)

# Moments of a model's vectors over a collection: what calibrates the embedding leg's scores.
moments = Table(
    "moments",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("points", Integer, nullable=False),
    Column("mean", LargeBinary, nullable=False),
    Column("covariance", LargeBinary, nullable=False),
)

# The same for the keyword leg: arrays by term id of how many chunks hold it, and the sums of its weights and squares.
term_moments = Table(
    "term_moments",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("points", Integer, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("frequencies", LargeBinary, nullable=False),
    Column("sums", LargeBinary, nullable=False),
    Column("squares", LargeBinary, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("version", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("passage_fingerprint", String(64), nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("provenance", JSON, nullable=False),
    Column("added_at", String(32), nullable=False),
)

# Evaluation sets: queries with a source each, and graded judgments of documents by the ids their owner gave them.
judgment_sets = Table(
    "judgment_sets",
    metadata,
    Column("id", Integer, primary_key=True),
    _collection_id(),
    Column("name", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    UniqueConstraint("collection_id", "name"),
)

judged_queries = Table(
    "judged_queries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("set_id", ForeignKey("judgment_sets.id", ondelete="CASCADE"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("source", String(64), nullable=False),
    Column("cluster", Text, nullable=False),
    Column("masks", JSON, nullable=False),
    UniqueConstraint("set_id", "external_id"),
)

# A document without a grade was pooled and waits for a judge.
judgments = Table(
    "judgments",
    metadata,
    Column("query_id", ForeignKey("judged_queries.id", ondelete="CASCADE"), primary_key=True),
    Column("document", Text, primary_key=True),
    Column("grade", Integer),
)

# What arms ranked, in TREC format, compressed; `key` says of which queries, catalog and settings.
runs = Table(
    "runs",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("judgments", String(128), primary_key=True),
    Column("arm", String(160), primary_key=True),
    Column("key", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("made_at", String(32), nullable=False),
)

# What a model is trained on: a query and the chunk that answers it, and what of it is hidden in that chunk.
pairs = Table(
    "pairs",
    metadata,
    Column("id", Integer, primary_key=True),
    _collection_id(),
    Column("query", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("source", String(64), nullable=False),
    Column("weight", Float, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("strings", JSON, nullable=False),
    UniqueConstraint("collection_id", "query", "document"),
)

# The last comparison of two arms on a judgment set; `key` says under what circumstances it holds.
verdicts = Table(
    "verdicts",
    metadata,
    Column("collection_id", ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("a", String(160), primary_key=True),
    Column("b", String(160), primary_key=True),
    Column("judgments", String(128), primary_key=True),
    Column("key", String(64), nullable=False),
    Column("verdict", String(40), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("made_at", String(32), nullable=False),
)

# Work that a worker does. `active_key` is the same for the same work while it waits or runs, and NULL afterwards;
# `outline` is what of a result lists read.
jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("collection", String(128), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("active_key", String(64), unique=True),
    Column("state", String(16), nullable=False),
    Column("progress", JSON, nullable=False),
    Column("result", JSON),
    Column("outline", JSON),
    Column("error", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("made_by", String(128), nullable=False),
    Column("worker", String(128), nullable=False),
    Column("is_cancelled", Integer, nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("started_at", String(32), nullable=False),
    Column("ended_at", String(32), nullable=False),
    Column("beat_at", Float, nullable=False),
    Index(None, "state"),
    sqlite_autoincrement=True,
)

job_lines = Table(
    "job_lines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", String(32), nullable=False),
    Column("text", Text, nullable=False),
    sqlite_autoincrement=True,
)

# Who may ask a service for what. Of a key only a digest is kept: it is long and random, so none is found by trying.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("collection", String(128), nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("revoked_at", String(32), nullable=False),
)
