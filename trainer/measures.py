"""Measures of runs against judgments, with ir_measures' definitions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from retrieval.types import Qrels, Run

if TYPE_CHECKING:
    from ir_measures import Measure

NAMES = ("ndcg@10", "mrr@10", "recall@10", "recall@100", "success@1", "judged@10")

PerQuery = Mapping[str, Mapping[str, float]]
"""measure -> query id -> value."""


def measured(qrels: Qrels, run: Run) -> dict[str, float]:
    """Return each measure's mean over the queries of `qrels`; a query that the run does not answer counts as 0.

    judged@10 is the share of the first ten documents that has a grade: where it is low, the others mean little.
    """
    import ir_measures as ir

    measures = _measures()
    means = ir.calc_aggregate(list(measures.values()), *_plain(qrels, run))
    return {name: float(means[measure]) for name, measure in measures.items()}


def per_query(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Return each measure's value for every query of `qrels`, 0 for one that the run does not answer."""
    import ir_measures as ir

    measures = _measures()
    names = {measure: name for name, measure in measures.items()}
    values = {name: dict.fromkeys(qrels, 0.0) for name in measures}
    for found in ir.iter_calc(list(measures.values()), *_plain(qrels, run)):
        values[names[found.measure]][found.query_id] = float(found.value)
    return values


def _measures() -> "dict[str, Measure]":
    import ir_measures as ir

    found = (ir.nDCG @ 10, ir.RR @ 10, ir.R @ 10, ir.R @ 100, ir.Success @ 1, ir.Judged @ 10)
    return dict(zip(NAMES, found, strict=True))


def _plain(qrels: Qrels, run: Run) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    answered = {query: dict(scores) for query, scores in run.items() if scores}  # it divides by an answer's length
    return {query: dict(grades) for query, grades in qrels.items()}, answered
