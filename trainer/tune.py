"""Choose the fusion and BM25's k1 and b by judged queries, and say whether the choice is better than what there is.

What is judged is not a setting but the choosing: every query is scored with the setting that the queries of other folds
chose, so that none takes part in choosing what it is scored with; correlated queries share a fold. What is adopted is
then chosen on all queries. Folds choose by much the same queries, so that their errors are not independent: where no
setting is better, somewhat more tunings are adopted than comparisons of two equal arms say `better`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.catalog import Collection
from retrieval.home import Home
from trainer.clusters import clusters_of
from trainer.evaluation_set import EvaluationSet
from trainer.findings import MEASURE, MINIMUM_EFFECT, Contrast, SliceResult, Verdict
from trainer.significance import Rules, contrast, verdict
from trainer.slices import slice_results, slices_of
from trainer.tuning_grid import Scores, Setting, grid, scores
from trainer.wording import evidence, losses

FOLDS = 5
SEED = 0
LEAST_QUERIES, LEAST_CLUSTERS = 50, 30
"""Fewer decide nothing, whatever they show: folds would choose among hundreds of settings by a handful of queries."""
CAUTION = 1.0
"""Standard errors taken off a gain before settings are compared: with none, chance is adopted more often; with two,
much of what there is to gain is missed."""

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to tune, said before anything is measured. `seed` decides which clusters share a fold."""

    folds: int = FOLDS
    minimum_effect: float = MINIMUM_EFFECT
    seed: int = SEED


@dataclass(frozen=True, slots=True)
class Fold:
    """Queries held out: what all others chose for them, and their mean nDCG@10 before and with it."""

    queries: int
    chosen: Setting
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """What tuning found. `after` is what all queries together choose; means are of nDCG@10 over queries held out.

    `more_queries` is how many further ones would settle it; None when no number within reason would.
    """

    before: Setting
    after: Setting
    folds: Sequence[Fold]
    mean_before: float
    mean_after: float
    contrast: Contrast
    slices: Sequence[SliceResult]
    verdict: Verdict
    reasons: Sequence[str]
    more_queries: int | None
    settings: int

    @property
    def is_better(self) -> bool:
        """Whether `after` is to be adopted."""
        return self.verdict is Verdict.BETTER


@dataclass(frozen=True, slots=True)
class HeldOut:
    """For each fold, the places of its queries and of the setting that the others chose."""

    folds: Sequence[tuple[Places, int]]

    def differences(self, found: Scores) -> NDArray[np.float64]:
        """Return each query's score with the setting chosen without it, less that of the present setting, row 0."""
        differences = np.zeros(found.shape[1])
        for queries, chosen in self.folds:
            differences[queries] = found[chosen, queries] - found[0, queries]
        return differences


def tune(
    home: Home,
    collection: Collection,
    judged: EvaluationSet,
    plan: Plan,
    *,
    on_weighing: Callable[[int, int], None] = lambda _done, _all: None,
) -> Tuning:
    """Choose settings for a collection and judge them against its own; nothing is changed.

    Raises UsageError for a collection without documents, and ModelError for a model that has not embedded all of it.
    """
    before = Setting.of(collection.config)
    settings = grid(before)
    found = scores(home, collection, judged, settings, on_weighing=on_weighing)
    names = clusters_of(judged)
    clusters = [names[query] for query in judged.queries]
    held_out = cross_validated(found, clusters, folds=plan.folds, seed=plan.seed)
    differences = dict(zip(judged.queries, held_out.differences(found).tolist(), strict=True))
    rules = Rules(minimum_effect=plan.minimum_effect)
    whole = contrast(list(differences.values()), clusters, rules=rules)
    slices = slice_results(slices_of(judged, home.catalog, collection), differences, names, rules)
    after = settings[choice(found, clusters)]
    said, reasons = judgment(whole, slices, plan.minimum_effect, stays=after == before)
    return Tuning(
        before=before,
        after=after,
        folds=[_fold(found, settings, queries, chosen) for queries, chosen in held_out.folds],
        mean_before=float(found[0].mean()),
        mean_after=float(found[0].mean()) + whole.effect,
        contrast=whole,
        slices=slices,
        verdict=said,
        reasons=reasons,
        more_queries=_more_queries(whole) if said is Verdict.CANNOT_TELL else 0,
        settings=len(settings),
    )


def cross_validated(found: Scores, clusters: Sequence[str], *, folds: int, seed: int) -> HeldOut:
    """Let each fold's queries be decided on by those of the other folds."""
    everyone = np.arange(len(clusters))
    held_out: list[tuple[Places, int]] = []
    for queries in folded(clusters, folds=folds, seed=seed):
        others = np.setdiff1d(everyone, queries)
        held_out.append((queries, choice(found[:, others], [clusters[place] for place in others])))
    return HeldOut(held_out)


def folded(clusters: Sequence[str], *, folds: int, seed: int) -> list[Places]:
    """Return the places of each fold's queries: whole clusters, shuffled, the largest first into the smallest fold.

    There are no more folds than clusters.
    """
    places: dict[str, list[int]] = {}
    for place, cluster in enumerate(clusters):
        places.setdefault(cluster, []).append(place)
    names = sorted(places)
    shuffled = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    filled: list[list[int]] = [[] for _ in range(min(folds, len(names)))]
    for name in sorted(shuffled, key=lambda name: -len(places[name])):
        min(filled, key=len).extend(places[name])
    return [np.array(sorted(fold), np.int64) for fold in filled]


def choice(found: Scores, clusters: Sequence[str]) -> int:
    """Return the setting whose mean gain over the present one, row 0, is largest when a standard error is taken off.

    The present setting gains 0 without error, so that it stays where no gain stands out; ties go to the first. The
    error is that of a mean over clusters (Cochran 1977, eq. 6.13), which takes two of them.
    """
    if len(set(clusters)) < 2:
        return 0
    gains = found - found[0]
    _, codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    members = np.zeros((len(clusters), len(sizes)))
    members[np.arange(len(clusters)), codes] = 1.0
    means = gains.mean(axis=1)
    residuals = gains @ members - np.outer(means, sizes)
    inflation = math.sqrt(len(sizes) / (len(sizes) - 1))
    errors = inflation * np.sqrt((residuals**2).sum(axis=1)) / len(clusters)
    return int(np.argmax(np.round(means - CAUTION * errors, 12)))


def judgment(
    whole: Contrast, slices: Sequence[SliceResult], minimum: float, *, stays: bool
) -> tuple[Verdict, list[str]]:
    """Return the verdict on choosing by tuning against the present settings, and why, a sentence each.

    `stays` when all queries together choose the present ones, whatever the folds chose.
    """
    said = verdict(whole, minimum_effect=minimum)
    reason = {
        Verdict.BETTER: f"Queries held out gain {whole.effect:.4f} {MEASURE}",
        Verdict.WORSE: f"Queries held out lose {-whole.effect:.4f} {MEASURE}",
        Verdict.NO_DIFFERENCE: f"Any gain is smaller than the {minimum:g} worth having",
        Verdict.CANNOT_TELL: f"{whole.effect:+.4f} {MEASURE} on queries held out does not suffice",
    }[said]
    vetoes = losses(slices)
    if said is Verdict.BETTER and _lacking(whole):
        vetoes.append(
            f"{whole.queries} queries in {whole.clusters} unrelated groups are too few to choose settings by, whatever "
            f"they show; it takes {LEAST_QUERIES} in {LEAST_CLUSTERS}."
        )
    if said is Verdict.BETTER and stays:
        vetoes.append("All queries together choose the present settings.")
    if said is Verdict.BETTER and vetoes:
        said = Verdict.CANNOT_TELL
    return said, [f"{reason}: {evidence(whole)}.", *vetoes]


def _more_queries(whole: Contrast) -> int | None:
    """Return how many further queries, clustered alike, would settle it, and be enough."""
    return None if whole.more_queries is None else max(whole.more_queries, _lacking(whole))


def _lacking(whole: Contrast) -> int:
    """Return how many queries, clustered alike, are missing from those that may decide."""
    clusters = max(0, LEAST_CLUSTERS - whole.clusters)
    return max(0, LEAST_QUERIES - whole.queries, math.ceil(clusters * whole.queries / whole.clusters))


def _fold(found: Scores, settings: Sequence[Setting], queries: Places, chosen: int) -> Fold:
    before, after = found[0, queries].mean(), found[chosen, queries].mean()
    return Fold(len(queries), settings[chosen], float(before), float(after))
