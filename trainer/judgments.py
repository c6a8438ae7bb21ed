"""Evaluation sets of a collection: brought from files, mined from the collection, pooled from what arms find."""

from collections.abc import Sequence
from pathlib import Path

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import UsageError
from retrieval.home import Home
from retrieval.types import JsonValue, Qrels
from trainer.arms import Arm
from trainer.brought import Places, with_grades
from trainer.evaluation_set import EvaluationSet
from trainer.known_items import KnownItem, Mined, mine
from trainer.pooling import has_grade, pooled, to_judge
from trainer.qrels import read_qrels
from trainer.query_records import read_judged_queries, record_of
from trainer.runs import Runner
from trainer.trec import rendered_beir_qrels, rendered_trec_qrels

GRADE_OF_KNOWN_ITEM = 1


def read_judgments(
    queries_file: Path, qrels_file: Path | None, *, source: str | None
) -> tuple[list[JudgedQuery], list[str]]:
    """Read queries with their judgments, if a file of these is given, and the ids of judged queries without a text.

    `source` counts where a query names none.

    Raises UsageError for a malformed file, when no query is judged by the other file, or for a `source` other than a
    mined query's own: it stays mined.
    """
    queries = read_judged_queries(queries_file)
    qrels: Qrels = read_qrels(qrels_file) if qrels_file else {}
    return with_grades(queries, qrels, source=source, places=Places(str(queries_file), str(qrels_file)))


def mined(catalog: Catalog, collection: Collection, *, limit: int | None, seed: int) -> tuple[list[JudgedQuery], Mined]:
    """Mine known-item queries from a collection; raises UsageError for one without documents."""
    documents = list(catalog.documents.all(collection))
    if not documents:
        raise UsageError(f"Collection {collection.name!r} has no document yet; `tandem ingest PATH` brings some.")
    found = mine(documents, limit=limit, seed=seed, language=collection.config.language)
    return [_judged(place, item) for place, item in enumerate(found.items, 1)], found


def _judged(place: int, item: KnownItem) -> JudgedQuery:
    answers = (item.document, *item.duplicates)
    return JudgedQuery(
        id=f"{item.source}:{place}",
        text=item.text,
        source=item.source,
        cluster=item.group,
        masks=dict.fromkeys(answers, item.strings),
        grades=dict.fromkeys(answers, GRADE_OF_KNOWN_ITEM),
    )


def exported(judged: Sequence[JudgedQuery], *, style: str) -> tuple[list[dict[str, JsonValue]], str]:
    """Return a set's queries as records that come back as they were, and its judgments as `beir` or `trec` text."""
    queries = [record_of(query) for query in judged]
    qrels = {
        query.id: grades
        for query in judged
        if (grades := {document: grade for document, grade in query.grades.items() if grade is not None})
    }
    return queries, (rendered_beir_qrels if style == "beir" else rendered_trec_qrels)(qrels)


def pool(
    home: Home, collection: Collection, name: str, arms: Sequence[Arm], *, depth: int, every_query: bool
) -> tuple[int, int]:
    """Give a set's queries, by default those without a judgment, what each arm ranks first, to be judged.

    Return how many documents of how many queries are new. Raises what evaluation raises for an arm.
    """
    judged = home.catalog.judgments.get(collection, name)
    wanted = [query for query in judged if every_query or not has_grade(query)]
    if not wanted:
        return 0, 0
    asked = EvaluationSet(
        {query.id: query.text for query in wanted},
        {query.id: {} for query in wanted},
        masks={query.id: query.masks for query in wanted if query.masks},
    )
    runner = Runner(home, collection, arms, asked)
    pools = pooled([runner.run(arm) for arm in arms], depth, name=name)
    new = to_judge(judged, pools, every_query=every_query)
    for query, documents in new.items():
        home.catalog.judgments.pool(collection, name, query, documents)
    return sum(map(len, new.values())), len(new)
