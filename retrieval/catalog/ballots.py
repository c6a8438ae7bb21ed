"""Ballots: pages that showed two arms on unnamed sides, kept here so that nothing of a page tells which was which."""

import secrets
import time
from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select

from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database
from retrieval.catalog.schema import collections
from retrieval.catalog.schema_votes import ballots
from retrieval.errors import UsageError

GOOD_FOR_S = 86_400
MOST_KEPT = 10_000
"""Of the pages that were shown last."""


class BallotGone(UsageError):
    """Nothing is kept under a ballot's number."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Two arms' answers to a query: the ids of the documents that each showed, in order."""

    query: str
    a: str
    b: str
    a_shown: tuple[str, ...]
    b_shown: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether both show the same documents in the same order, so that neither can be better."""
        return self.a_shown == self.b_shown


@dataclass(frozen=True, slots=True)
class Ballot:
    """What was shown of a collection, and which arm ("a" or "b") stood on the left; `number` is all that a page has."""

    number: str
    collection: str
    on_left: str
    shown: Shown

    @property
    def on_right(self) -> str:
        """The arm that stood on the right."""
        return "b" if self.on_left == "a" else "a"

    @classmethod
    def draw(cls, collection: Collection, shown: Shown) -> "Ballot":
        """Put two arms on sides at random."""
        return cls(secrets.token_hex(16), collection.name, secrets.choice("ab"), shown)


class Ballots:
    """Keep ballots for a day, and find them by the numbers that forms bring back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, collection: Collection, ballot: Ballot) -> None:
        """Keep a ballot; those of yesterday, and beyond the last MOST_KEPT, are dropped."""
        table, now = ballots, time.time()
        row = {
            "number": ballot.number,
            "collection_id": collection.id,
            "on_left": ballot.on_left,
            "shown": asdict(ballot.shown),
            "drawn_at": now,
        }
        with self._database.write() as connection:
            newest = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
            connection.execute(delete(table).where(table.c.id <= newest - MOST_KEPT))
            connection.execute(delete(table).where(table.c.drawn_at < now - GOOD_FOR_S))

    def get(self, number: str) -> Ballot:
        """Return a ballot that was drawn within a day; raises BallotGone."""
        table = ballots
        whole = select(table, collections.c.name).join(collections, collections.c.id == table.c.collection_id)
        drawn = (table.c.number == number, table.c.drawn_at >= time.time() - GOOD_FOR_S)
        row = None
        if number.isascii() and number.isalnum():
            with self._database.read() as connection:
                row = connection.execute(whole.where(*drawn)).first()
        if row is None:
            raise BallotGone(
                "This page cannot be voted on any more: a day has passed, or its collection was deleted. Search again."
            )
        told = row.shown
        shown = Shown(told["query"], told["a"], told["b"], tuple(told["a_shown"]), tuple(told["b_shown"]))
        return Ballot(row.number, row.name, row.on_left, shown)
