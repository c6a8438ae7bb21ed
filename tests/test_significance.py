"""Intervals, p values and verdicts: worked by hand, by brute force, by SciPy, and against a simulated truth."""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.verdict_simulation import (
    ALONE,
    EFFECT,
    FOURS,
    UNEQUAL,
    Population,
    Rates,
    Setting,
    cluster_sizes,
    normal,
    ranked,
    simulate,
    skewed,
)
from trainer.findings import Contrast, Verdict
from trainer.significance import (
    Rules,
    cohens_d_z,
    contrast,
    design_effect,
    holm,
    mean_interval,
    more_queries,
    queries_needed,
    verdict,
    with_holm,
)

QUICK = Rules(permutations=300, resamples=199)
FOUND = Contrast(
    effect=0.05,
    low=0.02,
    high=0.08,
    p=0.001,
    adjusted_p=0.001,
    d_z=0.2,
    queries=400,
    clusters=400,
    wins=200,
    ties=100,
    losses=100,
    more_queries=0,
)

DIFFERENCES = st.one_of(st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0]), st.floats(-1, 1))
PAIRED = st.lists(st.tuples(DIFFERENCES, st.integers(0, 9)), min_size=1, max_size=40)


def alone(differences: Sequence[float], rules: Rules = QUICK) -> Contrast:
    """The contrast of queries that share nothing."""
    return contrast(differences, range(len(differences)), rules=rules)


def drawn(count: int, seed: int = 1) -> list[float]:
    """Differences, most of them losses or gains of another size each."""
    values = np.random.default_rng(seed).normal(0.05, 0.28, count)
    return [float(value) for value in values.clip(-1, 1)]


# The randomization test


def test_p_is_the_share_of_sign_patterns_that_go_as_far() -> None:
    # Sums .4, .2 and -.1 make .5; of the eight patterns .7, .5, .3, .1 and their mirror images, four go as far.
    assert contrast([0.3, 0.1, 0.2, -0.1], ["a", "a", "b", "c"]).p == 0.5
    assert alone([0.4, 0.2, -0.1]).p == 0.5


def test_p_of_few_queries_equals_scipys() -> None:
    from scipy.stats import permutation_test  # type: ignore[import-untyped]  # SciPy has no types

    differences = drawn(9)
    exact = permutation_test(
        (np.array(differences), np.zeros(9)),
        lambda b, a, axis: np.mean(b - a, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert alone(differences).p == pytest.approx(exact.pvalue)


def test_p_of_more_queries_is_near_the_one_of_all_patterns() -> None:
    differences = drawn(16)
    signs = np.array(list(itertools.product((-1, 1), repeat=16)))
    exact = np.mean(np.abs(signs @ differences) >= abs(sum(differences)) - 1e-9)
    assert alone(differences, Rules()).p == pytest.approx(exact, abs=0.02)


def test_p_is_never_0() -> None:
    assert alone([0.5] * 40, Rules()).p == 1 / 10_001


def test_queries_without_a_difference_leave_p_as_it_is() -> None:
    differences = drawn(8)
    assert alone([*differences, *[0.0] * 50]).p == alone(differences).p


# The interval


def test_the_interval_of_plain_numbers_is_about_students() -> None:
    from scipy.stats import t

    differences = drawn(200)
    error = statistics.stdev(differences) / math.sqrt(200)
    low, high = t.interval(0.95, 199, statistics.fmean(differences), error)
    found = alone(differences, Rules())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * error)


def test_the_end_in_the_direction_of_a_skew_is_the_percentile_bootstraps() -> None:
    from scipy.stats import bootstrap

    differences = np.random.default_rng(2).exponential(0.1, 60).clip(0, 1)
    percentile = bootstrap((differences,), np.mean, method="percentile", rng=np.random.default_rng(3))
    found = alone(differences.tolist(), Rules())
    assert found.high == pytest.approx(percentile.confidence_interval.high, abs=0.002)
    assert found.low < percentile.confidence_interval.low - 0.001


def test_the_wild_bootstrap_by_brute_force() -> None:
    sums, sizes = [0.9, -0.7, 0.4, -0.2, 0.8, -1.1, 0.5, 0.1], [3, 2, 1, 1, 2, 3, 1, 2]
    differences = [total / size for total, size in zip(sums, sizes, strict=True) for _ in range(size)]
    mean = sum(sums) / sum(sizes)
    residuals = [total - mean * size for total, size in zip(sums, sizes, strict=True)]

    def error(off: Sequence[float]) -> float:
        return math.sqrt(8 / 7 * sum(each**2 for each in off)) / sum(sizes)

    ratios = []
    for signs in itertools.product((-1, 1), repeat=8):
        wild = [sign * residual for sign, residual in zip(signs, residuals, strict=True)]
        shift = sum(wild) / sum(sizes)
        ratios.append(abs(shift) / error([each - shift * size for each, size in zip(wild, sizes, strict=True)]))
    reach = sorted(ratios)[math.ceil(0.95 * 255)] * error(residuals)
    found = contrast(differences, np.repeat(np.arange(8), sizes).tolist(), rules=Rules())
    assert (found.low, found.high) == pytest.approx((mean - reach, mean + reach))


def test_the_effect_is_the_mean_over_queries_however_they_are_clustered() -> None:
    assert contrast([0.6, 0.6, 0.6, 0.0], ["a", "a", "a", "b"]).effect == 0.45


def test_a_query_asked_four_times_counts_once() -> None:
    differences = drawn(30)
    once = alone(differences, Rules())
    often = contrast(differences * 4, [*range(30)] * 4, rules=Rules())
    assert (often.low, often.high, often.p) == pytest.approx((once.low, once.high, once.p))
    naive = alone(differences * 4, Rules())
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


def test_the_interval_of_an_arms_mean_stays_within_the_measure() -> None:
    assert mean_interval([1.0] * 100, range(100)) == pytest.approx((0.05 ** (1 / 100), 1.0))
    values = [0.0, 1.0, 0.5, 0.25, 0.9, 0.1, 0.8, 0.3]
    low, high = mean_interval(values, range(8), QUICK)
    assert 0 <= low < statistics.fmean(values) < high <= 1


# What does not matter, and what mirrors


@given(PAIRED)
@settings(deadline=None)
def test_swapped_arms_mirror_the_contrast(paired: list[tuple[float, int]]) -> None:
    differences, clusters = zip(*paired, strict=True)
    found = contrast(differences, clusters, rules=QUICK)
    swapped = contrast([-value for value in differences], clusters, rules=QUICK)
    d_z = None if found.d_z is None else -found.d_z
    mirrored = replace(found, effect=-found.effect, low=-found.high, high=-found.low, d_z=d_z)
    assert swapped == replace(mirrored, wins=found.losses, losses=found.wins)


@given(PAIRED, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_neither_order_nor_names_matter(paired: list[tuple[float, int]], random: Random) -> None:
    shuffled = random.sample(paired, len(paired))
    found = contrast([value for value, _ in paired], [cluster for _, cluster in paired], rules=QUICK)
    assert found == contrast([value for value, _ in shuffled], [f"d{9 - name}" for _, name in shuffled], rules=QUICK)


@given(PAIRED)
@settings(deadline=None)
def test_p_is_above_0_and_the_interval_around_the_effect(paired: list[tuple[float, int]]) -> None:
    found = contrast([value for value, _ in paired], [cluster for _, cluster in paired], rules=QUICK)
    assert 0 < found.p <= 1
    assert -1 <= found.low <= found.effect <= found.high <= 1
    assert found.wins + found.ties + found.losses == found.queries == len(paired)
    assert found.clusters == len({cluster for _, cluster in paired})
    assert (found.more_queries == 0) == (verdict(found) is not Verdict.CANNOT_TELL)


def test_a_seed_decides_what_is_drawn() -> None:
    differences = drawn(60)
    assert alone(differences) == alone(differences)
    assert alone(differences) != alone(differences, replace(QUICK, seed=2))


# Too little to go by


@pytest.mark.parametrize(
    ("differences", "clusters"),
    [
        ([0.4], ["a"]),
        ([0.4, 0.4], ["a", "b"]),
        ([0.4, -0.1], ["a", "b"]),
        ([1.0] * 5, "abcde"),
        ([0.4] * 300, ["one"] * 300),
        ([0.0] * 298, range(298)),
        ([0.0] * 200 + [0.004] * 50, range(250)),
        ([0.0] * 1000, ["one"] * 1000),
    ],
)
def test_nothing_can_be_told_from_few_clusters(differences: Sequence[float], clusters: Sequence[str]) -> None:
    assert verdict(contrast(differences, clusters)) is Verdict.CANNOT_TELL


def test_identical_answers_show_that_there_is_no_difference_once_there_are_many() -> None:
    found = alone([0.0] * 299)
    assert (found.effect, found.p, found.d_z, found.more_queries) == (0, 1, None, 0)
    assert verdict(found) is Verdict.NO_DIFFERENCE
    assert alone([0.0] * 50).more_queries == 249


def test_values_that_are_all_alike_leave_room_for_what_was_not_seen() -> None:
    unseen = 1 - 0.05 ** (1 / 40)
    found = alone([0.1] * 40)
    assert (found.low, found.high) == pytest.approx((0.1 - 1.1 * unseen, 0.1 + 0.9 * unseen))
    assert verdict(found) is Verdict.BETTER
    few = alone([0.1] * 12)
    assert few.more_queries is not None
    assert verdict(alone([0.1] * (12 + few.more_queries))) is Verdict.BETTER


def test_a_handful_of_changes_among_many_queries_is_no_difference_only_among_more() -> None:
    changes = [0.1, 0.05, -0.1]
    assert verdict(alone([*changes, *[0.0] * 297])) is Verdict.CANNOT_TELL
    assert verdict(alone([*changes, *[0.0] * 497])) is Verdict.NO_DIFFERENCE


def test_the_noise_of_arithmetic_is_no_difference() -> None:
    assert alone([1e-16, -1e-17] * 30) == alone([0.0] * 60)


@pytest.mark.parametrize(
    ("differences", "clusters", "said"),
    [
        ([0.1, math.nan], "ab", r"differences\[1\] is nan"),
        ([-math.inf], "a", r"differences\[0\] is -inf"),
        ([1.5], "a", r"differences\[0\] is 1.5; each has to lie from -1 to 1"),
        ([0.1, 0.2], "abc", "2 differences but 3 cluster ids"),
        ([], "", "no differences"),
    ],
)
def test_what_cannot_be_judged_is_named(differences: Sequence[float], clusters: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        contrast(differences, clusters)
    with pytest.raises(ValueError, match=r"values\[0\] is -0.1; each has to lie from 0 to 1"):
        mean_interval([-0.1], ["a"])


def test_rules_that_make_no_sense_are_refused() -> None:
    for wrong in ({"minimum_effect": 1.0}, {"level": 1.0}, {"minimum_effect": -0.1}):
        with pytest.raises(ValueError, match="cannot judge"):
            Rules(**wrong)  # type: ignore[arg-type]  # each is a float


# Effect sizes, wins and losses, Holm


def test_d_z_is_the_mean_in_standard_deviations() -> None:
    assert cohens_d_z([0.1, 0.2, 0.3]) == pytest.approx(2.0)
    assert cohens_d_z([0.2, 0.2]) is None
    assert cohens_d_z([0.2]) is None


def test_a_difference_within_the_threshold_is_a_tie() -> None:
    found = alone([0.2, 0.0011, 0.001, 0.0, -0.001, -0.5])
    assert (found.wins, found.ties, found.losses) == (2, 3, 1)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0.0001, 1), max_size=8))
def test_holm_lowers_no_p_and_keeps_their_order(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= corrected <= 1 for p, corrected in zip(ps, adjusted, strict=True))
    ranked_before = sorted(range(len(ps)), key=lambda place: ps[place])
    assert [adjusted[place] for place in ranked_before] == sorted(adjusted)


def test_holm_unsettles_what_only_one_contrast_could_claim() -> None:
    weak = replace(FOUND, p=0.03, adjusted_p=0.03, low=0.001, high=0.099)
    strong, weakened = with_holm([FOUND, weak, weak])[:2]
    assert (strong.adjusted_p, strong.more_queries) == (0.003, 0)
    assert weakened.adjusted_p == 0.06
    assert weakened.more_queries is not None
    assert weakened.more_queries > 0
    assert with_holm([weak]) == [weak]


# The verdict


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, Verdict.BETTER),
        ({"effect": -0.05, "low": -0.08, "high": -0.02}, Verdict.WORSE),
        ({"adjusted_p": 0.05}, Verdict.CANNOT_TELL),
        ({"low": 0.0}, Verdict.CANNOT_TELL),
        ({"effect": 0.009, "low": 0.001, "high": 0.017}, Verdict.CANNOT_TELL),
        ({"effect": 0.01, "low": 0.001, "high": 0.019}, Verdict.BETTER),
        ({"effect": 0.005, "low": 0.001, "high": 0.009}, Verdict.NO_DIFFERENCE),
        ({"effect": 0.0, "low": -0.009, "high": 0.009}, Verdict.NO_DIFFERENCE),
        ({"effect": 0.0, "low": -0.009, "high": 0.01}, Verdict.CANNOT_TELL),
        ({"effect": 0.0, "low": -0.009, "high": 0.009, "clusters": 298}, Verdict.CANNOT_TELL),
    ],
)
def test_a_claim_takes_p_and_interval_and_an_effect_worth_having(changed: dict[str, float], said: Verdict) -> None:
    assert verdict(replace(FOUND, **changed)) is said  # type: ignore[arg-type]  # each is a number


def test_the_owner_says_what_is_worth_having() -> None:
    assert verdict(FOUND, minimum_effect=0.06) is Verdict.CANNOT_TELL
    assert verdict(FOUND, minimum_effect=0.1) is Verdict.NO_DIFFERENCE
    assert verdict(FOUND, alpha=0.001) is Verdict.CANNOT_TELL


# How many queries it takes


def test_queries_needed_by_hand() -> None:
    # ((1.95996 + .84162) * .28 / .05)^2 = 7.8489 * 31.36 = 246.1
    assert [queries_needed(effect, 0.28) for effect in (0.05, -0.05, 0.03, 0.02)] == [247, 247, 684, 1539]
    assert queries_needed(0.05, 0.28, design_effect=2.5) == math.ceil(2.5 * 246.14)
    with pytest.raises(ValueError, match="effect is 0"):
        queries_needed(0.0, 0.28)


def test_clusters_inflate_the_variance() -> None:
    assert design_effect([1] * 9, 0.5) == 1
    assert design_effect([4] * 9, 0.5) == 2.5
    assert design_effect([1, 3], 0.5) == 1.75  # of a query's cluster mates there are (1 * 0 + 3 * 2) / 4 = 1.5


def test_further_queries_shrink_the_interval_until_the_effect_shows() -> None:
    open_yet = replace(FOUND, p=0.3, adjusted_p=0.3, low=-0.05, high=0.15, queries=100, clusters=100)
    # The error .1 / 1.96 = .05102 has to become .05 / 2.8016 = .01785: 100 * 2.8587^2 = 817.3 queries.
    assert more_queries(open_yet) == 718
    assert more_queries(replace(open_yet, clusters=25)) == 718
    assert more_queries(replace(open_yet, adjusted_p=0.6)) == 890  # at .025: z 2.2414, 100 * (3.0830 / .98)^2 = 989.7


def test_further_queries_shrink_the_interval_until_it_lies_within_the_minimum() -> None:
    open_yet = replace(FOUND, effect=0.002, low=-0.018, high=0.022, p=0.8, adjusted_p=0.8)
    # The error .02 / 1.96 = .010204 has to become .008 / (1.96 + 1.2816) = .002468: 400 * 4.1347^2 = 6838.2 queries.
    assert more_queries(open_yet) == 6439
    assert more_queries(replace(open_yet, effect=0.01)) is None
    assert more_queries(replace(open_yet, effect=0.0098)) is None


# The truth is known: what is simulated is what is said to be


@pytest.mark.parametrize(
    ("population", "effect"),
    [(normal(), 0.0), (ranked(), 0.0), (skewed(), 0.0), (normal(EFFECT), EFFECT), (ranked(EFFECT), EFFECT)],
    ids=["normal", "ranked", "skewed", "normal-better", "ranked-better"],
)
def test_simulated_differences_have_the_deviation_and_the_effect_wanted(population: Population, effect: float) -> None:
    assert population.mean == pytest.approx(effect, abs=1e-3)
    assert math.sqrt(population.weights @ (population.values - population.mean) ** 2) == pytest.approx(0.28, abs=1e-3)
    assert population.weights.min() >= 0
    assert population.weights.sum() == pytest.approx(1)
    assert np.abs(population.values).max() <= 1


def test_simulated_queries_of_one_cluster_correlate_by_half() -> None:
    pairs = ranked().draw([2] * 20_000, np.random.default_rng(4)).reshape(-1, 2)
    assert statistics.correlation(*pairs.T.tolist()) == pytest.approx(0.5, abs=0.03)


def test_simulated_clusters_hold_all_queries() -> None:
    assert cluster_sizes(UNEQUAL, 100) == [*range(1, 13), *range(1, 7), 1]
    assert (len(cluster_sizes(FOURS, 300)), len(cluster_sizes(ALONE, 300))) == (75, 300)


@pytest.mark.slow
@pytest.mark.parametrize("population", [normal(), ranked(), skewed()], ids=["normal", "ranked", "skewed"])
@pytest.mark.parametrize(("clustering", "queries"), [(ALONE, 100), (ALONE, 300), (FOURS, 300), (UNEQUAL, 300)])
def test_alike_arms_are_rarely_told_apart_and_intervals_mostly_true(
    population: Population, clustering: str, queries: int
) -> None:
    rates = simulate(Setting(population, clustering, queries), 400)
    tolerance = 2.5 * math.sqrt(0.05 * 0.95 / 400)
    assert rates.claimed <= 0.05 + tolerance
    assert 0.93 - tolerance <= rates.covered <= 0.97 + tolerance


@pytest.mark.slow
@pytest.mark.parametrize("clustering", [FOURS, UNEQUAL])
def test_drawing_queries_where_clusters_answer_alike_claims_differences_that_are_not_there(clustering: str) -> None:
    rates = simulate(Setting(ranked(), clustering, 300), 200, by_query=True)
    assert rates.claimed > 0.12
    assert rates.covered < 0.88


@pytest.mark.slow
@pytest.mark.parametrize("population", [normal(EFFECT), ranked(EFFECT)], ids=["normal", "ranked"])
def test_an_effect_of_5_points_shows_in_300_queries_and_in_as_many_clustered_ones_as_are_needed(
    population: Population,
) -> None:
    def better(clustering: str, queries: int) -> Rates:
        return simulate(Setting(population, clustering, queries), 400)

    assert better(ALONE, 300).said[Verdict.BETTER] >= 0.8
    needed = queries_needed(EFFECT, 0.28, design_effect=design_effect([4], 0.5))
    # 2.5 standard errors of 400 simulations are .05; the formula is the z test's, and promises some .02 too much.
    assert better(FOURS, needed).said[Verdict.BETTER] == pytest.approx(0.8, abs=0.07)
