"""What votes say of two arms, and what judgments they make."""

import itertools

import pytest
from scipy.stats import binomtest  # type: ignore[import-untyped]  # it has no types

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.judgments import JudgedQuery
from retrieval.catalog.votes import Preferred, Vote, VotedAlready
from retrieval.errors import NotFound
from trainer.voting import (
    ALPHA,
    anytime_bound,
    grades_of,
    judged_by,
    more_needed,
    query_id,
    reading,
    sign_test,
    tally,
)

A, B = "keyword", "hybrid@m"
NUMBERS = itertools.count()


def vote(
    preferred: Preferred,
    *,
    query: str = "loaf",
    a: tuple[str, ...] = ("bread", "oven"),
    b: tuple[str, ...] = ("stone", "oven"),
    arms: tuple[str, str] = (A, B),
    left: str = "a",
    by: str = "",
) -> Vote:
    number = next(NUMBERS)
    return Vote(str(number), query, *arms, preferred, left, a, b, by or f"voter {number}", id=number)


def test_a_vote_comes_back_as_it_was_cast_and_is_cast_once(catalog: Catalog, collection: Collection) -> None:
    cast = vote(Preferred.A)
    kept = catalog.votes.put(collection, cast)
    assert (kept.query, kept.a_shown, kept.preferred, kept.on_left) == ("loaf", ("bread", "oven"), Preferred.A, "a")
    with pytest.raises(VotedAlready, match=f"vote {kept.id}"):
        catalog.votes.put(collection, cast)
    assert catalog.votes.get(collection, kept.id) == kept
    with pytest.raises(NotFound, match="no vote 99"):
        catalog.votes.get(collection, 99)


def test_votes_are_found_by_their_arms_whichever_was_called_a(catalog: Catalog, collection: Collection) -> None:
    first = catalog.votes.put(collection, vote(Preferred.A))
    second = catalog.votes.put(collection, vote(Preferred.B, arms=(B, A)))
    other = catalog.votes.put(collection, vote(Preferred.BAD, arms=(A, "embedding@m")))
    assert catalog.votes.list(collection, arms=(A, B)) == [second, first]
    assert catalog.votes.list(collection, before=other.id, limit=1) == [second]
    assert catalog.votes.about(collection, "loaf") == [first, second, other]


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (12, 8), (8, 12), (15, 5), (17, 3), (40, 25)])
def test_the_sign_test_is_the_exact_binomial_test(wins: int, losses: int) -> None:
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected)


@pytest.mark.parametrize("total", [6, 20, 101, 1_000])
def test_what_the_bound_settles_the_sign_test_does_too(total: int) -> None:
    for wins in range(total // 2, total + 1):
        assert sign_test(wins, total - wins) <= anytime_bound(wins, total - wins) + 1e-12


def test_the_bound_holds_however_often_one_looks() -> None:
    assert anytime_bound(17, 3) == pytest.approx(21 * 1140 / 2**20)
    crossed = {(0, 0): 1.0}  # the probability of each tally that was never below alpha on its way
    ever = 0.0
    for _ in range(120):
        after: dict[tuple[int, int], float] = {}
        for (wins, losses), share in crossed.items():
            for state in ((wins + 1, losses), (wins, losses + 1)):
                after[state] = after.get(state, 0.0) + share / 2
        ever += sum(share for state, share in after.items() if anytime_bound(*state) < ALPHA)
        crossed = {state: share for state, share in after.items() if anytime_bound(*state) >= ALPHA}
    assert 0.005 < ever < ALPHA


def test_whoever_votes_again_has_seen_the_names(catalog: Catalog) -> None:
    votes = [vote(Preferred.B, by="me"), *(vote(Preferred.A, by="me") for _ in range(3))]
    found = tally(reversed(votes), A, B)
    assert (found.votes, found.wins_a, found.wins_b) == (1, 0, 1)


def test_queries_count_once_for_the_arm_that_most_of_their_voters_prefer() -> None:
    votes = [vote(Preferred.A, query="one"), vote(Preferred.A, query="one"), vote(Preferred.B, query="one", left="b")]
    votes += [vote(Preferred.A, query="two", arms=(B, A)), vote(Preferred.EQUAL, query="three")]
    votes += [vote(Preferred.A, arms=(A, "embedding@m"))]
    found = tally(votes, A, B)
    assert (found.votes, found.wins_a, found.wins_b, found.ties) == (5, 1, 1, 1)
    assert (found.left_chosen, found.sided) == (4, 4)
    mirrored = tally(votes, B, A)
    assert (mirrored.wins_a, mirrored.wins_b) == (1, 1)


def said(wins: int, losses: int) -> str:
    votes = [vote(Preferred.A, query=f"w{n}") for n in range(wins)]
    return reading(tally([*votes, *(vote(Preferred.B, query=f"l{n}") for n in range(losses))], A, B))


def test_a_tally_is_read_honestly() -> None:
    assert said(0, 0) == "No query prefers one arm yet: cannot tell."
    assert said(5, 5) == "5 of 10 queries for each: cannot tell yet."
    assert said(12, 8).startswith("12 of 20 queries for keyword: cannot tell yet (sign test p 0.503).")
    assert "had nobody looked before; looked at after every vote, it is 0.097" in said(16, 4)
    assert said(3, 17) == "17 of 20 queries for hybrid@m: it is preferred (sign test p 0.003)."


def test_how_many_more_settle_it_is_told_where_it_is_within_reason() -> None:
    assert more_needed(17, 3) == 0
    assert more_needed(10, 10) is None
    more = more_needed(12, 8)
    assert more is not None
    bounds = [anytime_bound(won, size - won) for size in range(20, 21 + more) for won in [round(size * 0.6)]]
    assert bounds[-1] < ALPHA <= min(bounds[:-1])
    assert more_needed(501, 499) is None


@pytest.mark.parametrize(
    ("cast", "grades"),
    [
        (vote(Preferred.A), {"bread": 1, "stone": 0}),
        (vote(Preferred.B), {"stone": 1, "bread": 0}),
        (vote(Preferred.EQUAL), {"bread": 1, "stone": 1}),
        (vote(Preferred.BAD), {"bread": 0, "stone": 0}),
        (vote(Preferred.A, a=("bread", "stone")), {"bread": 1}),  # the winner shows it too
        (vote(Preferred.A, b=("bread", "stone")), {}),  # the difference lies further down
        (vote(Preferred.EQUAL, b=("bread",)), {"bread": 1}),
        (vote(Preferred.BAD, b=()), {"bread": 0}),
        (vote(Preferred.B, b=()), {"bread": 0}),  # rather nothing than this
        (vote(Preferred.A, b=()), {"bread": 1}),
    ],
)
def test_a_vote_judges_first_documents_only(cast: Vote, grades: dict[str, int]) -> None:
    assert grades_of(cast) == grades


def test_a_later_vote_overrides_an_earlier_one() -> None:
    votes = [vote(Preferred.A), vote(Preferred.B)]
    known = JudgedQuery(query_id("loaf"), "loaf", grades={"bread": 1, "stone": 0})
    found = judged_by(votes, known)
    assert found is not None
    assert (found.id, found.source, found.grades) == (known.id, "vote", {"stone": 1, "bread": 0})


def test_a_grade_by_hand_outlasts_votes() -> None:
    known = JudgedQuery(query_id("loaf"), "loaf", grades={"bread": 3, "stone": None})
    found = judged_by([vote(Preferred.A), vote(Preferred.B)], known)
    assert found is not None
    assert found.grades == {"stone": 1}
    assert judged_by([vote(Preferred.A, b=("bread",))], known) is None
