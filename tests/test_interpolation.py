"""Between base and tuned: the mixture, which one dev chooses, and what its gain is worth; and how dev ranks."""

import math

import numpy as np
import pytest

from trainer.finetuning.dev_ranking import chance_value, dev_values
from trainer.finetuning.interpolation import chosen, gain_error, mixed, ranks_as_chance
from trainer.finetuning.pace import Pace, Work


def test_weights_are_mixed_name_by_name_and_the_ends_are_exact() -> None:
    base = {"a": np.array([1.0, 2.0]), "b": np.array([[0.1]])}
    tuned = {"a": np.array([3.0, 2.0]), "b": np.array([[0.3]])}
    quarter = mixed(base, tuned, 0.25)
    np.testing.assert_allclose(quarter["a"], [1.5, 2.0])
    np.testing.assert_allclose(quarter["b"], [[0.15]])
    assert mixed(base, tuned, 0.0)["b"] is base["b"]
    assert mixed(base, tuned, 1.0)["b"] is tuned["b"]


def alike(**means: float) -> dict[float, list[float]]:
    """Two dev queries with these means, by lambda in percent."""
    return {int(share[1:]) / 100: [mean, mean] for share, mean in means.items()}


def test_dev_chooses_the_best_mixture_and_of_equal_ones_the_nearest_to_the_base() -> None:
    assert chosen(alike(_0=0.5, _25=0.6, _50=0.61, _75=0.6, _100=0.4)) == 0.5
    assert chosen(alike(_0=0.5, _25=0.6, _50=0.6 + 1e-10, _100=0.6)) == 0.25


def test_the_base_is_kept_where_nothing_changed_or_dev_speaks_against_every_mixture() -> None:
    assert chosen(alike(_0=0.6, _50=0.6, _100=0.2)) == 0.0
    assert chosen(alike(_0=0.6, _50=0.59)) == 0.0
    # Losses .3 and -.1: mean .1, error .2. Losses .3 and .1: mean .2, error .1.
    assert chosen({0.0: [0.8, 0.5], 0.5: [0.5, 0.6]}) == 0.5
    assert chosen({0.0: [0.8, 0.5], 0.5: [0.5, 0.4]}) == 0.0


def test_the_error_of_a_gain_is_that_of_the_mean_over_paired_queries() -> None:
    # Gains .1, .3, -.1, .1: mean .1, deviations 0, .2, -.2, 0, variance .08 / 3, error sqrt(.08 / 3 / 4).
    assert gain_error([0.5, 0.2, 0.4, 0.9], [0.6, 0.5, 0.3, 1.0]) == pytest.approx(math.sqrt(0.08 / 12))
    assert gain_error([0.5], [0.9]) == 0.0


def test_dev_queries_are_measured_by_the_cosine_of_their_vectors() -> None:
    passages = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], np.float32)
    queries = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    # Ranks: 0 1 2 3; then 2 1, and 0 before 3 as equals; then 3 2 1 0.
    values = dev_values(queries, passages, [(1,), (2, 0), (0,)])
    ideal = 1 + 1 / math.log2(3)
    assert values == pytest.approx([1 / math.log2(3), (1 + 1 / 2) / ideal, 1 / math.log2(5)])


def test_a_document_counts_as_its_best_passage_does() -> None:
    passages = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], np.float32)
    queries = np.array([[1, 0], [0, 1]], np.float32)
    # Documents 0: passages 0 and 3; 1: passage 1; 2: passage 2. Query 0: 0 1 2; query 1: 0 2 1.
    values = dev_values(queries, passages, [(3,), (1,)], [0, 1, 2, 0])
    assert values == pytest.approx([1.0, 1 / math.log2(4)])


def test_the_eleventh_passage_counts_for_nothing() -> None:
    angles = np.linspace(0, 1, 12)
    passages = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    query = np.array([[1, 0]], np.float32)
    assert dev_values(query, passages, [(9,)]) == pytest.approx([1 / math.log2(11)])
    assert dev_values(query, passages, [(10,)]) == [0.0]


def test_time_left_is_read_off_the_first_measurement_whatever_it_measures() -> None:
    pace = Pace({Work.TRAINING: 1000.0, Work.RANKING: 400.0})
    assert pace.seconds_left is None
    pace.done(Work.RANKING, 100.0, 2.0)  # .02 s a token, and thrice that to train
    assert pace.seconds_left == pytest.approx(300 * 0.02 + 1000 * 0.06)
    pace.done(Work.TRAINING, 200.0, 8.0)  # .04 s a token as measured
    assert pace.seconds_left == pytest.approx(300 * 0.02 + 800 * 0.04)
    pace.done(Work.TRAINING, 200.0, 4.0)  # .9 * 200 + 200 tokens in .9 * 8 + 4 seconds
    assert pace.seconds_left == pytest.approx(300 * 0.02 + 600 * 11.2 / 380)


def test_dev_queries_that_rank_as_chance_would_choose_nothing() -> None:
    hits = [0.0] * 58 + [1.0, 0.5]
    assert chosen({0.0: [0.0] * 60, 1.0: hits}) == 0.0  # 0.025, with an error of 0.018
    assert chosen({0.0: [0.0] * 60, 1.0: [0.0] * 50 + [1.0] * 10}, chance=0.02) == 1.0
    assert chosen({0.0: [0.0] * 60, 1.0: [0.0] * 50 + [1.0] * 10}, chance=0.1) == 0.0
    assert not ranks_as_chance(
        {0.0: [0.6, 0.7] * 30, 1.0: [0.0] * 60}, 0.02
    )  # a wrecked model says nothing of the pairs


def test_what_chance_gives_is_the_mean_over_random_orders() -> None:
    relevant, documents = [(0,), (3, 4, 15), (7, 8)], [*range(12), *range(12)]  # passages 3 and 15 are of one document
    rng = np.random.default_rng(0)
    passages, queries = (rng.normal(size=(2000, rows, 8)).astype(np.float32) for rows in (24, 3))
    drawn = [dev_values(*vectors, relevant, documents) for vectors in zip(queries, passages, strict=True)]
    assert chance_value(relevant, documents) == pytest.approx(float(np.mean(drawn)), abs=0.01)
    assert chance_value([(0,)], [0, 1]) == pytest.approx((1 + 1 / math.log2(3)) / 2)
