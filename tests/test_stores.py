"""The contract of every store: one suite, run against each engine."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import StoreError
from retrieval.filters import And, AnyOf, Exists, Filter, Not, Or, Range, Scalar
from retrieval.stores.base import Candidate, FacetCount, KeywordLeg, Store
from retrieval.types import JsonValue, Metadata
from tests.store_cases import ENGINES, embedding, found_ids, keyword, open_engine, point, scores_by_id, terms, vector

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact")


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_engine(request.param, tmp_path)
    yield opened
    opened.close()


def test_an_empty_index_answers_with_nothing(store: Store) -> None:
    store.add_vector("m1", 2)
    assert store.search([keyword(1), embedding("m1", 1, 0)], 5) == [[], []]
    assert (store.count(), list(store.ids()), store.get([1])) == (0, [], [])
    assert store.facet("tags") == []


def test_a_keyword_score_is_weight_times_idf_over_all_points(store: Store) -> None:
    store.upsert([point(1, {7: 2.0, 8: 1.0}), point(2, {8: 0.5}), point(3)])
    seven = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    eight = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    [found] = store.search([keyword(7, 8)], 10)
    assert scores_by_id(found) == pytest.approx({1: 2 * seven + eight, 2: 0.5 * eight}, rel=1e-5)
    assert found_ids(found) == [1, 2]


def test_query_weights_scale_a_terms_share(store: Store) -> None:
    store.upsert([point(1, {7: 1.0}), point(2, {9: 1.0})])
    [once], [thrice] = store.search([KeywordLeg(terms({7: 1.0})), KeywordLeg(terms({7: 3.0}))], 5)
    assert thrice.score == pytest.approx(3 * once.score, rel=1e-5)


def test_an_embedding_score_is_the_cosine(store: Store) -> None:
    store.add_vector("m1", 2)
    store.upsert([point(1, vectors={"m1": vector(1, 0)}), point(2, vectors={"m1": vector(0.6, 0.8)}), point(3)])
    [found] = store.search([embedding("m1", 2, 0)], 10)
    assert scores_by_id(found) == pytest.approx({1: 1.0, 2: 0.6}, abs=1e-3)


def test_legs_come_back_in_their_order_with_their_documents(store: Store) -> None:
    store.add_vector("m1", 2)
    store.upsert([point(5, {1: 1.0}, document=70), point(6, vectors={"m1": vector(0, 1)}, document=80)])
    dense, sparse = store.search([embedding("m1", 0, 1), keyword(1)], 3)
    assert [(c.id, c.document) for c in dense] == [(6, 80)]
    assert [(c.id, c.document) for c in sparse] == [(5, 70)]


def test_equal_scores_are_ordered_by_id_and_limit_cuts(store: Store) -> None:
    store.upsert([point(i, {1: 1.0 + (i == 4)}) for i in (9, 4, 2, 7)])
    [found] = store.search([keyword(1)], 10)
    assert found_ids(found) == [4, 2, 7, 9]
    assert found_ids(store.search([keyword(1)], 1)[0]) == [4]
    assert store.search([keyword(1)], 0) == [[]]


def test_points_without_terms_or_vectors_are_held(store: Store) -> None:
    store.upsert([point(1), point(2, {3: 1.0})])
    assert list(store.ids()) == [1, 2]
    assert store.get([1])[0].terms.indices.size == 0
    assert found_ids(store.search([keyword(2**32 - 2, 3)], 5)[0]) == [2]


def test_an_upsert_replaces_the_whole_point_on_both_legs(store: Store) -> None:
    store.add_vector("m1", 2)
    store.upsert([point(1, {1: 1.0}, vectors={"m1": vector(1, 0)}, metadata={"a": 1}), point(2, {1: 1.0})])
    store.upsert([point(1, {2: 1.0}, document=9)])
    assert found_ids(store.search([keyword(1)], 5)[0]) == [2]
    assert store.search([keyword(2)], 5)[0][0].document == 9
    assert store.search([embedding("m1", 1, 0)], 5) == [[]]
    assert store.count(Exists("a")) == 0


def test_the_last_of_two_points_with_one_id_wins(store: Store) -> None:
    store.upsert([point(1, {1: 1.0}), point(1, {2: 1.0})])
    assert store.count() == 1
    assert found_ids(store.search([keyword(2)], 5)[0]) == [1]


def test_deleted_points_leave_both_legs_and_unknown_ids_are_ignored(store: Store) -> None:
    store.add_vector("m1", 2)
    store.upsert([point(i, {1: 1.0}, vectors={"m1": vector(1, i)}) for i in (1, 2, 3)])
    store.delete([2, 44])
    keyword_leg, embedding_leg = store.search([keyword(1), embedding("m1", 1, 1)], 5)
    assert sorted(found_ids(keyword_leg)) == sorted(found_ids(embedding_leg)) == [1, 3]
    assert store.count() == 2


def test_idf_forgets_what_was_deleted_or_replaced(store: Store) -> None:
    store.upsert([point(i, {1: 1.0, 2: 1.0}) for i in range(1, 41)])
    store.compact()
    store.upsert([point(i, {3: 1.0}) for i in range(1, 21)])
    store.delete(list(range(15, 31)))
    expected = math.log(1 + (24 - 10 + 0.5) / (10 + 0.5))
    assert store.search([keyword(1)], 1)[0][0].score == pytest.approx(expected, rel=1e-5)
    store.compact()
    assert store.search([keyword(1)], 1)[0][0].score == pytest.approx(expected, rel=1e-5)


def test_get_returns_points_as_stored(store: Store) -> None:
    store.add_vector("m1", 2)
    metadata: Metadata = {"tags": ["a"], "deep": {"x": [1, {"y": None}]}, "n": 10**30}
    stored = point(3, {1: 0.25, 9: 2.0}, vectors={"m1": vector(0.6, 0.8)}, metadata=metadata)
    store.upsert([stored, point(1, {2: 1.0}, document=5)])
    first, second = store.get([3, 1, 99])
    assert (first.id, first.document, first.lead, second.lead) == (1, 5, False, True)
    assert second.metadata == metadata
    assert second.terms.indices.tolist() == [1, 9]
    assert second.terms.values.tolist() == [0.25, 2.0]
    np.testing.assert_allclose(second.vectors["m1"], [0.6, 0.8], atol=1e-3)


def test_a_second_vector_lives_beside_the_first(store: Store) -> None:
    store.add_vector("m1", 2)
    store.upsert([point(1, {1: 1.0}, vectors={"m1": vector(1, 0)}, metadata={"a": 1}), point(2)])
    store.add_vector("m2", 3)
    store.put_vectors("m2", {1: vector(0, 0, 1), 2: vector(0, 1, 0), 77: vector(1, 0, 0)})
    assert store.vector_sizes() == {"m1": 2, "m2": 3}
    old, new, words = store.search([embedding("m1", 1, 0), embedding("m2", 0, 0, 1), keyword(1)], 5)
    assert (found_ids(old), found_ids(new), found_ids(words)) == ([1], [1, 2], [1])
    assert store.count(Exists("a")) == 1
    assert store.count() == 2


def test_a_dropped_vector_is_gone_and_its_name_can_return_with_another_size(store: Store) -> None:
    store.add_vector("m1", 2)
    store.upsert([point(1, {1: 1.0}, vectors={"m1": vector(1, 0)})])
    store.drop_vector("m1")
    store.drop_vector("never there")
    assert store.vector_sizes() == {}
    assert store.get([1])[0].vectors == {}
    store.add_vector("m1", 3)
    assert store.search([embedding("m1", 1, 0, 0)], 5) == [[]]
    assert found_ids(store.search([keyword(1)], 5)[0]) == [1]


def test_adding_a_vector_twice_is_harmless_and_another_size_is_refused(store: Store) -> None:
    store.add_vector("m1", 2)
    store.add_vector("m1", 2)
    with pytest.raises(StoreError, match="2 dimensions, not 3"):
        store.add_vector("m1", 3)


@pytest.mark.parametrize("name", ["", "keyword", "../up", "a/b", "a b", "x" * 200])
def test_vector_names_that_an_engine_could_trip_over_are_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="not usable"):
        store.add_vector(name, 2)


def test_a_refused_batch_leaves_nothing_behind(store: Store) -> None:
    store.add_vector("m1", 2)
    bad = [vector(1, 2, 3), vector(1, float("nan"))]
    for wrong in bad:
        with pytest.raises(StoreError, match="m1"):
            store.upsert([point(1, {1: 1.0}), point(2, vectors={"m1": wrong})])
    with pytest.raises(StoreError, match="no vector 'm9'"):
        store.upsert([point(1), point(2, vectors={"m9": vector(1)})])
    with pytest.raises(StoreError, match="finite"):
        store.upsert([point(1), point(2, {1: float("inf")})])
    with pytest.raises(StoreError, match="whole numbers"):
        store.upsert([point(1), point(-2)])
    assert store.count() == 0


def test_a_leg_on_an_unknown_vector_says_which_there_are(store: Store) -> None:
    store.add_vector("m1", 2)
    with pytest.raises(StoreError, match="it has: m1"):
        store.search([embedding("m2", 1, 0)], 5)
    with pytest.raises(StoreError, match="shape"):
        store.search([embedding("m1", 1, 0, 0)], 5)


def test_clear_leaves_an_index_like_a_new_one(store: Store) -> None:
    store.add_vector("m1", 2)
    store.upsert([point(1, {1: 1.0}, vectors={"m1": vector(1, 0)})])
    store.clear()
    assert (store.count(), dict(store.vector_sizes()), list(store.ids())) == (0, {}, [])
    store.add_vector("m1", 4)
    store.upsert([point(1, {1: 1.0})])
    assert found_ids(store.search([keyword(1)], 5)[0]) == [1]


def test_flush_warm_and_announce_change_no_answer(store: Store) -> None:
    store.upsert([point(1, {1: 1.0}, document=3)])
    before = store.search([keyword(1)], 5)
    store.flush()
    store.warm()
    store.announce("http://127.0.0.1:8080")
    store.compact()
    assert store.search([keyword(1)], 5) == before == [[Candidate(1, 3, before[0][0].score)]]


DOCUMENTS: dict[int, Metadata] = {
    1: {"year": 2021, "tags": ["python", "web"], "draft": True, "created": "2024-05-01", "a.b": "dotted"},
    2: {"year": 2022.0, "tags": "python", "draft": False, "created": "2024-05-01T10:00:00Z", "a": {"b": "nested"}},
    3: {"year": "2021", "tags": [], "created": "2024-04-30T23:30:00-02:00", "mixed": [1, "1", True, None, {"x": 2}]},
    4: {"year": [2019, 2025], "tags": None, "huge": 2**70, "bad": float("nan"), 'k["x"]': "bracketed"},
    5: {},
}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (AnyOf("year", (2021,)), [1]),
        (AnyOf("year", ("2021",)), [3]),
        (AnyOf("year", (2021.0, "2021")), [1, 3]),
        (AnyOf("year", (2022,)), [2]),
        (AnyOf("year", (2025,)), [4]),
        (AnyOf("year", ()), []),
        (AnyOf("tags", ("python",)), [1, 2]),
        (AnyOf("draft", (True,)), [1]),
        (AnyOf("draft", (1, "true")), []),
        (AnyOf("mixed", (True,)), [3]),
        (AnyOf("mixed", (1,)), [3]),
        (AnyOf("mixed", (2,)), []),
        (AnyOf("a.b", ("dotted",)), [1]),
        (AnyOf("a.b", ("nested",)), []),
        (AnyOf('k["x"]', ("bracketed",)), [4]),
        (AnyOf("huge", (2**70,)), [4]),
        (AnyOf("huge", (2**70 + 1,)), []),
        (Range("huge", gte=2**70 + 1), [4]),
        (Range("bad", gte=0), []),
        (Range("year", gte=2021), [1, 2, 4]),
        (Range("year", gt=2020, lt=2022), [1]),
        (Range("draft", gte=0), []),
        (Range("created", gte="2024-05-01"), [1, 2, 3]),
        (Range("created", gt="2024-05-01"), []),
        (Range("created", lte="2024-05-01"), [1, 2, 3]),
        (Range("created", gt="2024-05-01T01:30:00Z"), [2]),
        (Range("created", gte="2024-05-01T01:30:00Z"), [2, 3]),
        (Range("created", lt="2024-05-01T01:30Z"), [1]),
        (Range("created", gte=2024), []),
        (Exists("tags"), [1, 2]),
        (Exists("a"), [2]),
        (Exists("bad"), [4]),
        (Not(Exists("year")), [5]),
        (And(()), [1, 2, 3, 4, 5]),
        (Or(()), []),
        (Not(Or(())), [1, 2, 3, 4, 5]),
        (And((AnyOf("tags", ("python",)), Not(AnyOf("draft", (True,))))), [2]),
        (Or((AnyOf("year", (2021,)), And((Range("year", gt=2024), Not(Exists("tags")))))), [1, 4]),
        (Not(And((Exists("year"), Exists("tags")))), [3, 4, 5]),
        (AnyOf("no such field", (1,)), []),
        (AnyOf("\ud800'; DROP", ("x\x00",)), []),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_filter_means_the_same_everywhere(
    filtered: dict[str, Store], engine: str, where: Filter, expected: list[int]
) -> None:
    store = filtered.get(engine)
    if store is None:
        pytest.skip(f"{engine} is not available here")
    words, dense = store.search([keyword(1), embedding("m1", 1, 0)], 10, where)
    assert sorted(found_ids(words)) == expected
    assert sorted(found_ids(dense)) == expected
    assert store.count(where) == len(expected)


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    stores: dict[str, Store] = {}
    for engine in ENGINES:
        try:
            stores[engine] = open_engine(engine, tmp_path_factory.mktemp(engine))
        except pytest.skip.Exception:
            continue
    for store in stores.values():
        store.add_vector("m1", 2)
        store.upsert([point(i, {1: 1.0}, vectors={"m1": vector(1, i)}, metadata=m) for i, m in DOCUMENTS.items()])
    yield stores
    for store in stores.values():
        store.close()


def test_a_filter_leaves_idf_alone(store: Store) -> None:
    store.upsert([point(i, {1: 1.0} if i < 4 else {2: 1.0}, metadata={"year": i}) for i in range(1, 9)])
    [everywhere], [within] = store.search([keyword(1)], 1), store.search([keyword(1)], 1, Range("year", lte=2))
    assert within[0].score == pytest.approx(everywhere[0].score)


def test_facets_count_documents_by_value_most_frequent_first(store: Store) -> None:
    shared: Metadata = {"tags": ["b", "a", "a"], "year": 2020}
    store.upsert(
        [
            point(1, {1: 1.0}, metadata=shared),
            point(2, {1: 1.0}, document=1, metadata=shared),
            point(3, {1: 1.0}, metadata={"tags": "b", "year": 2020.0}),
            point(4, {1: 1.0}, metadata={"tags": ["10", 9, 10, True]}),
        ]
    )
    values: list[tuple[JsonValue, int]] = [("b", 2), (True, 1), (9, 1), (10, 1), ("10", 1), ("a", 1)]
    assert store.facet("tags") == [FacetCount(value, count) for value, count in values]
    assert store.facet("tags", limit=2) == [FacetCount("b", 2), FacetCount(True, 1)]
    assert store.facet("year") == [FacetCount(2020, 2)]
    assert store.facet("tags", where=AnyOf("year", (2020,))) == [FacetCount("b", 2), FacetCount("a", 1)]
    assert store.facet("no such field") == []


def test_hostile_metadata_is_held_and_does_no_harm(store: Store) -> None:
    hostile: Metadata = {
        "a.b[0]": 1,
        '"': "quote",
        "": "empty key",
        "\ud800": "lone \udfff surrogate",
        "nul\x00": "\x00",
        "huge": 10**400,
        "nan": float("nan"),
        "deep": [[[[{}]]]],
        "long": "x" * 50_000,
        **{f"key{i}": i for i in range(1_000)},
    }
    store.upsert([point(1, {1: 1.0}, metadata=hostile), point(2, {1: 1.0}, metadata={"d": 5, "lead": False, "m": "x"})])
    assert store.get([1])[0].metadata["\ud800"] == "lone \udfff surrogate"
    assert store.get([2])[0].metadata == {"d": 5, "lead": False, "m": "x"}
    odd: dict[str, Scalar] = {
        "a.b[0]": 1,
        '"': "quote",
        "": "empty key",
        "\ud800": "lone \udfff surrogate",
        "nul\x00": "\x00",
    }
    for key, value in odd.items():
        assert store.count(AnyOf(key, (value,))) == 1, key
    assert store.count(AnyOf("long", ("x" * 50_000,))) == 1
    assert store.count(Exists("huge")) == 1
    assert store.count(Range("huge", gte=0)) == 0
    assert store.facet("\ud800") == [FacetCount("lone \udfff surrogate", 1)]
    assert [c.document for c in store.search([keyword(1)], 5, AnyOf("d", (5,)))[0]] == [2]
