"""Keys of the API: who may ask a service for what, until when.

A key is `tandem_ID_SECRET`. The catalog has the ID and a SHA-256 of the whole; the key itself is shown once, to whoever
makes it. The secret has 256 random bits, so that a plain digest is enough: there is nothing to guess.
"""

import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, insert, select, update

from retrieval.catalog import schema
from retrieval.catalog.database import Database, now
from retrieval.errors import NotFound, UsageError

PREFIX = "tandem"
_ID_BYTES, _SECRET_BYTES = 6, 32


class Scope(StrEnum):
    """What a key allows; each allows what those before it do."""

    READ = "read"
    """To search, and to see documents, models and jobs."""
    WRITE = "write"
    """To bring and delete documents and judgments, and to have them ingested."""
    ADMIN = "admin"
    """To train, promote, roll back, and whatever else there is."""

    def allows(self, wanted: "Scope") -> bool:
        """Return whether this scope includes another."""
        order = list(Scope)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. `collection` "" means every one, `expires_at` and `revoked_at` "" never."""

    id: str
    name: str
    scopes: Sequence[Scope]
    collection: str
    made_at: str
    expires_at: str
    revoked_at: str

    @classmethod
    def of(cls, row: Row[Any]) -> "Key":
        """Read a row."""
        scopes = [Scope(scope) for scope in row.scopes]
        return cls(row.id, row.name, scopes, row.collection, row.made_at, row.expires_at, row.revoked_at)

    @property
    def is_over(self) -> bool:
        """Whether it was revoked, or has expired."""
        return bool(self.revoked_at) or bool(self.expires_at and self.expires_at <= now())

    def allows(self, wanted: Scope) -> bool:
        """Return whether it includes a scope."""
        return any(scope.allows(wanted) for scope in self.scopes)


class Keys:
    """Make, find and revoke keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, name: str, scopes: Collection[Scope], *, collection: str = "", expires_at: datetime | None = None
    ) -> tuple[Key, str]:
        """Make a key; return it, and what its holder sends, which nobody can find out later.

        Raises UsageError for no name or scope, and for a moment that is past.
        """
        until = "" if expires_at is None else expires_at.astimezone(UTC).isoformat(timespec="seconds")
        if not name.strip() or not scopes:
            raise UsageError("A key needs a name, and at least one scope out of read, write and admin.")
        if until and until <= now():
            raise UsageError(f"A key that expires at {until} is of no use; give a moment to come.")
        own = secrets.token_hex(_ID_BYTES)
        sent = f"{PREFIX}_{own}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        row = {
            "id": own,
            "name": name.strip(),
            "digest": _digest(sent),
            "scopes": sorted(set(scopes), key=list(Scope).index),
            "collection": collection,
            "made_at": now(),
            "expires_at": until,
            "revoked_at": "",
        }
        with self._database.write() as connection:
            connection.execute(insert(schema.api_keys).values(row))
        return self.get(own), sent

    def get(self, key: str) -> Key:
        """Return a key by its id; raises NotFound."""
        table = schema.api_keys
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == key)).first()
        if row is None:
            raise NotFound(f"There is no key {key!r}; `tandem keys list` shows those there are.")
        return Key.of(row)

    def list(self) -> "list[Key]":
        """Return every key, the oldest first."""
        table = schema.api_keys
        with self._database.read() as connection:
            return [Key.of(row) for row in connection.execute(select(table).order_by(table.c.made_at, table.c.id))]

    def revoke(self, key: str) -> Key:
        """Let a key be of no use any more; one that is revoked stays as it is. Raises NotFound."""
        table = schema.api_keys
        with self._database.write() as connection:
            mine = update(table).where(table.c.id == key, table.c.revoked_at == "")
            connection.execute(mine.values(revoked_at=now()))
        return self.get(key)

    def held(self, sent: str) -> Key | None:
        """Return the key that somebody sent, compared in constant time; None for none, or one revoked or expired."""
        prefix, _, rest = sent.partition("_")
        own = rest.partition("_")[0]
        table = schema.api_keys
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.id == own)).first() if prefix == PREFIX else None
        known = row.digest if row is not None else _digest("")
        if not hmac.compare_digest(known, _digest(sent)) or row is None:
            return None
        key = Key.of(row)
        return None if key.is_over else key


def _digest(sent: str) -> str:
    return sha256(sent.encode("utf-8", "surrogatepass")).hexdigest()
