"""Judging with a service: documents collected by the index that it serves, shown by their best passage, graded."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from retrieval.analysis import Analyzer
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import NotFound, UsageError
from retrieval.query import Query
from retrieval.snippets import Highlighter, without_fences
from retrieval.types import Document, Mode, Run
from service.serving import Serving
from service.side_by_side import read_arm
from trainer.arms import Arm
from trainer.judge_display import best_sections
from trainer.judging import GRADES
from trainer.judging_by_query import in_order
from trainer.pooling import has_grade, pooled, to_judge

PASSAGE_CHARS = 500
DEPTH = 10
POOLED_AT_ONCE = 50
"""Queries for which documents are collected in one request, unless it asks for more."""
MOST_SHOWN = 200
"""Documents of one query that are shown to a judge; those that wait come first into it."""


@dataclass(frozen=True, slots=True)
class Pooling:
    """What is collected: every arm's first `depth` documents of the queries after `after`, `limit` at the most."""

    arms: Sequence[Arm]
    depth: int = DEPTH
    limit: int = POOLED_AT_ONCE
    after: str = ""
    every_query: bool = False


@dataclass(frozen=True, slots=True)
class Collected:
    """How many documents of how many queries are new to be judged; `after` is where to go on, "" at the end."""

    documents: int
    queries: int
    after: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A document as a judge sees it: no score, no rank, no arm. `highlights` is safe HTML with <mark>.

    `is_gone` says that it has left the collection; `grade` None that it waits.
    """

    document: str
    title: str
    url: str | None
    headings: tuple[str, ...]
    highlights: str
    grade: int | None
    is_gone: bool = False


def usual_arms(collection: Collection) -> list[Arm]:
    """Return the arms whose documents are collected unless others are named."""
    modes = (Mode.KEYWORD, Mode.EMBEDDING, Mode.HYBRID) if collection.config.model else (Mode.KEYWORD,)
    return [read_arm(mode.value, collection) for mode in modes]


def pool(serving: Serving, collection: Collection, name: str, wanted: Pooling) -> Collected:
    """Search with every arm, and let what is new wait for a judge. Raises what searching raises, and NotFound."""
    catalog = serving.home.catalog
    judged = catalog.judgments.get(collection, name)
    start = next((place for place, query in enumerate(judged, 1) if query.id == wanted.after), 0)
    eligible = [query for query in judged[start:] if wanted.every_query or not has_grade(query)]
    chosen = eligible[: wanted.limit]
    runs = [_run(serving, collection, arm, chosen, wanted.depth) for arm in wanted.arms]
    new = to_judge(chosen, pooled(runs, wanted.depth, name=name), every_query=wanted.every_query)
    for query, documents in new.items():
        catalog.judgments.pool(collection, name, query, documents)
    return Collected(sum(map(len, new.values())), len(new), chosen[-1].id if len(eligible) > len(chosen) else "")


def _run(serving: Serving, collection: Collection, arm: Arm, queries: Sequence[JudgedQuery], depth: int) -> Run:
    assert arm.mode is not None  # noqa: S101  # read_arm saw to it
    run = {}
    for query in queries:
        found = serving.search(collection.name, Query(query.text, depth, arm.mode, model=arm.version))
        run[query.id] = {hit.document_id: float(-hit.rank) for hit in found.hits}
    return run


def query_of(judged: Sequence[JudgedQuery], name: str, query: str) -> JudgedQuery:
    """Return a query of a set by its id; raises NotFound."""
    found = next((one for one in judged if one.id == query), None)
    if found is None:
        raise NotFound(f"The judgment set {name!r} has no query {query[:100]!r}.")
    return found


def passages(catalog: Catalog, collection: Collection, name: str, query: JudgedQuery) -> list[Passage]:
    """Return a query's documents, in an order that tells nothing of who found them, each by its best passage."""
    analyzer = Analyzer(collection.config.language)
    highlighter = Highlighter(analyzer, analyzer.query_terms(query.text))
    order = in_order(query, name)
    if len(order) > MOST_SHOWN:
        kept = set(sorted(order, key=lambda document: query.grades[document] is not None)[:MOST_SHOWN])
        order = [document for document in order if document in kept]
    shown = []
    for document in order:
        try:
            found = catalog.documents.get(collection, document)
        except NotFound:
            shown.append(Passage(document, document, None, (), "", query.grades[document], is_gone=True))
            continue
        shown.append(_passage(found, query, analyzer, highlighter))
    return shown


def _passage(document: Document, query: JudgedQuery, analyzer: Analyzer, highlighter: Highlighter) -> Passage:
    best = best_sections(document, query.text, analyzer, most=1)
    section = best[0] if best else None
    return Passage(
        document=document.id,
        title=document.title or document.id,
        url=document.url,
        headings=section.headings if section else (),
        highlights=highlighter.highlight(without_fences(section.text), max_chars=PASSAGE_CHARS) if section else "",
        grade=query.grades[document.id],
    )


def grade(
    catalog: Catalog, collection: Collection, name: str, query: JudgedQuery, document: str, given: int | None
) -> int | None:
    """Give a document a grade, or take it back with None, and return the one it had.

    Raises UsageError for what is no grade, NotFound for a document that is neither pooled nor in the collection.
    """
    if given is not None and given not in GRADES:
        raise UsageError(f"{given!r} is not a grade; give one of {', '.join(map(str, GRADES))}.")
    if document not in query.grades and not catalog.documents.rows(collection, [document]):
        raise NotFound(f"There is no document {document[:100]!r} in collection {collection.name!r}, nor was it pooled.")
    before = query.grades.get(document)
    catalog.judgments.grade(collection, name, query.id, {document: given})
    return before


def add_query(serving: Serving, collection: Collection, name: str, text: str) -> str:
    """Add a query that somebody asks to a set, made if it is not there, and collect its documents; return its id.

    A query that the set has already keeps its judgments. Raises UsageError for one that cannot be searched.
    """
    asked = Query(text, DEPTH).checked().text
    judgments = serving.home.catalog.judgments
    has_set = any(one.name == name for one in judgments.list(collection))
    known = judgments.get(collection, name) if has_set else []
    same = next((query for query in known if query.text == asked), None)
    query = same or JudgedQuery(f"asked-{blake2b(asked.encode(), digest_size=8).hexdigest()}", asked)
    if same is None:
        judgments.put(collection, name, [query])
    runs = [_run(serving, collection, arm, [query], DEPTH) for arm in usual_arms(collection)]
    new = pooled(runs, DEPTH, name=name).get(query.id, [])
    judgments.pool(collection, name, query.id, new)
    return query.id
