"""Verdicts that were reached: the last comparison of two arms on each judgment set, which a promotion needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database, now
from retrieval.types import JsonValue


@dataclass(frozen=True, slots=True)
class KeptVerdict:
    """What was said of arm `b` against arm `a`, by the judgment set named.

    `key` is a digest of the settings and models compared: under another key the verdict is about something else.
    `evidence` is what a reader would want to know of it: effect, interval, p, queries, the canary.
    """

    a: str
    b: str
    judgments: str
    key: str
    verdict: str
    evidence: Mapping[str, JsonValue]
    made_at: str = ""


class Verdicts:
    """Keep and find verdicts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, collection: Collection, verdict: KeptVerdict) -> None:
        """Keep a verdict in place of the one of the same arms and judgment set."""
        table = schema.verdicts
        same = {"collection_id": collection.id, "a": verdict.a, "b": verdict.b, "judgments": verdict.judgments}
        row = {
            **same,
            "key": verdict.key,
            "verdict": verdict.verdict,
            "evidence": dict(verdict.evidence),
            "made_at": verdict.made_at or now(),
        }
        with self._database.write() as connection:
            connection.execute(delete(table).where(*(table.c[name] == value for name, value in same.items())))
            connection.execute(insert(table).values(row))

    def void(self, b: str) -> None:
        """Let what was said of an arm, in any collection, allow nothing any more: its model is gone.

        That it was said stays known; a model that gets the same name is another one.
        """
        table = schema.verdicts
        with self._database.write() as connection:
            found = list(connection.execute(select(table).where(table.c.b == b)).mappings())
            for row in found:
                evidence = {name: value for name, value in row["evidence"].items() if name != "canary"}
                same = (table.c[name] == row[name] for name in ("collection_id", "a", "b", "judgments"))
                connection.execute(update(table).where(*same).values(key="", evidence=evidence))

    def judged(self, collection: Collection, judgments: str) -> set[str]:
        """Return the arms that something was said of by a judgment set."""
        table = schema.verdicts
        mine = (table.c.collection_id == collection.id, table.c.judgments == judgments)
        with self._database.read() as connection:
            return set(connection.execute(select(table.c.b).where(*mine)).scalars())

    def about(self, collection: Collection, b: str) -> list[KeptVerdict]:
        """Return what was said of an arm, the newest first."""
        table = schema.verdicts
        statement = (
            select(table)
            .where(table.c.collection_id == collection.id, table.c.b == b)
            .order_by(table.c.made_at.desc(), table.c.judgments)
        )
        with self._database.read() as connection:
            return [_verdict(row) for row in connection.execute(statement)]

    def all(self, collection: Collection) -> list[KeptVerdict]:
        """Return every verdict of a collection, the newest first."""
        table = schema.verdicts
        statement = (
            select(table)
            .where(table.c.collection_id == collection.id)
            .order_by(table.c.made_at.desc(), table.c.b, table.c.a, table.c.judgments)
        )
        with self._database.read() as connection:
            return [_verdict(row) for row in connection.execute(statement)]


def _verdict(row: Row[Any]) -> KeptVerdict:
    return KeptVerdict(row.a, row.b, row.judgments, row.key, row.verdict, row.evidence, row.made_at)
