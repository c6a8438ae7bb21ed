"""Pools: the documents that arms rank first for a query, for a judge to grade without knowing which arm found them."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from heapq import nsmallest

from retrieval.catalog.judgments import JudgedQuery
from retrieval.types import Run


def pooled(
    runs: Sequence[Run], depth: int, *, name: str = "", only: Collection[str] | None = None
) -> dict[str, list[str]]:
    """Return the union of every run's first `depth` documents, by query; of equal scores the lower id is first.

    `name` is the judgment set's, and `only` the ids of the queries wanted. The order tells nothing of arms or ranks.
    """
    wanted = None if only is None else frozenset(only)
    pools: dict[str, set[str]] = {}
    for run in runs:
        for query, scores in run.items():
            if wanted is None or query in wanted:
                pools.setdefault(query, set()).update(_first(scores, depth))
    return {query: shuffled(pool, name, query) for query, pool in pools.items()}


def to_judge(
    judged: Sequence[JudgedQuery], pools: Mapping[str, Collection[str]], *, every_query: bool = False
) -> dict[str, dict[str, None]]:
    """Return the pooled documents that are new to their query, neither graded nor waiting, by query.

    Queries that have a grade already are left out, unless `every_query` asks for them too.
    """
    new = {
        query.id: {document: None for document in pools.get(query.id, ()) if document not in query.grades}
        for query in judged
        if every_query or not has_grade(query)
    }
    return {query: documents for query, documents in new.items() if documents}


def unjudged_counts(judged: Sequence[JudgedQuery], pools: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Return how many documents of each query have no grade, of those in its pool and those that wait already."""
    return {
        query.id: sum(query.grades.get(document) is None for document in {*query.grades, *pools.get(query.id, ())})
        for query in judged
    }


def has_grade(query: JudgedQuery) -> bool:
    """Whether any document of a query is graded; 0 is a grade."""
    return any(grade is not None for grade in query.grades.values())


def shuffled(documents: Iterable[str], *seed: str) -> list[str]:
    """Put documents in an order of the seed's: the same whatever order they came in, and whichever others are there."""
    return sorted(documents, key=lambda document: blake2b(json.dumps([*seed, document]).encode()).digest())


def _first(scores: Mapping[str, float], depth: int) -> list[str]:
    return nsmallest(depth, scores, key=lambda document: (-scores[document], document))
