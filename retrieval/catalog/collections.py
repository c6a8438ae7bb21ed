"""Collections and their settings."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from retrieval.catalog import schema
from retrieval.catalog.database import Database, now
from retrieval.catalog.rows import insert_for
from retrieval.errors import CatalogError, UnknownName, UsageError
from retrieval.types import JsonValue

DEFAULT_COLLECTION = "default"
CONFIG = "config"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class CollectionConfig:
    """What its owner chose for a collection; changing any of it is a change that an evaluation can judge."""

    language: str = "english"
    chunk_tokens: int = 200
    model: str = ""
    """The active embedding model's version; empty until the first ingest chooses one."""
    k1: float = 1.2
    b: float = 0.75
    fusion: str = "calibrated"
    """calibrated (a convex combination of z-scores) or rrf."""
    embedding_weight: float = 0.75
    """The embedding leg's share in a calibrated fusion; the keyword leg has the rest."""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "CollectionConfig":
        """Read a stored value, leaving out what this version does not know."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: setting for name, setting in value.items() if name in known})


@dataclass(frozen=True, slots=True)
class Collection:
    """A named body of writing with one index."""

    id: int
    name: str
    config: CollectionConfig
    created_at: str


Settings = Mapping[str, JsonValue]
"""A collection's settings by name; its config is one of them."""


def config_of(settings: Settings) -> CollectionConfig:
    """Return the config among settings."""
    return CollectionConfig.from_json(settings.get(CONFIG) or {})


def check_name(name: str) -> None:
    """Raise UsageError for what cannot name a collection."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a collection; use 1 to 63 lower-case letters, digits, '-' or '_', beginning with a "
            "letter or a digit."
        )


class CollectionExists(CatalogError):
    """A collection has this name already."""


class ConfigChanged(CatalogError):
    """Somebody else changed the collection's config meanwhile."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The settings of {name!r} were changed meanwhile by another process; run the command again.")


class Collections:
    """Create, list and delete collections; read and write their settings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, config: CollectionConfig) -> Collection:
        """Make an empty collection; raises UsageError for a bad name and CollectionExists for one that is taken."""
        check_name(name)
        table = schema.collections
        with self._database.write() as connection:
            statement = insert_for(connection, table).values(name=name, created_at=now()).on_conflict_do_nothing()
            if connection.execute(statement).rowcount == 0:
                raise CollectionExists(
                    f"A collection called {name!r} exists; `tandem collections list` shows them all."
                )
            key = connection.execute(select(table.c.id).where(table.c.name == name)).scalar_one()
            _put_setting(connection, key, CONFIG, asdict(config))
        return self.get(name)

    def get(self, name: str) -> Collection:
        """Return a collection; raises UnknownName."""
        known = {collection.name: collection for collection in self.list()}
        if name not in known:
            raise UnknownName(f"collection {name!r}", known, f"`tandem ingest PATH --collection {name}` makes it.")
        return known[name]

    def ensure(self, name: str, config: CollectionConfig) -> Collection:
        """Return the collection, made with `config` if it is not there."""
        if any(collection.name == name for collection in self.list()):
            return self.get(name)
        try:
            return self.create(name, config)
        except CollectionExists:  # another process made it in between
            return self.get(name)

    def list(self) -> list[Collection]:
        """Return every collection, by name."""
        table, settings = schema.collections, schema.settings
        joined = table.outerjoin(settings, (settings.c.collection_id == table.c.id) & (settings.c.name == CONFIG))
        statement = (
            select(table.c.id, table.c.name, table.c.created_at, settings.c.value)
            .select_from(joined)
            .order_by(table.c.name)
        )
        with self._database.read() as connection:
            rows = connection.execute(statement).all()
        return [
            Collection(row.id, row.name, CollectionConfig.from_json(row.value or {}), row.created_at) for row in rows
        ]

    def delete(self, name: str) -> None:
        """Remove a collection and everything in it but the shared embeddings; raises UnknownName."""
        collection = self.get(name)
        with self._database.write() as connection:
            connection.execute(delete(schema.collections).where(schema.collections.c.id == collection.id))

    def configure(self, collection: Collection, config: CollectionConfig) -> Collection:
        """Record a new config and return the collection with it.

        Raises ConfigChanged when its config is no longer the collection's: what was meant to change may not be there.
        """

        def configured(settings: Settings) -> Settings:
            if config_of(settings) != collection.config:
                raise ConfigChanged(collection.name)
            return {**settings, CONFIG: asdict(config)}

        self.update_settings(collection, configured)
        return Collection(collection.id, collection.name, config, collection.created_at)

    def setting(self, collection: Collection, name: str) -> JsonValue:
        """Return a recorded setting, or None."""
        table = schema.settings
        statement = select(table.c.value).where(table.c.collection_id == collection.id, table.c.name == name)
        with self._database.read() as connection:
            return connection.execute(statement).scalar()

    def update_settings(self, collection: Collection, change: Callable[[Settings], Settings]) -> None:
        """Record what `change` makes of all settings there are; nothing comes in between, and what it raises passes."""
        table = schema.settings
        with self._database.write() as connection:
            mine = select(table.c.name, table.c.value).where(table.c.collection_id == collection.id).with_for_update()
            before = {row.name: row.value for row in connection.execute(mine)}
            for name, value in change(before).items():
                if name not in before or before[name] != value:
                    _put_setting(connection, collection.id, name, value)

    def put_setting(self, collection: Collection, name: str, value: JsonValue) -> None:
        """Record a setting, replacing the one there was."""
        self.put_settings(collection, {name: value})

    def put_settings(self, collection: Collection, settings: Mapping[str, JsonValue]) -> None:
        """Record several settings, all of them or none."""
        with self._database.write() as connection:
            for name, value in settings.items():
                _put_setting(connection, collection.id, name, value)


def _put_setting(connection: Connection, collection_id: int, name: str, value: JsonValue) -> None:
    row = {"collection_id": collection_id, "name": name, "value": json.loads(json.dumps(value)), "recorded_at": now()}
    table = schema.settings
    connection.execute(delete(table).where(table.c.collection_id == collection_id, table.c.name == name))
    connection.execute(insert(table).values(row))
