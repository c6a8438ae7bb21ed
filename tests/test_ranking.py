"""From the candidates of both legs to one ranking of documents or of chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import Scale, Sizes
from retrieval.ranking import Found, Fusion, led, rank
from retrieval.stores.base import Candidates
from retrieval.types import LegScore, Mode

KEYWORD, EMBEDDING = str(Mode.KEYWORD), str(Mode.EMBEDDING)
UNIT = Scale(0.0, 1.0)


def found(keyword: list[tuple[int, int, float]], embedding: list[tuple[int, int, float]]) -> Found:
    return {KEYWORD: Candidates.of(keyword), EMBEDDING: Candidates.of(embedding)}


def how(method: str = "calibrated", *, weight: float = 0.5) -> Fusion:
    return Fusion(method, weight, {KEYWORD: UNIT, EMBEDDING: UNIT}, sizes=Sizes.of({2: 3}))


def one(z: float) -> float:
    """What a document with a single passage of this z-score counts."""
    return z * (1 + 0.9 * 0.75) / 1.75


def long(z: float) -> float:
    """What a document of three passages counts, of which one has this z-score and the others are poor."""
    return z * (1 + 1.5 / 3**0.5 * 0.75) / 1.75


BOTH = found(
    keyword=[(11, 1, 5.0), (21, 2, 4.0), (22, 2, 4.0), (23, 2, 4.0)],
    embedding=[(31, 3, 3.0), (21, 2, 2.0), (11, 1, 1.0)],
)


def test_documents_are_ranked_by_the_convex_combination_of_their_aggregates() -> None:
    ranking = rank(BOTH, how(), group=True)
    assert ranking.order == (2, 1, 3)
    assert ranking.scores == pytest.approx(
        {1: 0.5 * one(5) + 0.5 * one(1), 2: 0.5 * 4 + 0.5 * long(2), 3: 0.5 * 0 + 0.5 * one(3)}
    )


def test_the_embedding_weight_moves_the_balance() -> None:
    assert rank(BOTH, how(weight=1.0), group=True).order == (3, 2, 1)
    assert rank(BOTH, how(weight=0.0), group=True).order == (1, 2, 3)


def test_each_leg_says_where_it_put_the_document_and_its_best_passages_own_score() -> None:
    shown = rank(BOTH, how(), group=True).explained([3, 1, 2])
    assert shown[1].legs == {KEYWORD: LegScore(1, 5.0), EMBEDDING: LegScore(3, 1.0)}
    assert shown[2].legs == {KEYWORD: LegScore(2, 4.0), EMBEDDING: LegScore(2, 2.0)}
    assert shown[3].legs == {EMBEDDING: LegScore(1, 3.0)}


def test_several_good_passages_raise_a_document_within_a_leg() -> None:
    alone = found(keyword=[(11, 1, 4.5), (21, 2, 4.4), (22, 2, 4.4), (23, 2, 4.4)], embedding=[])
    ranking = rank({KEYWORD: alone[KEYWORD]}, how(), group=True)
    assert ranking.order == (2, 1)
    assert ranking.scores[2] == pytest.approx(4.4)
    assert ranking.explained([2])[2].legs[KEYWORD] == LegScore(1, 4.4)


def test_without_grouping_every_chunk_stands_for_itself() -> None:
    ranking = rank(BOTH, how(), group=False)
    assert ranking.order == (11, 21, 22, 23, 31)
    assert ranking.scores[21] == pytest.approx(0.5 * one(4) + 0.5 * one(2))
    assert [(passage.id, passage.document) for passage in ranking.explained([22])[22].passages] == [(22, 22)]


def test_passages_stand_under_their_document_best_first_with_both_legs() -> None:
    passages = rank(BOTH, how(), group=True).explained([2])[2].passages
    assert [passage.id for passage in passages] == [21, 22, 23]
    assert passages[0].legs == {KEYWORD: LegScore(2, 4.0), EMBEDDING: LegScore(2, 2.0)}
    assert passages[0].score > passages[1].score == passages[2].score


def test_reciprocal_rank_fusion_looks_at_ranks_of_documents() -> None:
    ranking = rank(BOTH, how("rrf"), group=True)
    assert ranking.scores == pytest.approx({1: 1 / 61 + 1 / 63, 2: 2 / 62, 3: 1 / 61})
    assert ranking.order == (1, 2, 3)


def test_one_leg_alone_is_ranked_by_its_own_aggregates_whatever_the_method() -> None:
    only = {EMBEDDING: BOTH[EMBEDDING]}
    assert rank(only, how("rrf"), group=True).order == rank(only, how(), group=True).order == (3, 2, 1)


def test_nothing_found_is_an_empty_ranking() -> None:
    assert rank(found([], []), how(), group=True).order == ()
    assert rank(found([], []), how("rrf"), group=False).order == ()


def test_what_leads_comes_first_and_the_rest_keeps_its_order() -> None:
    ranking = led(rank(BOTH, how(), group=True), {3: 1})
    assert ranking.order == (3, 2, 1)
    assert led(ranking, {1: 1, 2: 3}).order == (2, 1, 3)


CHUNKS = st.dictionaries(st.integers(1, 40), st.floats(-3, 3), max_size=15)


@given(CHUNKS, CHUNKS)
def test_every_document_found_is_ranked_once_by_descending_score(
    keyword: dict[int, float], embedding: dict[int, float]
) -> None:
    def leg(scores: dict[int, float]) -> list[tuple[int, int, float]]:
        return [(key, key // 4, score) for key, score in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))]

    ranking = rank(found(leg(keyword), leg(embedding)), how(), group=True)
    assert sorted(ranking.order) == sorted({key // 4 for key in (*keyword, *embedding)})
    scores = [ranking.scores[document] for document in ranking.order]
    assert scores == sorted(scores, reverse=True)
    shown = ranking.explained(ranking.order)
    assert sorted(p.id for item in shown.values() for p in item.passages) == sorted({*keyword, *embedding})
    for name in (KEYWORD, EMBEDDING):
        ranks = sorted(item.legs[name].rank for item in shown.values() if name in item.legs)
        assert ranks == list(range(1, len(ranks) + 1))
