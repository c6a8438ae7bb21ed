"""Which queries are resampled together."""

from retrieval.types import Qrels
from trainer.clusters import clusters_of
from trainer.evaluation_set import EvaluationSet


def groups(qrels: Qrels, clusters: dict[str, str] | None = None) -> list[list[str]]:
    judged = EvaluationSet(dict.fromkeys(qrels, "?"), qrels, clusters=clusters or {})
    found: dict[str, list[str]] = {}
    for query, cluster in clusters_of(judged).items():
        found.setdefault(cluster, []).append(query)
    return sorted(found.values())


def alone(count: int) -> dict[str, dict[str, int]]:
    return {f"x{number:02}": {f"own{number}": 1} for number in range(count)}


def test_queries_that_want_one_document_are_together() -> None:
    qrels = {"a": {"d1": 1}, "b": {"d1": 2, "d2": 0}, "c": {"d2": 1}, **alone(17)}
    assert groups(qrels)[0] == ["a", "b"]
    assert ["c"] in groups(qrels)


def test_queries_of_one_named_cluster_are_together() -> None:
    assert groups({"a": {"d1": 1}, "b": {"d2": 1}, **alone(18)}, {"a": "post", "b": "post"})[0] == ["a", "b"]


def test_a_chain_of_shared_documents_does_not_join_everything() -> None:
    chained = {f"q{number}": {f"d{number}": 2, f"d{number + 1}": 1} for number in range(30)}
    assert len(groups(chained)) == 30  # each by its best document


def test_a_query_without_a_relevant_document_is_alone() -> None:
    assert groups({"a": {"d1": 0}, "b": {"d1": 0}, **alone(18)})[:2] == [["a"], ["b"]]
