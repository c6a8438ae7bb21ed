"""Judgment sets: named queries of a collection, each with its source, and the grades of the documents judged for it."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from sqlalchemy import Connection, delete, func, insert, select, update

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database, now
from retrieval.catalog.rows import insert_for
from retrieval.errors import NotFound, UsageError

DEFAULT_JUDGMENTS = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query of a judgment set.

    `source` says where it came from: human, log, click, mined:title, ... `cluster` names what it shares with correlated
    queries, such as the document it was mined from; "" for none. `masks` are, by document id, the strings that would
    give the query away there and are hidden from every arm. `grades` are by document id; None is pooled, not judged.
    """

    id: str
    text: str
    source: str = "human"
    cluster: str = ""
    masks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    grades: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgmentSet:
    """A set's name and size: its queries by source, how many documents are judged, and how many only pooled."""

    name: str
    created_at: str
    sources: Mapping[str, int]
    judged: int
    pooled: int

    @property
    def queries(self) -> int:
        """How many queries it has."""
        return sum(self.sources.values())


class Judgments:
    """Read and write judgment sets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, collection: Collection, name: str, queries: Iterable[JudgedQuery], *, replace: bool = False) -> None:
        """Add queries to a set, made if it is not there; a query that is known keeps what grades are not brought.

        With `replace`, the queries that were there go, with their judgments, in the same transaction. Raises UsageError
        for a bad name, or a query whose id is known with another text: its grades would be another query's.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot name a judgment set; use 1 to 63 lower-case letters, digits, '.', '-' or '_', "
                "beginning with a letter or a digit."
            )
        table = schema.judged_queries
        with self._database.write() as connection:
            key = _set_id(connection, collection, name)
            if replace:
                connection.execute(delete(table).where(table.c.set_id == key))
            rows = connection.execute(
                select(table.c.external_id, table.c.id, table.c.text).where(table.c.set_id == key)
            )
            known = {row.external_id: (row.id, row.text) for row in rows}
            for query in queries:
                _put_query(connection, key, query, known.get(query.id))

    def pool(self, collection: Collection, name: str, query: str, documents: Iterable[str]) -> None:
        """Let documents of one query wait for a judge; one that has a grade keeps it. Raises NotFound."""
        with self._database.write() as connection:
            key = self._query_id(connection, collection, name, query)
            rows = [{"query_id": key, "document": document, "grade": None} for document in documents]
            if rows:
                connection.execute(insert_for(connection, schema.judgments).on_conflict_do_nothing(), rows)

    def grade(self, collection: Collection, name: str, query: str, grades: Mapping[str, int | None]) -> None:
        """Give grades to documents of one query, keeping the others'; raises NotFound."""
        with self._database.write() as connection:
            _put_grades(connection, self._query_id(connection, collection, name, query), grades)

    def get(self, collection: Collection, name: str) -> list[JudgedQuery]:
        """Return a set's queries in the order they were added; raises NotFound naming the sets there are."""
        queries, table = schema.judged_queries, schema.judgments
        with self._database.read() as connection:
            key = self._id(connection, collection, name)
            grades: dict[int, dict[str, int | None]] = {}
            joined = table.join(queries, queries.c.id == table.c.query_id)
            found = select(table).select_from(joined).where(queries.c.set_id == key).order_by(table.c.document)
            for row in connection.execute(found):
                grades.setdefault(row.query_id, {})[row.document] = row.grade
            rows = connection.execute(select(queries).where(queries.c.set_id == key).order_by(queries.c.id))
            return [
                JudgedQuery(
                    row.external_id, row.text, row.source, row.cluster, _masks(row.masks), grades.get(row.id, {})
                )
                for row in rows
            ]

    def digest(self, collection: Collection, name: str) -> str:
        """Return what changes when a query or a grade of a set does, 32 hexadecimal characters; raises NotFound."""
        content = [[query.id, query.text, dict(sorted(query.grades.items()))] for query in self.get(collection, name)]
        written = json.dumps(content, ensure_ascii=True).encode()
        return blake2b(written, digest_size=16).hexdigest()

    def list(self, collection: Collection) -> list[JudgmentSet]:
        """Return every set of a collection, by name."""
        table, queries, judged = schema.judgment_sets, schema.judged_queries, schema.judgments
        source = (queries.c.set_id, queries.c.source)
        by_source = select(*source, func.count()).group_by(*source).order_by(*source)
        by_grade = (
            select(queries.c.set_id, func.count(judged.c.grade), func.count())
            .join(judged, judged.c.query_id == queries.c.id)
            .group_by(queries.c.set_id)
        )
        with self._database.read() as connection:
            sources: dict[int, dict[str, int]] = {}
            for key, name, count in connection.execute(by_source):
                sources.setdefault(key, {})[name] = count
            graded = {key: (count, total - count) for key, count, total in connection.execute(by_grade)}
            sets = connection.execute(
                select(table).where(table.c.collection_id == collection.id).order_by(table.c.name)
            )
            return [
                JudgmentSet(row.name, row.created_at, sources.get(row.id, {}), *graded.get(row.id, (0, 0)))
                for row in sets
            ]

    def delete(self, collection: Collection, name: str) -> None:
        """Remove a set with its queries, judgments and runs; raises NotFound."""
        runs = schema.runs
        with self._database.write() as connection:
            key = self._id(connection, collection, name)
            connection.execute(delete(schema.judgment_sets).where(schema.judgment_sets.c.id == key))
            connection.execute(delete(runs).where(runs.c.collection_id == collection.id, runs.c.judgments == name))

    def _query_id(self, connection: Connection, collection: Collection, name: str, query: str) -> int:
        table = schema.judged_queries
        mine = (table.c.set_id == self._id(connection, collection, name), table.c.external_id == query)
        found = connection.execute(select(table.c.id).where(*mine)).scalar()
        if found is None:
            raise NotFound(f"The judgment set {name!r} has no query {query!r}.")
        return int(found)

    @staticmethod
    def _id(connection: Connection, collection: Collection, name: str) -> int:
        table = schema.judgment_sets
        rows = connection.execute(select(table.c.name, table.c.id).where(table.c.collection_id == collection.id))
        known = {row.name: row.id for row in rows}
        if name not in known:
            names = ", ".join(sorted(known)) or "none yet"
            raise NotFound(
                f"Collection {collection.name!r} has no judgment set {name!r} (there is: {names}). `tandem judgments "
                "mine` makes one from the collection itself, `tandem judgments import` brings one."
            )
        return int(known[name])


def _set_id(connection: Connection, collection: Collection, name: str) -> int:
    table = schema.judgment_sets
    row = {"collection_id": collection.id, "name": name, "created_at": now()}
    connection.execute(insert_for(connection, table).values(row).on_conflict_do_nothing())
    mine = (table.c.collection_id == collection.id, table.c.name == name)
    return int(connection.execute(select(table.c.id).where(*mine)).scalar_one())


def _masks(stored: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {document: tuple(strings) for document, strings in stored.items()}


def _put_query(connection: Connection, set_id: int, query: JudgedQuery, known: tuple[int, str] | None) -> None:
    table = schema.judged_queries
    row = {
        "set_id": set_id,
        "external_id": query.id,
        "text": query.text,
        "source": query.source,
        "cluster": query.cluster,
        "masks": {document: list(strings) for document, strings in query.masks.items()},
    }
    if known is None:
        key = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
    else:
        key, text = known
        if text != query.text:
            raise UsageError(
                f"The query id {query.id!r} is known with the text {text!r}, and {query.text!r} was brought; give the "
                "new one another id, or bring it into a set of its own."
            )
        connection.execute(update(table).where(table.c.id == key).values(row))
    _put_grades(connection, key, query.grades)


def _put_grades(connection: Connection, query_id: int, grades: Mapping[str, int | None]) -> None:
    table = schema.judgments
    statement = insert_for(connection, table)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.query_id, table.c.document], set_={"grade": statement.excluded.grade}
    )
    rows = [{"query_id": query_id, "document": document, "grade": grade} for document, grade in grades.items()]
    if rows:
        connection.execute(statement, rows)
