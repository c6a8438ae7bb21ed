"""What was ingested into a collection, and how: enough for the same to be done again."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import delete, select

from retrieval.catalog import schema_recurring as schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database, now
from retrieval.catalog.rows import insert_for
from retrieval.errors import NotFound
from retrieval.types import JsonValue, Metadata


@dataclass(frozen=True, slots=True)
class KeptOptions:
    """What an ingest was told of its sources."""

    format: str = "auto"
    prune: bool = False
    base_url: str | None = None
    id_prefix: str = ""
    metadata: Metadata = field(default_factory=dict)
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class KeptSource:
    """A source as a person names it, a path being absolute; `ingested_at` is when it was last ingested to the end."""

    location: str
    options: KeptOptions
    ingested_at: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as `--json` gives it."""
        return {"location": self.location, **_record(self.options), "ingested_at": self.ingested_at}


class Sources:
    """Remember what was ingested; of one location, the last way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, collection: Collection, locations: Iterable[str], options: KeptOptions) -> None:
        """Remember that these were ingested just now; those that are known keep their place."""
        table = schema.sources
        same = {"collection_id": collection.id, "options": _record(options), "ingested_at": now()}
        rows = [{**same, "location": location} for location in dict.fromkeys(locations)]
        if not rows:
            return
        with self._database.write() as connection:
            statement = insert_for(connection, table)
            changed = {name: getattr(statement.excluded, name) for name in ("options", "ingested_at")}
            connection.execute(
                statement.on_conflict_do_update(index_elements=[table.c.collection_id, table.c.location], set_=changed),
                rows,
            )

    def list(self, collection: Collection) -> list[KeptSource]:
        """Return the sources, in the order in which they were first ingested."""
        table = schema.sources
        statement = select(table).where(table.c.collection_id == collection.id).order_by(table.c.id)
        with self._database.read() as connection:
            return [
                KeptSource(row.location, _options(row.options), row.ingested_at)
                for row in connection.execute(statement)
            ]

    def forget(self, collection: Collection, location: str) -> None:
        """Ingest a source no more by itself; its documents stay. Raises NotFound."""
        table = schema.sources
        mine = (table.c.collection_id == collection.id, table.c.location == location)
        with self._database.write() as connection:
            gone = connection.execute(delete(table).where(*mine)).rowcount
        if not gone:
            raise NotFound(
                f"{location!r} is no source of {collection.name!r}; `tandem sources list -c {collection.name}` shows "
                "those there are."
            )


def _record(options: KeptOptions) -> dict[str, JsonValue]:
    return {**asdict(options), "metadata": dict(options.metadata)}


def _options(record: Mapping[str, Any]) -> KeptOptions:
    return KeptOptions(**{name: record[name] for name in KeptOptions.__dataclass_fields__ if name in record})
