"""Is one arm better than another, or is it chance? Pure statistics over the differences of paired queries.

What is estimated is the mean over queries of B minus A: its interval by bootstraps of clusters of queries, its p by
flipping their signs (trainer.resampling). A verdict takes both, an effect worth having, and Holm's correction over the
contrasts declared beforehand.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from trainer.findings import MINIMUM_EFFECT, Contrast, Verdict
from trainer.resampling import DECIMALS, Clustered, bootstrap_interval, sign_flip_p

POWER = 0.8
"""How probable it shall be that the queries planned for show an effect that is there."""
WITHIN_REASON = 100_000
"""Nobody judges, or mines from one collection, more queries than this."""
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Rules:
    """How contrasts are judged, the same for all of a comparison.

    `minimum_effect` is the least difference worth having. A query is tied when its difference is at most
    `tie_threshold`: a document that moves by one rank changes a binary nDCG@10 by .0026 at least.
    """

    minimum_effect: float = MINIMUM_EFFECT
    level: float = 0.95
    tie_threshold: float = 0.001
    permutations: int = 10_000
    resamples: int = 4_999
    seed: int = 13

    def __post_init__(self) -> None:
        """Check what the formulas divide by and take logarithms of."""
        if not (0 <= self.minimum_effect < 1 and 0 < self.level < 1 and min(self.permutations, self.resamples) > 0):
            raise ValueError(f"{self} cannot judge: the minimum effect lies in [0, 1), the level in (0, 1)")

    @property
    def alpha(self) -> float:
        """How often a difference may be claimed where there is none."""
        return round(1 - self.level, DECIMALS)


RULES = Rules()


def contrast(differences: Sequence[float], clusters: Sequence[Hashable], *, rules: Rules = RULES) -> Contrast:
    """Return what B minus A of each query, with the cluster that the query belongs to, says about B against A.

    Differences lie in [-1, 1]. The same queries in another order give the same contrast, and the arms swapped give its
    mirror image. Raises ValueError for no differences, one that is no number or out of range, or unequal lengths.
    """
    values = _checked(differences, clusters, "differences", (-1.0, 1.0))
    clustered = Clustered.of(values, clusters)
    low, high = _interval(clustered, (-1.0, 1.0), rules)
    p = sign_flip_p(clustered, permutations=rules.permutations, seed=rules.seed)
    wins = sum(value > rules.tie_threshold for value in values)
    losses = sum(value < -rules.tie_threshold for value in values)
    found = Contrast(
        effect=round(clustered.mean, DECIMALS),
        low=low,
        high=high,
        p=p,
        adjusted_p=p,
        d_z=cohens_d_z(values),
        queries=len(values),
        clusters=len(clustered),
        wins=wins,
        ties=len(values) - wins - losses,
        losses=losses,
        more_queries=None,
    )
    return replace(found, more_queries=more_queries(found, rules))


def mean_interval(values: Sequence[float], clusters: Sequence[Hashable], rules: Rules = RULES) -> tuple[float, float]:
    """Return the interval of one arm's mean over queries of a measure in [0, 1], as `contrast` makes its own."""
    checked = _checked(values, clusters, "values", (0.0, 1.0))
    return _interval(Clustered.of(checked, clusters), (0.0, 1.0), rules)


def cohens_d_z(differences: Sequence[float]) -> float | None:
    """Return mean / standard deviation of paired differences (Cohen 1988, ch. 2); None without spread."""
    if len(differences) < 2 or min(differences) == max(differences):
        return None
    mean = math.fsum(differences) / len(differences)
    variance = math.fsum((value - mean) ** 2 for value in differences) / (len(differences) - 1)
    return mean / math.sqrt(variance)


def holm(ps: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values in the order given (Holm, Scandinavian Journal of Statistics 1979).

    The k-th smallest of n is multiplied by n + 1 - k, is no smaller than the one before it, and at most 1.
    """
    adjusted, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = least
    return adjusted


def with_holm(contrasts: Sequence[Contrast], rules: Rules = RULES) -> list[Contrast]:
    """Correct the contrasts declared beforehand for being several, and plan anew what is no longer settled."""
    adjusted = holm([each.p for each in contrasts])
    corrected = [replace(each, adjusted_p=p) for each, p in zip(contrasts, adjusted, strict=True)]
    return [replace(each, more_queries=more_queries(each, rules)) for each in corrected]


def verdict(found: Contrast, *, minimum_effect: float = MINIMUM_EFFECT, alpha: float = 0.05) -> Verdict:
    """Say what a contrast allows to be said of B.

    `better` and `worse` take an adjusted p below alpha, an interval without 0, and an effect worth having. `no
    difference worth having` takes an interval within the minimum effect, and as many clusters as it takes to have seen
    changes that are rare but large: if a share `minimum_effect` of the clusters changed, and each by all that a measure
    can, n clusters would miss them all with the probability (1 - minimum_effect)^n, which must not exceed alpha. That
    is 299 clusters for .01, so that few identical answers show nothing. All else is `cannot tell yet`.
    """
    excludes_zero = found.low > 0 or found.high < 0
    if found.adjusted_p < alpha and excludes_zero and abs(found.effect) >= minimum_effect:
        return Verdict.BETTER if found.effect > 0 else Verdict.WORSE
    is_within = -minimum_effect < found.low and found.high < minimum_effect
    if is_within and (1 - minimum_effect) ** found.clusters <= alpha:
        return Verdict.NO_DIFFERENCE
    return Verdict.CANNOT_TELL


def is_chance(found: Contrast, alpha: float = 0.05) -> bool:
    """Tell whether chance alone may have brought about the effect."""
    return found.adjusted_p >= alpha or found.low <= 0 <= found.high


def more_queries(found: Contrast, rules: Rules = RULES) -> int | None:
    """Return how many further queries would settle a contrast with a probability of .8, if its effect is the true one.

    They are of the same kind, and clustered alike, so that the standard error (half the interval / 1.96) shrinks with
    the root of their number. An effect worth having then has to be significant, at the level that Holm's correction
    left, and to be seen at no less than the minimum; a smaller one has to have its interval within the minimum (Chow,
    Shao and Wang 2008, ch. 3, on equivalence). 0 when it is settled; None when it would take over 100,000 queries,
    as when the effect is about the minimum. The effect seen may be far from the true one: this is a plan, no promise.
    """
    if verdict(found, minimum_effect=rules.minimum_effect, alpha=rules.alpha) is not Verdict.CANNOT_TELL:
        return 0
    needed = found.queries / found.clusters * _clusters_needed(found, rules)
    if needed > WITHIN_REASON:
        return None
    return max(1, math.ceil(needed - _SLACK) - found.queries)


def _clusters_needed(found: Contrast, rules: Rules) -> float:
    """Return how many clusters would settle it; infinity when none would."""
    effect, minimum, z = abs(found.effect), rules.minimum_effect, NormalDist().inv_cdf
    two_sided = z(1 - rules.alpha / 2)
    if effect > minimum:
        alpha = rules.alpha * found.p / found.adjusted_p
        wanted_error = min(effect / (z(1 - alpha / 2) + z(POWER)), (effect - minimum) / z(POWER))
        least = 1 - math.log2(alpha)  # if all of fewer clusters agree, the p of flipped signs is not below alpha
        unseen = 1 / (1 + effect)
    elif effect < minimum:
        wanted_error = (minimum - effect) / (two_sided + z((1 + POWER) / 2))
        least = math.log(rules.alpha) / math.log(1 - minimum)
        unseen = (1 - minimum) / (1 - effect)
    else:
        return math.inf
    if found.d_z is None and found.clusters > 1:  # all alike: the interval is the rule of three's, without an error
        return max(least, math.log(rules.alpha) / math.log(unseen))
    error = (found.high - found.low) / 2 / two_sided
    return max(least, found.clusters * (error / wanted_error) ** 2)


def queries_needed(
    effect: float, deviation: float, *, design_effect: float = 1.0, alpha: float = 0.05, power: float = POWER
) -> int:
    """Return how many queries show a true effect with this power, two-sided: deff * ((z_(1-a/2) + z_power) * s / e)^2.

    The paired z test (Cohen 1988, ch. 2; for topics of a retrieval experiment Sakai, Information Retrieval Journal
    2016), times the design effect of the clustering. `deviation` is that of the differences, about .28 for nDCG@10: an
    effect of .05 takes 247 queries. Raises ValueError for an effect of 0, which no number of queries shows.
    """
    if not effect:
        raise ValueError("effect is 0: no number of queries shows an effect that is not there")
    z = NormalDist().inv_cdf
    needed = design_effect * ((z(1 - alpha / 2) + z(power)) * deviation / effect) ** 2
    return max(1, math.ceil(needed - _SLACK))


def design_effect(sizes: Sequence[int], correlation: float) -> float:
    """Return by how much clusters of these sizes inflate the variance of a mean over queries.

    1 + (sum(m^2) / sum(m) - 1) * correlation (Kish 1965; for unequal sizes Eldridge, Ashby and Kerry, International
    Journal of Epidemiology 2006); `correlation` is between the differences of two queries of one cluster.
    """
    return 1 + (sum(size**2 for size in sizes) / sum(sizes) - 1) * correlation


def _interval(clustered: Clustered, bounds: tuple[float, float], rules: Rules) -> tuple[float, float]:
    ends = bootstrap_interval(clustered, bounds=bounds, level=rules.level, resamples=rules.resamples, seed=rules.seed)
    return round(ends[0], DECIMALS), round(ends[1], DECIMALS)


def _checked(
    values: Sequence[float], clusters: Sequence[Hashable], name: str, bounds: tuple[float, float]
) -> list[float]:
    """Return the values without the noise of the arithmetic that made them."""
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} {name} but {len(clusters)} cluster ids; give one id for each query")
    if not len(values):
        raise ValueError(f"no {name}: there is nothing to estimate without a query")
    rounded = [round(float(value), DECIMALS) for value in values]
    for place, value in enumerate(rounded):
        if not bounds[0] <= value <= bounds[1]:  # nor is NaN
            raise ValueError(f"{name}[{place}] is {value}; each has to lie from {bounds[0]:g} to {bounds[1]:g}")
    return rounded
