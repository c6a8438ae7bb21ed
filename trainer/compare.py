"""Compare arms on judged queries: the verdict on B against A, with everything a sceptic would ask for."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from retrieval.analysis import ANALYZER_VERSION
from retrieval.catalog import Collection
from retrieval.home import Home
from trainer.arms import Arm
from trainer.changed import ChangedQueries
from trainer.clusters import clusters_of
from trainer.costs import costs_of
from trainer.evaluate import ArmResult, evaluate_with
from trainer.evaluation_set import EvaluationSet
from trainer.findings import MEASURE, MINIMUM_EFFECT, ArmSummary, Comparison, Contrast, Report, SliceResult, Verdict
from trainer.runs import Runner
from trainer.significance import Rules, contrast, is_chance, mean_interval, verdict, with_holm
from trainer.slices import slice_results, slices_of
from trainer.trained_on import that_may_judge
from trainer.wording import evidence, losses, outlook

Pair = tuple[Arm, Arm]
"""A and B: B is compared against A."""

HELD_OUT = ", held out"
"""What is added to the name of a judgment set of which only a part judges."""

_EXPLORED = "Looked at beside what was declared, and not corrected for: it decides nothing."


@dataclass(frozen=True, slots=True)
class Declared:
    """What is compared, said before anything is measured: the main pair first, arms that are only shown last.

    Pairs that are only `explored` decide nothing, and cost the others no correction. `name` is the judgment set's,
    under which runs are kept; "" keeps none. `field` is a metadata field to slice by.
    """

    pairs: Sequence[Pair]
    shown: Sequence[Arm] = ()
    name: str = ""
    minimum_effect: float = MINIMUM_EFFECT
    field: str = ""
    explored: Sequence[Pair] = ()

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm, each once."""
        paired = (arm for pair in (*self.pairs, *self.explored) for arm in pair)
        return tuple(dict.fromkeys([*paired, *self.shown]))


@dataclass(frozen=True, slots=True)
class _Measured:
    """What all comparisons share."""

    judged: EvaluationSet
    results: Mapping[str, ArmResult]
    clusters: Mapping[str, str]
    slices: Mapping[str, frozenset[str]]
    rules: Rules

    def differences(self, a: Arm, b: Arm) -> dict[str, float]:
        """B minus A, by query."""
        before, after = (self.results[str(arm)].values[MEASURE] for arm in (a, b))
        return {query: after[query] - before[query] for query in before}

    def contrast(self, differences: Mapping[str, float]) -> Contrast:
        """The contrast over some queries."""
        return contrast(list(differences.values()), [self.clusters[query] for query in differences], rules=self.rules)


def compare(
    home: Home,
    collection: Collection,
    judged: EvaluationSet,
    declared: Declared,
    *,
    on_arm: Callable[[Arm], None] = lambda _: None,
) -> Report:
    """Measure every arm and judge every declared pair, corrected for their number (Holm).

    Queries that want a document which a model was trained on are left out: they cannot judge it.

    Raises ModelError for an arm whose model is unknown or has not embedded the whole collection, UsageError where no
    query is left.
    """
    judged, declared = _unseen(home, judged, declared)
    runner = Runner(home, collection, declared.arms, judged)
    results = evaluate_with(runner, judged, declared.arms, keep_as=declared.name, on_arm=on_arm)
    measured = _Measured(
        judged,
        {str(result.arm): result for result in results},
        clusters_of(judged),
        slices_of(judged, home.catalog, collection, field=declared.field),
        Rules(minimum_effect=declared.minimum_effect),
    )
    return Report(
        collection=collection.name,
        documents=home.catalog.documents.count(collection),
        chunks=home.catalog.chunks.lengths(collection)[0],
        judgments=declared.name,
        sources=judged.source_counts,
        judged_documents=sum(len(grades) for grades in judged.qrels.values()),
        measure=MEASURE,
        minimum_effect=declared.minimum_effect,
        arms=[_summary(result, measured) for result in results],
        comparisons=_comparisons(measured, declared, ChangedQueries(home, collection, judged)),
        costs=costs_of(runner, declared.arms, list(judged.queries.values())),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(),
        concerns=tuple(judged.concerns(home.catalog.documents.keys(collection))),
    )


def _unseen(home: Home, judged: EvaluationSet, declared: Declared) -> tuple[EvaluationSet, Declared]:
    """Leave out the queries that want what an arm's model was trained on; the set is then called by another name."""
    kept = that_may_judge(judged, home.catalog, [arm.version for arm in declared.arms if arm.version])
    if len(kept.queries) == len(judged.queries):
        return judged, declared
    return kept, replace(declared, name=held_out(declared.name))


def held_out(judgments: str) -> str:
    """Return what a judgment set is called of which only a part judges."""
    return judgments if not judgments or judgments.endswith(HELD_OUT) else judgments + HELD_OUT


def _summary(result: ArmResult, measured: _Measured) -> ArmSummary:
    values = result.values[MEASURE]
    clusters = [measured.clusters[query] for query in values]
    low, high = mean_interval(list(values.values()), clusters, measured.rules)
    return ArmSummary(str(result.arm), result.measures, result.queries, low, high)


def _comparisons(measured: _Measured, declared: Declared, changed: ChangedQueries) -> list[Comparison]:
    found: list[Comparison] = []
    for pairs, is_declared in ((declared.pairs, True), (declared.explored, False)):
        differences = [measured.differences(*pair) for pair in pairs]
        contrasts = [measured.contrast(one) for one in differences]
        if is_declared:
            contrasts = with_holm(contrasts, measured.rules)
        said = [_comparison(measured, *three, changed) for three in zip(pairs, differences, contrasts, strict=True)]
        found += said if is_declared else [replace(one, reasons=[*one.reasons, _EXPLORED]) for one in said]
    return found


def _comparison(
    measured: _Measured, pair: Pair, differences: Mapping[str, float], whole: Contrast, changed: ChangedQueries
) -> Comparison:
    slices = slice_results(measured.slices, differences, measured.clusters, measured.rules)
    minimum = measured.rules.minimum_effect
    said = verdict(whole, minimum_effect=minimum)
    vetoed = said is Verdict.BETTER and any(one.regressed for one in slices)
    a, b = (measured.results[str(arm)] for arm in pair)
    return Comparison(
        a=str(pair[0]),
        b=str(pair[1]),
        verdict=Verdict.CANNOT_TELL if vetoed else said,
        reasons=[*_reasons(said, whole, slices, minimum), *_caution(measured.judged)],
        contrast=whole,
        slices=slices,
        changed=changed.of(a, b, differences),
        differences=differences,
    )


def _reasons(said: Verdict, whole: Contrast, slices: Sequence[SliceResult], minimum: float) -> list[str]:
    first = {
        Verdict.BETTER: f"B is better by {whole.effect:.4f} {MEASURE}",
        Verdict.WORSE: f"B is worse by {-whole.effect:.4f} {MEASURE}",
        Verdict.NO_DIFFERENCE: f"Any difference is smaller than the {minimum:g} worth having",
        Verdict.CANNOT_TELL: f"{whole.effect:+.4f} {MEASURE}, {_doubt(whole, minimum)}",
    }[said]
    lost = losses(slices)
    veto = ["A kind of queries that is worse vetoes `better`."] if lost and said is Verdict.BETTER else []
    settled = outlook(whole.more_queries) if said is Verdict.CANNOT_TELL else ""
    return [f"{first}: {evidence(whole)}.", *([settled] if settled else []), *lost, *veto]


def _caution(judged: EvaluationSet) -> list[str]:
    if not judged.mined:
        return []
    return [f"{judged.mined} of the {len(judged.queries)} queries are mined from the collection: no reader asked them."]


def _doubt(whole: Contrast, minimum: float) -> str:
    if is_chance(whole):
        return "and chance alone may bring that about"
    return f"more than chance, but it may be less than the {minimum:g} worth having"


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("tandem-search", "ir-measures", "numpy", "onnxruntime")
    found = {name: version(name) for name in packages}
    return {**found, "python": platform.python_version(), "analyzer": ANALYZER_VERSION}
