"""Open the catalog's database, hand out transactions, and refuse a schema that this Tandem does not know."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from retrieval.errors import CatalogError, SchemaMismatch
from retrieval.types import JsonValue

SCHEMA_REVISION = "0012"
BUSY_TIMEOUT_S = 60
T = TypeVar("T")
Along = Callable[[Connection, T], None]
"""What else is written in a transaction, once it is known what came of it."""
MIGRATIONS = Path(__file__).parent / "migrations"


def now() -> str:
    """Return the current time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def nothing_else(_connection: Connection, _done: object) -> None:
    """Write nothing along with a transaction."""


class _Snapshot(threading.local):
    """The connection of the read that this thread is in."""

    connection: Connection | None = None


class Database:
    """The engine of one catalog. Reads see a snapshot; writes are serialised and durable when they return."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self.url = self._engine.url.render_as_string(hide_password=True)
        """The database's URL as messages show it, without a password."""
        self.shown_url = self._engine.url.render_as_string(hide_password=True)
        """The URL as messages may show it."""
        self._snapshot = _Snapshot()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot, which reads inside it in the same thread share; a write inside it is not seen."""
        if self._snapshot.connection is not None:
            yield self._snapshot.connection
            return
        with self._connection("BEGIN") as connection:
            self._snapshot.connection = connection
            try:
                yield connection
            finally:
                self._snapshot.connection = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed when the block ends and rolled back when it raises."""
        with self._connection("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _connection(self, begin: str) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(tandem_begin=begin) as connection, connection.begin():
                yield connection
        except OperationalError as error:
            raise CatalogError(f"The catalog {self.shown_url} did not answer: {_reason(error)}.") from error
        except DBAPIError as error:
            raise CatalogError(f"The catalog {self.shown_url} refused a statement: {_reason(error)}.") from error

    def prepare(self) -> None:
        """Create the schema in an empty database; raise SchemaMismatch when it is older or newer than this Tandem."""
        revision = self.revision()
        if revision is None:
            self.migrate()
        elif revision != SCHEMA_REVISION:
            raise SchemaMismatch(_mismatch(self.shown_url, revision))

    def revision(self) -> str | None:
        """The schema revision the database is at; None when it is empty."""
        with self.read() as connection:
            if not self._engine.dialect.has_table(connection, "alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def migrate(self) -> None:
        """Bring the schema to this Tandem's revision with Alembic, in one transaction."""
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self.write() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise SchemaMismatch(_mismatch(self.shown_url, str(self.revision()))) from error

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise CatalogError(f"TANDEM_CATALOG_URL is {url!r}, which is not a database URL.") from error
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and parsed.database:
        _make_folder(Path(parsed.database).parent)
    try:
        engine = create_engine(
            parsed,
            pool_pre_ping=not is_sqlite,
            json_deserializer=_from_json,
            hide_parameters=True,  # a statement's values are documents and digests of keys, which no log may hold
        )
    except (ImportError, SQLAlchemyError) as error:
        raise CatalogError(f"The catalog's database cannot be used: {error}. Install its driver.") from error
    if is_sqlite:
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin)
    return engine


def _make_folder(folder: Path) -> None:
    """Make the folder of a new home, for its owner alone: queries and documents are nobody else's business."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CatalogError(
            f"The folder {str(folder)!r} cannot be made ({error.strerror}); point --home at one that can be written."
        ) from error


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin says, not where sqlite3 guesses
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -65536")


def _from_json(text: str) -> JsonValue:
    """Read a JSON column; most hold nothing, and a search reads sixty of them."""
    if text == "[]":
        return []
    if text == "{}":
        return {}
    value: JsonValue = json.loads(text)
    return value


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("tandem_begin", "BEGIN"))


def _reason(error: DBAPIError) -> str:
    return str(error.orig)


def _mismatch(url: str, revision: str) -> str:
    if revision < SCHEMA_REVISION:
        return (
            f"The catalog {url} has schema {revision}; this Tandem needs {SCHEMA_REVISION}. "
            "Back it up, then run `tandem migrate`."
        )
    return (
        f"The catalog {url} has schema {revision}, newer than the {SCHEMA_REVISION} of this Tandem. Upgrade Tandem, "
        "or point --home at another folder."
    )
