"""How often does the verdict claim a difference that is not there, miss one that is, and how often is an interval true?

Comparisons are simulated whose truth is known: differences of nDCG@10 with a standard deviation of .28, in clusters
that answer alike (correlation .5) or not. Where queries are clustered, the same numbers are judged a second time as if
each query stood for itself, which is what a test that draws queries does.

    python -m benchmarks.verdict_simulation [--repeats 1000] [--jobs 2]
"""

import math
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from statistics import NormalDist
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Report, parser, progress, table, target
from trainer.findings import Verdict
from trainer.significance import Rules, contrast, design_effect, queries_needed, verdict

NAME = "verdict_simulation"
DEVIATION, EFFECT, CORRELATION = 0.28, 0.05, 0.5
DRAWS = 999
"""Permutations and resamples of a simulated comparison, fewer than of a real one to save time."""
RANKS = (0.40, 0.12, 0.08, 0.05, 0.04, 0.03, 0.03, 0.02, 0.02, 0.02)
"""How often an arm finds the one relevant document at rank 1 to 10; else it does not."""
POINTS = (np.arange(2000) + 0.5) / 2000
ALONE, FOURS, UNEQUAL = "each alone", "4 each", "1 to 12"
CLAIMS = (Verdict.BETTER, Verdict.WORSE)
ENOUGH_CLUSTERS = 40


@dataclass(frozen=True, slots=True)
class Population:
    """Differences that a query may have, and how often it has each."""

    name: str
    values: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """The true effect."""
        return float(self.values @ self.weights)

    def draw(self, sizes: Sequence[int], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return differences, cluster after cluster; a query has its cluster's or its own."""
        clusters = rng.choice(self.values, len(sizes), p=self.weights)
        own = rng.choice(self.values, sum(sizes), p=self.weights)
        return np.where(rng.random(len(own)) < math.sqrt(CORRELATION), np.repeat(clusters, sizes), own)


def normal(effect: float = 0.0) -> Population:
    """Return normal differences, cut at -1 and 1."""
    values = np.array([NormalDist(effect, DEVIATION).inv_cdf(point) for point in POINTS])
    return Population("normal", values.clip(-1, 1), np.full(len(POINTS), 1 / len(POINTS)))


def ranked(effect: float = 0.0) -> Population:
    """Return what one relevant document gives when two arms rank some of the queries independently, the others alike.

    With an effect, gains are more frequent than losses; how many queries are ranked apart follows from the deviation.
    """
    worth = np.array([*(1 / math.log2(rank + 1) for rank in range(1, len(RANKS) + 1)), 0.0])
    chances = np.array([*RANKS, 1 - sum(RANKS)])
    values, weights = (worth[:, None] - worth).ravel(), np.outer(chances, chances).ravel()
    apart = (DEVIATION**2 + effect**2) / float(weights @ values**2)
    lean = effect / (apart * float(weights @ np.abs(values)))
    weights = apart * weights * (1 + lean * np.sign(values))
    return Population("ranks, mostly 0", np.append(values, 0.0), np.append(weights, 1 - weights.sum()))


def skewed() -> Population:
    """Return differences of which half are 0, and the others many small gains and few large losses; their mean is 0."""
    changes = np.clip(1 + np.log(POINTS), -2, None)
    values = np.concatenate([changes - changes.mean(), np.zeros(len(POINTS))])
    values *= DEVIATION / values.std()
    return Population("skewed, half 0", values, np.full(len(values), 1 / len(values)))


def cluster_sizes(kind: str, queries: int) -> list[int]:
    """Return the sizes of the clusters of so many queries."""
    cycle = {ALONE: (1,), FOURS: (4,), UNEQUAL: tuple(range(1, 13))}[kind]
    sizes: list[int] = []
    while (left := queries - sum(sizes)) > 0:
        sizes.append(min(cycle[len(sizes) % len(cycle)], left))
    return sizes


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated: so many queries of a population, clustered in one way."""

    population: Population
    clustering: str
    queries: int

    @property
    def sizes(self) -> list[int]:
        """The sizes of the clusters."""
        return cluster_sizes(self.clustering, self.queries)

    @property
    def name(self) -> str:
        """The setting in a cell of a table."""
        return f"{self.population.name}; {self.queries:,} queries, {self.clustering}"


@dataclass(frozen=True, slots=True)
class Rates:
    """Over the simulated comparisons: how often each verdict was said, and how often the interval held the truth."""

    said: dict[Verdict, float]
    covered: float

    @property
    def claimed(self) -> float:
        """How often a difference was claimed."""
        return sum(self.said[claim] for claim in CLAIMS)


def simulate(setting: Setting, repeats: int, *, by_query: bool = False) -> Rates:
    """Judge so many comparisons; `by_query` as if no query were clustered. A setting's numbers are always the same."""
    rng, sizes, truth = np.random.default_rng(crc32(setting.name.encode())), setting.sizes, setting.population.mean
    clusters = np.repeat(np.arange(len(sizes)), sizes).tolist()
    said: Counter[Verdict] = Counter()
    covered = 0
    for seed in range(repeats):
        differences = setting.population.draw(sizes, rng).tolist()
        rules = Rules(permutations=DRAWS, resamples=DRAWS, seed=seed)
        found = contrast(differences, range(len(differences)) if by_query else clusters, rules=rules)
        said[verdict(found)] += 1
        covered += found.low <= truth <= found.high
    return Rates({each: said[each] / repeats for each in Verdict}, covered / repeats)


def null_settings() -> list[Setting]:
    """Return the settings without a difference."""
    return [
        Setting(population, clustering, queries)
        for population in (normal(), ranked(), skewed())
        for clustering in (ALONE, FOURS, UNEQUAL)
        for queries in (100, 300)
    ]


def effect_settings() -> list[Setting]:
    """Return the settings with one: at 300 queries, and at as many as the formula asks for."""
    settings = [Setting(population(EFFECT), ALONE, 300) for population in (normal, ranked)]
    for clustering in (ALONE, FOURS, UNEQUAL):
        inflation = design_effect(
            cluster_sizes(clustering, 312), CORRELATION
        )  # 312 is a multiple of 4 and of 1 + ... + 12
        needed = queries_needed(EFFECT, DEVIATION, design_effect=inflation)
        settings += [Setting(population(EFFECT), clustering, needed) for population in (normal, ranked)]
    return settings


def percent(rate: float) -> str:
    """Return a rate as people read it."""
    return f"{100 * rate:.1f} %"


def null_table(settings: Sequence[Setting], ours: Sequence[Rates], by_query: Sequence[Rates]) -> str:
    """Return false claims and coverage, of ours and of drawing queries."""
    rows = []
    for setting, own, other in zip(settings, ours, by_query, strict=True):
        both = [percent(value) for value in (own.claimed, own.covered, other.claimed, other.covered)]
        shown = both if setting.clustering != ALONE else [*both[:2], "same", "same"]
        rows.append([setting.name, str(len(setting.sizes)), *shown])
    header = ["no difference", "clusters", "claimed", "interval true", "claimed, by query", "interval true, by query"]
    return table(header, rows)


def effect_table(settings: Sequence[Setting], rates: Sequence[Rates]) -> str:
    """Return what was said where B is better."""
    rows = [
        [setting.name, *(percent(each.said[said]) for said in Verdict), percent(each.covered)]
        for setting, each in zip(settings, rates, strict=True)
    ]
    return table([f"true effect {EFFECT}", *Verdict, "interval true"], rows)


def targets(settings: Sequence[Setting], ours: Sequence[Rates], better: float, repeats: int) -> str:
    """Return what is wanted, each with 2.5 standard errors of the simulation as its tolerance."""

    def within(rate: float, sign: int) -> float:
        return round(100 * (rate + sign * 2.5 * math.sqrt(rate * (1 - rate) / repeats)), 1)

    def least_and_most(rates: Sequence[float]) -> tuple[float, float]:
        return 100 * min(rates), 100 * max(rates)

    symmetric = [rates.claimed for setting, rates in zip(settings, ours, strict=True) if "skewed" not in setting.name]
    lines = [
        target("false claims between alike arms, worst setting, %", 100 * max(symmetric), within(0.05, 1)),
        target("false claims between alike arms, mean of the settings, %", 100 * sum(symmetric) / len(symmetric), 5),
        target(f"`better` at 300 queries and {EFFECT}, %", 100 * better, 80, at_least=True),
    ]
    for label, is_enough in ((f"{ENOUGH_CLUSTERS} or more", True), (f"fewer than {ENOUGH_CLUSTERS}", False)):
        covered = [
            rates.covered
            for setting, rates in zip(settings, ours, strict=True)
            if (len(setting.sizes) >= ENOUGH_CLUSTERS) == is_enough
        ]
        least, most = least_and_most(covered)
        lines.append(target(f"interval true, {label} clusters, least, %", least, within(0.93, -1), at_least=True))
        lines.append(target(f"interval true, {label} clusters, most, %", most, within(0.97, 1)))
    return "\n".join(lines)


def main() -> None:
    """Simulate, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--repeats", type=int, default=1000, help="comparisons of each setting")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    given = options.parse_args()
    nulls, effects = null_settings(), effect_settings()
    clustered = [setting for setting in nulls if setting.clustering != ALONE]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the processes to be started: they fill the cores as it is
    with ProcessPoolExecutor(given.jobs, get_context("spawn")) as pool:
        progress(f"Simulating {len(nulls) + len(clustered) + len(effects)} settings, {given.repeats} comparisons each")
        found = pool.map(partial(simulate, repeats=given.repeats), [*nulls, *effects])
        wrong = pool.map(partial(simulate, repeats=given.repeats, by_query=True), clustered)
        rates, by_query = list(found), dict(zip(map(id, clustered), wrong, strict=True))
    ours = rates[: len(nulls)]
    others = [by_query.get(id(setting), own) for setting, own in zip(nulls, ours, strict=True)]
    better = min(each.said[Verdict.BETTER] for each in rates[len(nulls) :][:2])
    what = (
        f"{given.repeats:,} simulated comparisons of each setting; the standard deviation is {DEVIATION}, the "
        f"correlation within a cluster {CORRELATION}, the minimum effect .01. *Claimed* is `better` or `worse`; an "
        "interval is *true* when it holds the true effect, 95 % being wanted. *By query* is what the same numbers give "
        f"when clusters are ignored. Each comparison draws {DRAWS} times. What is wanted allows for 2.5 standard "
        "errors of the simulation, but for the mean and for `better`."
    )
    parts = [what, null_table(nulls, ours, others), effect_table(effects, rates[len(nulls) :])]
    Report(NAME, "Does the verdict keep its word?", [*parts, targets(nulls, ours, better, given.repeats)]).write(
        given.out
    )


if __name__ == "__main__":
    main()
