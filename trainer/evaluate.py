"""Measure arms on judged queries, with ir_measures' definitions of the measures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from retrieval.catalog import Collection
from retrieval.home import Home
from retrieval.types import Qrels, Run
from trainer.arms import Arm
from trainer.evaluation_set import EvaluationSet
from trainer.runs import Runner


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What an arm ranked, and what that is worth: means over `queries` judged queries, by measure, from 0 to 1."""

    arm: Arm
    run: Run
    measures: Mapping[str, float]
    queries: int


def evaluate(
    home: Home,
    collection: Collection,
    judged: EvaluationSet,
    arms: Sequence[Arm],
    *,
    on_arm: Callable[[Arm], None] = lambda _: None,
) -> list[ArmResult]:
    """Rank every judged query with every arm and measure it; `on_arm` is called before each.

    Raises ModelError for an arm whose model is unknown or has not embedded the whole collection.
    """
    runner = Runner(home, collection, arms, judged.queries)
    results: list[ArmResult] = []
    for arm in arms:
        on_arm(arm)
        run = runner.run(arm)
        results.append(ArmResult(arm, run, measured(judged.qrels, run), len(judged.queries)))
    return results


def measured(qrels: Qrels, run: Run) -> dict[str, float]:
    """Return each measure's mean over the queries of `qrels`; a query that the run does not answer counts as 0.

    judged@10 is the share of the first ten documents that has a grade: where it is low, the others mean little.
    """
    import ir_measures as ir

    measures = {
        "ndcg@10": ir.nDCG @ 10,
        "mrr@10": ir.RR @ 10,
        "recall@10": ir.R @ 10,
        "recall@100": ir.R @ 100,
        "success@1": ir.Success @ 1,
        "judged@10": ir.Judged @ 10,
    }
    plain_qrels = {query: dict(grades) for query, grades in qrels.items()}
    answered = {query: dict(scores) for query, scores in run.items() if scores}  # it divides by an answer's length
    means = ir.calc_aggregate(list(measures.values()), plain_qrels, answered)
    return {name: float(means[measure]) for name, measure in measures.items()}
