"""Arms x queries -> runs -> measures. Runs of a named judgment set are kept, and made again when anything changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from retrieval.catalog import Collection
from retrieval.catalog.runs import KeptRun
from retrieval.home import Home
from retrieval.types import Run
from trainer.arms import Arm
from trainer.evaluation_set import EvaluationSet
from trainer.measures import PerQuery, measured
from trainer.runs import Runner
from trainer.trec import parse_run, rendered_run

OnArm = Callable[[Arm], None]


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What an arm ranked, and what that is worth.

    `measures` are means over `queries` judged queries, by measure, from 0 to 1; `values` the same of every query.
    """

    arm: Arm
    run: Run
    measures: Mapping[str, float]
    values: PerQuery
    queries: int


def evaluate(
    home: Home,
    collection: Collection,
    judged: EvaluationSet,
    arms: Sequence[Arm],
    *,
    keep_as: str = "",
    on_arm: OnArm = lambda _: None,
) -> list[ArmResult]:
    """Rank every judged query with every arm and measure it; `on_arm` is called before each that is not kept already.

    With `keep_as`, the name of the judgment set, runs are kept and reused. Raises ModelError for an arm whose model is
    unknown or has not embedded the whole collection.
    """
    return evaluate_with(Runner(home, collection, arms, judged), judged, arms, keep_as=keep_as, on_arm=on_arm)


def evaluate_with(
    runner: Runner,
    judged: EvaluationSet,
    arms: Sequence[Arm],
    *,
    keep_as: str = "",
    on_arm: OnArm = lambda _: None,
) -> list[ArmResult]:
    """Do what `evaluate` does with a runner of these arms, which may be wanted for more."""
    results: list[ArmResult] = []
    for arm in arms:
        run = _run(runner, arm, keep_as, on_arm)
        found = measured(judged.qrels, run)
        results.append(ArmResult(arm, run, found.means, found.values, len(judged.queries)))
    return results


def _run(runner: Runner, arm: Arm, judgments: str, on_arm: OnArm) -> Run:
    kept = runner.home.catalog.runs.get(runner.collection, judgments, str(arm)) if judgments else None
    key = runner.key(arm)
    if kept is not None and kept.key == key:
        return parse_run(kept.trec)
    on_arm(arm)
    run = runner.run(arm)
    if judgments:
        runner.home.catalog.runs.put(runner.collection, KeptRun(judgments, str(arm), key, rendered_run(run, str(arm))))
    return run
