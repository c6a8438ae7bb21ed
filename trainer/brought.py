"""Judged queries that somebody brings, from files or over HTTP: what is refused, what is only told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import UsageError
from retrieval.types import Qrels
from trainer.query_records import MAX_SOURCE_CHARS, is_mined


@dataclass(frozen=True, slots=True)
class Places:
    """What errors call the queries and the judgments that were brought: two files, two fields of a body."""

    queries: str
    judgments: str


def checked_source(source: str | None) -> str | None:
    """Return what queries are said to come from; raises UsageError for what is no source, or says that it is mined."""
    if source is not None and not (source.strip() and source.isprintable() and len(source) <= MAX_SOURCE_CHARS):
        raise UsageError(
            f"{source!r} cannot name a source of queries; use 1 to {MAX_SOURCE_CHARS} characters, such as human or log."
        )
    if source is not None and is_mined(source):
        raise UsageError(f"{source!r} is for queries that `tandem judgments mine` makes; these come from elsewhere.")
    return source


def with_grades(
    queries: Sequence[JudgedQuery], qrels: Qrels, *, source: str | None, places: Places
) -> tuple[list[JudgedQuery], list[str]]:
    """Return the queries with their grades, and the ids of judged queries without a text.

    `source` counts where a query names none. Raises UsageError when no query is judged though there are judgments, or
    for a `source` other than a mined query's own: it stays mined.
    """
    if qrels and not any(query.id in qrels for query in queries):
        seen = f" (which has such as {queries[0].id!r})" if queries else ""
        raise UsageError(
            f"No query judged in {places.judgments} (such as {next(iter(qrels))!r}) is in {places.queries}{seen}; give "
            "queries and judgments of one evaluation set."
        )
    mined = next((query for query in queries if is_mined(query.source)), None)
    if mined is not None and source is not None:
        raise UsageError(f"Query {mined.id!r} of {places.queries} is {mined.source}; leave the source out.")
    ids = {query.id for query in queries}
    return [
        replace(query, source=source or query.source or "human", grades=dict(qrels.get(query.id, {})))
        for query in queries
    ], [query for query in qrels if query not in ids]


def first_twice(ids: Iterable[str]) -> str | None:
    """Return the first id that came before, or None; each is looked at once."""
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            return one
        seen.add(one)
    return None


def known_documents(catalog: Catalog, collection: Collection, brought: Sequence[JudgedQuery]) -> tuple[int, list[str]]:
    """Return how many documents are judged, and those of them that the collection does not have.

    Raises UsageError when it has none of them.
    """
    mentioned = dict.fromkeys(document for query in brought for document in query.grades)
    there = set(catalog.documents.rows(collection, mentioned).values())
    unknown = [document for document in mentioned if document not in there]
    if mentioned and len(unknown) == len(mentioned):
        raise UsageError(
            f"None of the {len(mentioned)} judged documents (such as {unknown[0]!r}) is in collection "
            f"{collection.name!r}; ingest the documents first, or give the collection that has them."
        )
    return len(mentioned), unknown
