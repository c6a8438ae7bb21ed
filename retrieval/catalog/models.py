"""The embedding models that this catalog has used: a version, its fingerprint and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from retrieval.catalog import schema
from retrieval.catalog.collections import CONFIG
from retrieval.catalog.database import Database, now
from retrieval.catalog.rows import insert_for
from retrieval.errors import FingerprintMismatch, UnknownName, UsageError
from retrieval.types import JsonValue


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A registered model. `path` is the folder of its export; `provenance` says where it came from.

    `passage_fingerprint` names the vectors that passages have under it: its own `fingerprint`, unless it maps queries
    to the passages of another model.
    """

    version: str
    fingerprint: str
    passage_fingerprint: str
    dimensions: int
    path: str
    provenance: Mapping[str, JsonValue]
    added_at: str = ""


class Models:
    """Register and find models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, record: ModelRecord) -> ModelRecord:
        """Keep a model under its version; the same again is a no-op.

        Raises FingerprintMismatch if the version stands for another fingerprint: a version never changes its meaning.
        """
        table = schema.models
        row = {
            "version": record.version,
            "fingerprint": record.fingerprint,
            "passage_fingerprint": record.passage_fingerprint,
            "dimensions": record.dimensions,
            "path": record.path,
            "provenance": dict(record.provenance),
            "added_at": record.added_at or now(),
        }
        with self._database.write() as connection:
            connection.execute(insert_for(connection, table).values(row).on_conflict_do_nothing())
        known = self.get(record.version)
        if known.fingerprint != record.fingerprint:
            raise FingerprintMismatch(
                f"Model version {record.version!r} is registered with fingerprint {known.fingerprint}, and the model "
                f"at {record.path} has {record.fingerprint}. Add it under another version: `tandem models add`."
            )
        return known

    def get(self, version: str) -> ModelRecord:
        """Return a version; raises UnknownName."""
        known = {record.version: record for record in self.list()}
        if version not in known:
            raise UnknownName(f"model {version!r}", known, "`tandem models add` registers one.")
        return known[version]

    def list(self) -> list[ModelRecord]:
        """Return every model, oldest first."""
        table = schema.models
        with self._database.read() as connection:
            rows = connection.execute(select(table).order_by(table.c.added_at, table.c.version)).all()
        return [
            ModelRecord(
                row.version,
                row.fingerprint,
                row.passage_fingerprint,
                row.dimensions,
                row.path,
                row.provenance,
                row.added_at,
            )
            for row in rows
        ]

    def delete(self, version: str) -> int:
        """Forget a version, with its passages' embeddings and moments unless another version shares them.

        Return how many embeddings went. Raises NotFound, and UsageError for one that a collection searches with.
        """
        record, table, embeddings, moments = self.get(version), schema.models, schema.embeddings, schema.moments
        with self._database.write() as connection:
            _check_idle(connection, version)
            connection.execute(delete(table).where(table.c.version == version))
            sharing = select(table.c.version).where(table.c.passage_fingerprint == record.passage_fingerprint)
            if connection.execute(sharing).first() is not None:
                return 0
            connection.execute(delete(moments).where(moments.c.fingerprint == record.passage_fingerprint))
            gone = embeddings.c.fingerprint == record.passage_fingerprint
            return connection.execute(delete(embeddings).where(gone)).rowcount


def _check_idle(connection: Connection, version: str) -> None:
    collections, settings = schema.collections, schema.settings
    configured = select(collections.c.name, settings.c.value).where(
        collections.c.id == settings.c.collection_id, settings.c.name == CONFIG
    )
    for name, config in connection.execute(configured):
        if config.get("model") == version:
            raise UsageError(f"{version!r} is the model that {name!r} searches with; promote another one there first.")
