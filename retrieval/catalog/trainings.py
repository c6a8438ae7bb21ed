"""The last training of each collection, and what there was to train on then: so that what is new can be counted."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from hashlib import blake2b

from sqlalchemy import select

from retrieval.catalog import schema_recurring as schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database, now
from retrieval.catalog.rows import insert_for

DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to train on, as digests: the documents with their contents, and the pairs that were brought."""

    documents: Set[bytes] = field(default_factory=frozenset)
    pairs: Set[bytes] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class LastTraining:
    """When the last training of a collection ended, what came of it, and what there was to train on when it began."""

    ended_at: str
    verdict: str
    material: Material


class Trainings:
    """Keep and find the last training of a collection."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, collection: Collection, verdict: str, material: Material) -> None:
        """Record a training that just ended, in place of the one before."""
        table = schema.trainings
        values = {
            "ended_at": now(),
            "verdict": verdict,
            "documents": _packed(material.documents),
            "pairs": _packed(material.pairs),
        }
        with self._database.write() as connection:
            statement = insert_for(connection, table).values(collection_id=collection.id, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=[table.c.collection_id], set_=values))

    def last(self, collection: Collection) -> LastTraining | None:
        """Return the last training; None where there was none."""
        table = schema.trainings
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.collection_id == collection.id)).one_or_none()
        if row is None:
            return None
        return LastTraining(row.ended_at, row.verdict, Material(_unpacked(row.documents), _unpacked(row.pairs)))


def digest(*parts: str) -> bytes:
    """Return what tells some texts from any others."""
    written = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(written, digest_size=DIGEST_BYTES).digest()


def _packed(digests: Iterable[bytes]) -> bytes:
    return b"".join(sorted(digests))


def _unpacked(data: bytes) -> frozenset[bytes]:
    return frozenset(data[start : start + DIGEST_BYTES] for start in range(0, len(data), DIGEST_BYTES))
