"""Measures of runs against judgments, with ir_measures' definitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retrieval.types import Qrels, Run

if TYPE_CHECKING:
    from ir_measures import Measure

NAMES = ("ndcg@10", "mrr@10", "recall@10", "recall@100", "success@1", "judged@10")

PerQuery = Mapping[str, Mapping[str, float]]
"""measure -> query id -> value."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run is worth: each measure's mean over all judged queries, and its value for each of them."""

    means: Mapping[str, float]
    values: PerQuery


def measured(qrels: Qrels, run: Run) -> Measured:
    """Measure a run; a query of `qrels` that it does not answer counts as 0.

    judged@10 is the share of the first ten documents that has a grade: where it is low, the others mean little.
    """
    import ir_measures as ir

    measures = _measures()
    answered = {query: dict(scores) for query, scores in run.items() if scores}  # it divides by an answer's length
    found = ir.calc(list(measures.values()), {query: dict(grades) for query, grades in qrels.items()}, answered)
    means: dict[Measure, float] = found.aggregated  # type: ignore[assignment]  # a number only for a single measure
    names = {measure: name for name, measure in measures.items()}
    values = {name: dict.fromkeys(qrels, 0.0) for name in measures}
    for one in found.per_query:
        values[names[one.measure]][one.query_id] = float(one.value)
    return Measured({name: float(means[measure]) for name, measure in measures.items()}, values)


def _measures() -> "dict[str, Measure]":
    import ir_measures as ir

    found = (ir.nDCG @ 10, ir.RR @ 10, ir.R @ 10, ir.R @ 100, ir.Success @ 1, ir.Judged @ 10)
    return dict(zip(NAMES, found, strict=True))
