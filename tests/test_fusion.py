"""Two legs become one ranking: the numbers are worked by hand."""

import math
from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import fusion
from retrieval.fusion import LegDocuments, Scale, Sizes
from retrieval.stores.base import Candidates

UNIT = Scale(0.0, 1.0)


def candidates(*scores: tuple[int, int, float]) -> Candidates:
    return Candidates.of(scores)


def leg(scores: Mapping[int, float], floor: float) -> LegDocuments:
    documents = sorted(scores)
    return LegDocuments(np.array(documents), np.array([scores[document] for document in documents]), floor)


def aggregate(passages: Sequence[float], size: int) -> float:
    """The aggregate of one document, given up to three passages."""
    padded = [*passages, -math.inf, -math.inf][:3]
    return float(fusion.aggregate(np.array([padded]), np.array([size]))[0])


def test_a_z_score_counts_deviations_from_the_mean() -> None:
    assert Scale(10.0, 4.0).z(16.0) == 1.5
    assert Scale(10.0, 4.0).z(8.0) == -0.5


def test_the_scale_of_cosines_follows_from_mean_and_covariance_without_a_scan() -> None:
    rows = np.random.default_rng(3).normal(size=(50, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    query = rows[7]
    scale = fusion.embedding_scale(query, rows.mean(axis=0), np.cov(rows, rowvar=False, bias=True).astype(np.float32))
    assert scale.mean == pytest.approx(float((rows @ query).mean()), abs=1e-6)
    assert scale.deviation == pytest.approx(float((rows @ query).std()), abs=1e-5)


def test_the_scale_of_bm25_adds_means_and_variances_of_independent_terms() -> None:
    scale = fusion.keyword_scale(np.array([1.0, 2.0], np.float32), np.array([9.0, 16.0], np.float32))
    assert (scale.mean, scale.deviation) == (3.0, 5.0)


def test_the_moments_of_a_term_are_those_of_its_scores_over_all_chunks() -> None:
    stored = np.array([0.0, 1.0, 2.0, 0.0])  # the term's weight in four chunks
    weight, idf = 0.5, 1.2
    means, variances = fusion.term_moments(
        np.array([weight], np.float32),
        np.array([idf], np.float32),
        np.array([stored.sum()], np.float32),
        np.array([(stored**2).sum()], np.float32),
        4,
    )
    assert means[0] == pytest.approx((weight * idf * stored).mean())
    assert variances[0] == pytest.approx((weight * idf * stored).var())


def test_without_statistics_what_was_not_returned_counts_as_zero() -> None:
    scale = fusion.observed_scale(np.array([4.0, 2.0]), 4)
    assert scale.mean == 1.5
    assert scale.deviation == pytest.approx(math.sqrt(20 / 4 - 1.5**2))
    assert fusion.observed_scale(np.array([]), 0) == Scale(0.0, fusion.MIN_DEVIATION)


def test_scores_that_are_all_alike_never_divide_by_zero() -> None:
    flat = np.zeros((2, 2), np.float32)
    assert fusion.embedding_scale(np.ones(2, np.float32), flat[0], flat).deviation == fusion.MIN_DEVIATION
    assert fusion.keyword_scale(flat[0], np.array([-1e-9, 0], np.float32)).deviation == fusion.MIN_DEVIATION
    assert fusion.observed_scale(np.array([2.0, 2.0]), 2).deviation == fusion.MIN_DEVIATION


def test_three_passages_weigh_one_a_half_and_a_quarter() -> None:
    assert aggregate([4.0, 4.0, 4.0], 3) == pytest.approx(4.0)
    assert aggregate([4.0, 3.0, 2.8], 9) == pytest.approx((4.0 + 0.5 * 3.0 + 0.25 * 2.8) / 1.75)


def test_a_poor_or_absent_passage_counts_as_a_share_of_the_best_that_falls_with_the_size() -> None:
    assert aggregate([5.0], 1) == pytest.approx((5.0 + 0.75 * 4.5) / 1.75)  # .9 at the most
    assert aggregate([5.0, 2.4], 9) == pytest.approx((5.0 + 0.75 * 2.5) / 1.75)  # 1.5 / sqrt(9) = .5
    assert aggregate([5.0, 1.0, -7.0], 100) == pytest.approx((5.0 + 0.75 * 1.5) / 1.75)  # .3 at the least


def test_a_document_below_the_average_is_as_bad_as_its_best_passage() -> None:
    assert aggregate([-2.0], 1) == pytest.approx(-2.0)
    assert aggregate([-2.0, -3.0], 9) == pytest.approx(-2.0)


def test_a_fourth_passage_counts_nothing() -> None:
    three = fusion.keyword_documents(candidates((1, 9, 4.0), (2, 9, 3.0), (3, 9, 3.0)), UNIT, Sizes.of({9: 4}))
    four = fusion.keyword_documents(
        candidates((1, 9, 4.0), (2, 9, 3.0), (3, 9, 3.0), (4, 9, 3.0)), UNIT, Sizes.of({9: 4})
    )
    assert three.z.tolist() == four.z.tolist()


def test_a_document_that_shares_no_word_scored_zero_in_the_keyword_leg() -> None:
    found = fusion.keyword_documents(candidates((1, 9, 6.0)), Scale(1.0, 2.0), Sizes.of({9: 9}))
    assert found.at(np.array([8, 9])).tolist() == pytest.approx([-0.5, (2.5 + 0.75 * 1.25) / 1.75])
    nothing = fusion.keyword_documents(candidates(), Scale(1.0, 2.0), Sizes.of({}))
    assert nothing.at(np.array([8, 9])).tolist() == [-0.5, -0.5]


def test_a_document_behind_the_cut_gets_the_middle_between_the_average_and_the_last_returned() -> None:
    found = candidates((1, 9, 0.9), (2, 8, 0.5))
    scale = Scale(0.1, 0.1)
    assert fusion.embedding_documents(found, scale, Sizes.of({}), is_cut=True).floor == pytest.approx(2.0)
    assert fusion.embedding_documents(found, scale, Sizes.of({}), is_cut=False).floor == 0.0
    assert fusion.embedding_documents(found, Scale(0.8, 0.1), Sizes.of({}), is_cut=True).floor == 0.0
    assert fusion.embedding_documents(candidates(), scale, Sizes.of({}), is_cut=True).floor == 0.0


def test_a_convex_combination_weighs_the_legs_and_gives_the_floor_to_the_absent() -> None:
    keyword = leg({1: 3.0, 2: 1.0}, floor=-0.5)
    embedding = leg({2: 2.0, 3: 4.0}, floor=0.25)
    assert fusion.ranked(*fusion.convex(keyword, embedding, 0.7)) == pytest.approx(
        {1: 0.7 * 0.25 + 0.3 * 3.0, 2: 0.7 * 2.0 + 0.3 * 1.0, 3: 0.7 * 4.0 + 0.3 * -0.5}
    )


def test_reciprocal_ranks_add_up() -> None:
    found = fusion.ranked(*fusion.reciprocal_rank([[7, 8], [8, 9]]))
    assert found == pytest.approx({7: 1 / 61, 8: 1 / 62 + 1 / 61, 9: 1 / 62})
    assert fusion.ranked(*fusion.reciprocal_rank([[7]], k=0)) == {7: 1.0}


def test_equal_scores_are_ordered_by_id() -> None:
    found = fusion.ranked(np.array([5, 3, 4]), np.array([1.0, 1.0, 2.0]))
    assert list(found.items()) == [(4, 2.0), (3, 1.0), (5, 1.0)]


SCORES = st.dictionaries(st.integers(1, 30), st.floats(-5, 5), min_size=1, max_size=12)


@given(SCORES, SCORES, st.floats(0, 1), st.randoms(use_true_random=False))
def test_the_order_of_documents_with_equal_scores_does_not_depend_on_the_order_of_its_input(
    keyword: dict[int, float], embedding: dict[int, float], weight: float, shuffler: Random
) -> None:
    documents, scores = fusion.convex(leg(keyword, -1.0), leg(embedding, 0.0), weight)
    order = list(range(len(documents)))
    shuffler.shuffle(order)
    plain, other = fusion.ranked(documents, scores), fusion.ranked(documents[order], scores[order])
    assert list(plain.items()) == list(other.items())
    assert plain == pytest.approx(
        {d: weight * embedding.get(d, 0.0) + (1 - weight) * keyword.get(d, -1.0) for d in {*keyword, *embedding}}
    )


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=3), st.integers(3, 500))
def test_an_aggregate_lies_between_three_tenths_of_the_best_passage_and_the_best(
    passages: list[float], size: int
) -> None:
    ordered = sorted(passages, reverse=True)
    value = aggregate(ordered, size)
    assert value <= ordered[0] + 1e-9
    assert value >= (0.3 * ordered[0] if ordered[0] > 0 else ordered[0]) - 1e-9


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=2), st.floats(-10, 10), st.integers(3, 500))
def test_a_passage_found_besides_never_lowers_a_document(passages: list[float], another: float, size: int) -> None:
    alone = sorted(passages, reverse=True)
    together = sorted([*passages, min(another, alone[-1])], reverse=True)
    assert aggregate(together, size) >= aggregate(alone, size) - 1e-9
