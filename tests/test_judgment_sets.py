"""Judgment sets and kept runs in the catalog."""

import pytest

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.judgments import JudgedQuery
from retrieval.catalog.runs import KeptRun
from retrieval.errors import NotFound, UsageError

MINED = JudgedQuery("t1", "How to bake", "mined:title", "bread", {"bread": ("How to bake",)}, {"bread": 1, "rolls": 1})
HUMAN = JudgedQuery("h1", "loaf", grades={"bread": 2, "stone": 0, "rolls": None})


def test_a_set_comes_back_as_it_went_in(catalog: Catalog, collection: Collection) -> None:
    catalog.judgments.put(collection, "mine", [MINED, HUMAN])
    assert catalog.judgments.get(collection, "mine") == [MINED, HUMAN]


def test_a_list_counts_queries_by_source_and_judged_apart_from_pooled(catalog: Catalog, collection: Collection) -> None:
    catalog.judgments.put(collection, "mine", [MINED, HUMAN])
    catalog.judgments.put(collection, "empty", [])
    empty, mine = catalog.judgments.list(collection)
    assert (empty.name, empty.queries, empty.judged, empty.pooled) == ("empty", 0, 0, 0)
    assert (mine.name, mine.queries, mine.judged, mine.pooled) == ("mine", 2, 4, 1)
    assert mine.sources == {"human": 1, "mined:title": 1}


def test_a_query_that_is_known_keeps_its_place_and_what_grades_are_not_brought(
    catalog: Catalog, collection: Collection
) -> None:
    catalog.judgments.put(collection, "mine", [HUMAN, MINED])
    catalog.judgments.put(collection, "mine", [JudgedQuery("h1", "loaf", "log", grades={"stone": 1, "cake": None})])
    first, second = catalog.judgments.get(collection, "mine")
    assert first == JudgedQuery("h1", "loaf", "log", grades={"bread": 2, "stone": 1, "rolls": None, "cake": None})
    assert second == MINED


def test_a_known_id_with_another_text_changes_nothing(catalog: Catalog, collection: Collection) -> None:
    catalog.judgments.put(collection, "mine", [HUMAN])
    with pytest.raises(UsageError, match="'h1' is known with the text 'loaf', and 'cake' was brought"):
        catalog.judgments.put(collection, "mine", [MINED, JudgedQuery("h1", "cake")])
    assert catalog.judgments.get(collection, "mine") == [HUMAN]


def test_a_set_can_be_replaced_in_one_step(catalog: Catalog, collection: Collection) -> None:
    catalog.judgments.put(collection, "mine", [HUMAN])
    with pytest.raises(ZeroDivisionError):
        catalog.judgments.put(collection, "mine", (JudgedQuery(str(1 // n), "x") for n in (1, 0)), replace=True)
    assert catalog.judgments.get(collection, "mine") == [HUMAN]  # half of it is none of it
    catalog.judgments.put(collection, "mine", [MINED], replace=True)
    assert catalog.judgments.get(collection, "mine") == [MINED]


def test_a_grade_changes_one_document_and_keeps_the_others(catalog: Catalog, collection: Collection) -> None:
    catalog.judgments.put(collection, "mine", [HUMAN])
    catalog.judgments.grade(collection, "mine", "h1", {"rolls": 3, "cake": None})
    (query,) = catalog.judgments.get(collection, "mine")
    assert query.grades == {"bread": 2, "stone": 0, "rolls": 3, "cake": None}


def test_an_unknown_set_or_query_names_what_there_is(catalog: Catalog, collection: Collection) -> None:
    with pytest.raises(NotFound, match="none yet"):
        catalog.judgments.get(collection, "mine")
    catalog.judgments.put(collection, "mine", [HUMAN])
    with pytest.raises(NotFound, match="there is: mine"):
        catalog.judgments.get(collection, "other")
    with pytest.raises(NotFound, match="no query 'h2'"):
        catalog.judgments.grade(collection, "mine", "h2", {"bread": 1})


@pytest.mark.parametrize("name", ["", "Mine", "a b", "../a", "x" * 64])
def test_a_set_has_a_safe_name(catalog: Catalog, collection: Collection, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a judgment set"):
        catalog.judgments.put(collection, name, [])


def test_a_deleted_set_takes_its_queries_and_runs_along(catalog: Catalog, collection: Collection) -> None:
    catalog.judgments.put(collection, "mine", [MINED])
    catalog.runs.put(collection, KeptRun("mine", "keyword", "k", "t1 Q0 bread 1 1.0 keyword\n"))
    catalog.judgments.delete(collection, "mine")
    assert catalog.judgments.list(collection) == []
    assert catalog.runs.get(collection, "mine", "keyword") is None


def test_a_run_comes_back_and_a_newer_one_replaces_it(catalog: Catalog, collection: Collection) -> None:
    for key in ("old", "new"):
        catalog.runs.put(collection, KeptRun("mine", "keyword", key, "q Q0 d\u00e9 1 1.0 keyword\n"))
    found = catalog.runs.get(collection, "mine", "keyword")
    assert found is not None
    assert (found.key, found.trec) == ("new", "q Q0 d\u00e9 1 1.0 keyword\n")
    assert catalog.runs.get(collection, "mine", "hybrid@x") is None


def test_pooling_never_touches_a_grade(catalog: Catalog, collection: Collection) -> None:
    catalog.judgments.put(collection, "mine", [HUMAN])
    catalog.judgments.pool(collection, "mine", "h1", ["bread", "rolls", "cake"])
    (query,) = catalog.judgments.get(collection, "mine")
    assert query.grades == {"bread": 2, "stone": 0, "rolls": None, "cake": None}
    with pytest.raises(NotFound, match="no query 'h2'"):
        catalog.judgments.pool(collection, "mine", "h2", ["bread"])
