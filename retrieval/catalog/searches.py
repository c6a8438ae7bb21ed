"""What was searched through a service, and what readers made of the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, select

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database, now
from retrieval.catalog.rows import insert_for
from retrieval.catalog.schema_searches import feedback, searches


class Origin(StrEnum):
    """Where a search came from."""

    API = "api"
    PAGE = "page"
    TYPING = "typing"
    """The page, while somebody typed: most such queries are only the beginning of one."""


class FeedbackKind(StrEnum):
    """What a reader did with an answer or a document in it."""

    CLICK = "click"
    UP = "up"
    DOWN = "down"


OPPOSITES: Mapping[FeedbackKind, FeedbackKind] = {
    FeedbackKind.UP: FeedbackKind.DOWN,
    FeedbackKind.DOWN: FeedbackKind.UP,
}


@dataclass(frozen=True, slots=True)
class LoggedSearch:
    """A search and what it showed: documents by id, the first of them at rank `first`.

    `agreed` says whether both legs put the same document first; None where only one leg searched, or found anything.
    """

    id: str
    collection: str
    text: str
    mode: str
    arm: str
    origin: Origin
    k: int
    first: int
    hits: int
    shown: Sequence[str]
    agreed: bool | None
    at: str

    def rank_of(self, document: str) -> int | None:
        """Return the rank at which a document was shown; None for one that was not."""
        return self.first + list(self.shown).index(document) if document in self.shown else None


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said about a search, or about a document that it showed."""

    search: str
    kind: FeedbackKind
    document: str = ""
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Liked:
    """A document that a reader of a search clicked or judged."""

    search: str
    text: str
    document: str
    kind: FeedbackKind
    rank: int | None


class Searches:
    """Keep and forget searches; take feedback."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, logged: Sequence[LoggedSearch]) -> None:
        """Keep searches in one transaction; those of collections that are gone are left out."""
        collections = schema.collections
        with self._database.write() as connection:
            known = {row.name: row.id for row in connection.execute(select(collections.c.name, collections.c.id))}
            rows = [_row(one, known[one.collection]) for one in logged if one.collection in known]
            if rows:
                connection.execute(insert_for(connection, searches).on_conflict_do_nothing(), rows)

    def get(self, search: str) -> LoggedSearch | None:
        """Return a search; None for one that was never kept, or is forgotten."""
        collections = schema.collections
        statement = (
            select(searches, collections.c.name)
            .join(collections, collections.c.id == searches.c.collection_id)
            .where(searches.c.id == search)
        )
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        agreed = None if row.agreed is None else bool(row.agreed)
        return LoggedSearch(
            id=row.id,
            collection=row.name,
            text=row.text,
            mode=row.mode,
            arm=row.arm,
            origin=Origin(row.origin),
            k=row.k,
            first=row.first,
            hits=row.hits,
            shown=tuple(row.shown),
            agreed=agreed,
            at=row.at,
        )

    def say(self, said: Said) -> bool:
        """Keep feedback on a search that is kept; return whether it is new. A thumb takes back the opposite one."""
        same = {"search_id": said.search, "document": said.document}
        with self._database.write() as connection:
            if opposite := OPPOSITES.get(said.kind):
                other = (feedback.c[name] == value for name, value in same.items())
                connection.execute(delete(feedback).where(*other, feedback.c.kind == opposite))
            row = {**same, "kind": said.kind, "rank": said.rank, "at": now()}
            statement = insert_for(connection, feedback).values(row).on_conflict_do_nothing()
            return connection.execute(statement).rowcount > 0

    def liked(self, collection: Collection) -> list[Liked]:
        """Return what readers of a collection's searches clicked or judged, in the order they were asked."""
        statement = (
            select(searches.c.id, searches.c.text, feedback.c.document, feedback.c.kind, feedback.c.rank)
            .join(feedback, feedback.c.search_id == searches.c.id)
            .where(searches.c.collection_id == collection.id, feedback.c.document != "")
            .order_by(searches.c.at, searches.c.id, feedback.c.document, feedback.c.kind)
        )
        with self._database.read() as connection:
            return [
                Liked(row.id, row.text, row.document, FeedbackKind(row.kind), row.rank)
                for row in connection.execute(statement)
            ]

    def forget(self, before: str) -> int:
        """Drop searches made before a moment, with their feedback; return how many."""
        with self._database.write() as connection:
            return connection.execute(delete(searches).where(searches.c.at < before)).rowcount


def _row(logged: LoggedSearch, collection_id: int) -> dict[str, object]:
    return {
        "id": logged.id,
        "collection_id": collection_id,
        "at": logged.at,
        "text": logged.text,
        "mode": logged.mode,
        "arm": logged.arm,
        "origin": logged.origin,
        "k": logged.k,
        "first": logged.first,
        "hits": logged.hits,
        "shown": list(logged.shown),
        "agreed": None if logged.agreed is None else int(logged.agreed),
    }
