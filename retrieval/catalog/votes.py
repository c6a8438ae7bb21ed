"""Votes: which of two arms somebody liked better for a query, without knowing which was which."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, and_, insert, or_, select

from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database, now
from retrieval.catalog.schema_votes import votes
from retrieval.errors import NotFound, UsageError


class Preferred(StrEnum):
    """What a voter said."""

    A = "a"
    B = "b"
    EQUAL = "equal"
    """Both arms answer equally well."""
    BAD = "bad"
    """Neither arm answers."""


class VotedAlready(UsageError):
    """The ballot was cast before."""


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote. `a_shown` and `b_shown` are the ids of the documents that each arm showed, in order.

    `ballot` names the page that was voted on, `on_left` is the arm ("a" or "b") that stood on its left.
    """

    ballot: str
    query: str
    a: str
    b: str
    preferred: Preferred
    on_left: str
    a_shown: tuple[str, ...]
    b_shown: tuple[str, ...]
    made_by: str
    made_at: str = ""
    id: int = 0


class Votes:
    """Keep and find votes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, collection: Collection, vote: Vote) -> Vote:
        """Keep a vote and return it with its number; raises VotedAlready."""
        table = votes
        row = {
            "collection_id": collection.id,
            "ballot": vote.ballot,
            "query": vote.query,
            "a": vote.a,
            "b": vote.b,
            "preferred": vote.preferred.value,
            "on_left": vote.on_left,
            "a_shown": list(vote.a_shown),
            "b_shown": list(vote.b_shown),
            "made_by": vote.made_by,
            "made_at": vote.made_at or now(),
        }
        with self._database.write() as connection:
            cast = connection.execute(select(table.c.id).where(table.c.ballot == vote.ballot)).scalar()
            if cast is not None:
                raise VotedAlready(f"This page was voted on already (vote {cast}); search again to vote again.")
            made = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
        return self.get(collection, made)

    def get(self, collection: Collection, vote: int) -> Vote:
        """Return a vote of a collection; raises NotFound."""
        table = votes
        mine = (table.c.collection_id == collection.id, table.c.id == vote)
        with self._database.read() as connection:
            row = connection.execute(select(table).where(*mine)).first()
        if row is None:
            raise NotFound(f"There is no vote {vote} in collection {collection.name!r}.")
        return _vote(row)

    def about(self, collection: Collection, query: str) -> list[Vote]:
        """Return the votes on a query, the oldest first."""
        table = votes
        mine = (table.c.collection_id == collection.id, table.c.query == query)
        with self._database.read() as connection:
            return [_vote(row) for row in connection.execute(select(table).where(*mine).order_by(table.c.id))]

    def list(
        self, collection: Collection, *, arms: Sequence[str] = (), before: int | None = None, limit: int | None = None
    ) -> list[Vote]:
        """Return votes, the newest first: those between two `arms`, whichever was called a, or all."""
        table = votes
        statement = select(table).where(table.c.collection_id == collection.id).order_by(table.c.id.desc()).limit(limit)
        if arms:
            a, b = arms
            pair = and_(table.c.a == a, table.c.b == b), and_(table.c.a == b, table.c.b == a)
            statement = statement.where(or_(*pair))
        if before is not None:
            statement = statement.where(table.c.id < before)
        with self._database.read() as connection:
            return [_vote(row) for row in connection.execute(statement)]


def _vote(row: Row[Any]) -> Vote:
    return Vote(
        ballot=row.ballot,
        query=row.query,
        a=row.a,
        b=row.b,
        preferred=Preferred(row.preferred),
        on_left=row.on_left,
        a_shown=tuple(row.a_shown),
        b_shown=tuple(row.b_shown),
        made_by=row.made_by,
        made_at=row.made_at,
        id=row.id,
    )
