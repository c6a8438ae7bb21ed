"""Pools of what arms rank first."""

from hypothesis import given
from hypothesis import strategies as st

from retrieval.catalog.judgments import JudgedQuery
from retrieval.types import Run
from trainer.pooling import pooled, shuffled, to_judge, unjudged_counts

KEYWORD = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}, "r": {"x": 1.0}}
EMBEDDING = {"q": {"d": 9.0, "a": 8.0, "c": 7.0}}
JUDGED = JudgedQuery("judged", "one", grades={"a": 0, "b": None})
WAITING = JudgedQuery("waiting", "two", grades={"a": None})
NEW = JudgedQuery("new", "three")
POOLS = {"judged": ["a", "b", "c"], "waiting": ["a", "c"], "new": ["c", "d"], "stranger": ["a"]}

DOCUMENTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3).map(float))
RUNS = st.lists(st.dictionaries(st.sampled_from("qr"), DOCUMENTS), max_size=3)


def as_sets(pools: dict[str, list[str]]) -> dict[str, set[str]]:
    return {query: set(pool) for query, pool in pools.items()}


def test_a_pool_is_the_union_of_what_every_run_has_first() -> None:
    assert as_sets(pooled([KEYWORD, EMBEDDING], 2)) == {"q": {"a", "b", "d"}, "r": {"x"}}


def test_of_equal_scores_the_lower_id_is_pooled() -> None:
    assert pooled([{"q": {"c": 1.0, "a": 1.0, "b": 1.0}}], 1) == {"q": ["a"]}


def test_only_the_queries_asked_for_are_pooled() -> None:
    assert as_sets(pooled([KEYWORD, EMBEDDING], 1, only=["q"])) == {"q": {"a", "d"}}
    assert pooled([KEYWORD], 1, only=[]) == {}


@given(RUNS, st.integers(1, 9))
def test_the_order_of_a_pool_knows_nothing_of_arms_and_ranks(runs: list[Run], depth: int) -> None:
    pools = pooled(runs, depth)
    assert pools == pooled(runs[::-1], depth)
    assert all(pool == shuffled(sorted(pool), "", query) for query, pool in pools.items())
    assert all(len(pool) == len(set(pool)) <= depth * len(runs) for pool in pools.values())


def test_an_order_is_the_same_every_time_and_another_for_another_query_or_set() -> None:
    documents = [f"d{number}" for number in range(9)]
    orders = {tuple(shuffled(documents, name, query)) for name in ("x", "y") for query in ("q", "r")}
    assert len(orders) == 4
    assert tuple(documents) not in orders
    assert shuffled(documents, "x", "q") == shuffled(documents[::-1], "x", "q")


def test_a_document_keeps_its_place_among_others_when_some_are_gone() -> None:
    documents = [f"d{number}" for number in range(9)]
    kept = [document for document in shuffled(documents, "q") if document not in ("d2", "d7")]
    assert shuffled([d for d in documents if d not in ("d2", "d7")], "q") == kept


def test_any_id_can_be_shuffled() -> None:
    assert set(shuffled(["\ud800", "日本", ""], "\udfff")) == {"\ud800", "日本", ""}


def test_queries_without_a_grade_get_the_documents_that_are_new_to_them() -> None:
    assert to_judge([JUDGED, WAITING, NEW], POOLS) == {"waiting": {"c": None}, "new": {"c": None, "d": None}}


def test_every_query_gets_new_documents_when_asked_and_no_grade_is_touched() -> None:
    found = to_judge([JUDGED, WAITING, NEW], POOLS, every_query=True)
    assert found == {"judged": {"c": None}, "waiting": {"c": None}, "new": {"c": None, "d": None}}
    assert to_judge([JUDGED], {"judged": ["a", "b"]}, every_query=True) == {}


def test_counts_are_of_documents_without_a_grade_whether_they_wait_or_are_new() -> None:
    assert unjudged_counts([JUDGED, WAITING, NEW], POOLS) == {"judged": 2, "waiting": 2, "new": 2}
    assert unjudged_counts([JUDGED, NEW], {}) == {"judged": 1, "new": 0}
