"""Which queries are correlated: those mined from one document, and those that want the same one."""

from collections import Counter
from collections.abc import Mapping, Sequence

from trainer.evaluation_set import EvaluationSet

LARGEST_SHARE = 0.1
"""Where sharing any relevant document would chain more of the queries than this together, and more than twice as many
as sharing the best one does, only the best one counts: few clusters say little."""


def clusters_of(judged: EvaluationSet) -> dict[str, str]:
    """Return each query's cluster: queries of one cluster are resampled together."""
    relevant = {
        query: [document for document, grade in grades.items() if grade > 0] for query, grades in judged.qrels.items()
    }
    best = {query: _best(judged.qrels[query], documents) for query, documents in relevant.items()}
    by_any, by_best = _linked(relevant, judged.clusters), _linked(best, judged.clusters)
    return by_best if _largest(by_any) > max(LARGEST_SHARE * len(by_any), 2 * _largest(by_best)) else by_any


def _best(grades: Mapping[str, int], documents: Sequence[str]) -> list[str]:
    return [min(documents, key=lambda document: (-grades[document], document))] if documents else []


def _largest(clusters: Mapping[str, str]) -> int:
    return max(Counter(clusters.values()).values(), default=0)


def _linked(documents: Mapping[str, Sequence[str]], named: Mapping[str, str]) -> dict[str, str]:
    """Join queries that share a document or a named cluster, over any number of steps."""
    parents = {query: query for query in documents}

    def root(query: str) -> str:
        while parents[query] != query:
            parents[query] = parents[parents[query]]
            query = parents[query]
        return query

    first: dict[tuple[str, str], str] = {}
    for query, wanted in documents.items():
        shared = [("document", document) for document in wanted]
        if name := named.get(query):
            shared.append(("cluster", name))
        for key in shared:
            parents[root(query)] = root(first.setdefault(key, query))
    return {query: root(query) for query in documents}
