"""Judging a query at a time: what comes next, and what is left."""

from retrieval.catalog.judgments import JudgedQuery
from trainer.judging_by_query import in_order, next_waiting, progress_of

DONE = JudgedQuery("done", "one", grades={"a": 2, "b": 0})
FIRST = JudgedQuery("first", "two", grades={"a": None, "b": 1})
EMPTY = JudgedQuery("empty", "three")
LAST = JudgedQuery("last", "four", grades=dict.fromkeys("cdefgh"))
SET = [DONE, FIRST, EMPTY, LAST]


def test_the_next_query_is_the_first_behind_the_last_one_that_waits() -> None:
    assert next_waiting(SET) == FIRST
    assert next_waiting(SET, after="first") == LAST
    assert next_waiting(SET, after="last") == FIRST  # from the start again
    assert next_waiting(SET, after="unknown") == FIRST
    assert next_waiting([DONE, EMPTY]) is None


def test_a_skipped_query_that_is_the_only_one_left_comes_again() -> None:
    assert next_waiting([DONE, FIRST], after="first") == FIRST


def test_progress_counts_documents_and_queries() -> None:
    far = progress_of(SET)
    assert (far.graded, far.waiting, far.queries, far.waiting_queries, far.unpooled) == (3, 7, 4, 2, 1)
    assert far.share == 0.3
    assert progress_of([]).share == 0.0


def test_documents_stand_in_one_order_whoever_found_them() -> None:
    order = in_order(LAST, "set")
    assert sorted(order) == list("cdefgh")
    assert order != list("cdefgh")
    turned = JudgedQuery("last", "four", grades=dict.fromkeys("hgfedc"))
    assert in_order(turned, "set") == order
