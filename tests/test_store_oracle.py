"""The memory store equals an independent BM25 and plain NumPy, and the other engines equal the memory store."""

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi  # type: ignore[import-untyped] # it ships no types

from retrieval.filters import AnyOf, Exists, Filter, Not, Range
from retrieval.stores.base import Candidate, EmbeddingLeg, KeywordLeg, Leg, Point, Store
from retrieval.stores.memory import MemoryStore
from retrieval.types import Metadata
from tests.store_cases import ENGINES, keyword, open_engine, point, scores_by_id, terms, vector

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact")

K1, B = 1.2, 0.75
WORDS = ["the", "of", "to", "install", "server", "client", "timeout", "retry", "cache", "index", "vector", "model"]


def _corpus(documents: int) -> list[list[str]]:
    rng = np.random.default_rng(7)
    zipf = 1 / np.arange(1, len(WORDS) + 1)
    return [list(rng.choice(WORDS, size=rng.integers(1, 30), p=zipf / zipf.sum())) for _ in range(documents)]


def _bm25_points(corpus: Sequence[Sequence[str]]) -> list[Point]:
    """Textbook weights tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length)); a term's id is its place."""
    mean = sum(map(len, corpus)) / len(corpus)
    points = []
    for row, words in enumerate(corpus):
        norm = K1 * (1 - B + B * len(words) / mean)
        weights = {WORDS.index(word): tf * (K1 + 1) / (tf + norm) for word, tf in Counter(words).items()}
        points.append(point(row, weights))
    return points


@pytest.mark.parametrize("engine", ENGINES)
def test_keyword_scores_equal_rank_bm25_given_the_same_idf(engine: str, tmp_path: Path) -> None:
    corpus = _corpus(60)
    okapi = BM25Okapi(corpus, k1=K1, b=B)
    frequencies = Counter(word for words in corpus for word in set(words))
    okapi.idf = {word: math.log(1 + (60 - df + 0.5) / (df + 0.5)) for word, df in frequencies.items()}
    store = open_engine(engine, tmp_path)
    store.upsert(_bm25_points(corpus))
    for query in (["install"], ["the", "index"], ["cache", "timeout", "model", "of"]):
        expected = {row: score for row, score in enumerate(okapi.get_scores(query)) if score > 0}
        [found] = store.search([keyword(*sorted(WORDS.index(word) for word in query))], 100)
        assert scores_by_id(found) == pytest.approx(expected, rel=1e-5)
    store.close()


def test_thousands_of_legs_at_once_equal_one_at_a_time() -> None:
    rng = np.random.default_rng(3)
    store = MemoryStore()
    store.add_vector("m1", 8)
    store.upsert([point(i, {i % 5: 1.0}, vectors={"m1": rng.normal(size=8).astype(np.float32)}) for i in range(300)])
    legs = [EmbeddingLeg("m1", rng.normal(size=8).astype(np.float32)) for _ in range(600)]
    mixed = [leg for pair in zip(legs, [keyword(1)] * 600, strict=True) for leg in pair]
    together = store.search(mixed, 7)
    for place in (0, 1, 511, 512, 1198, 1199):
        [alone] = store.search([mixed[place]], 7)
        assert [c.id for c in together[place]] == [c.id for c in alone]
        np.testing.assert_allclose([c.score for c in together[place]], [c.score for c in alone], rtol=1e-5)


def test_scores_gives_every_point_what_search_gives_the_best() -> None:
    store = MemoryStore()
    store.add_vector("m1", 2)
    store.upsert([point(3, {1: 2.0}, vectors={"m1": vector(0, 2)}), point(1, {2: 1.0}), point(2)])
    ids, scores = store.scores(keyword(1))
    assert ids.tolist() == [1, 2, 3]
    np.testing.assert_allclose(scores, [0, 0, 2 * math.log(1 + 2.5 / 1.5)], rtol=1e-6)
    ids, scores = store.scores(EmbeddingLeg("m1", vector(1, 1)))
    assert ids.tolist() == [3]
    np.testing.assert_allclose(scores, [math.sqrt(0.5)], rtol=1e-6)
    assert store.scores(keyword(1), where=Exists("x"))[0].size == 0


def test_many_small_batches_equal_one_large_one() -> None:
    rng = np.random.default_rng(5)
    points = [point(int(i), {int(t): 1.0 for t in rng.integers(0, 9, 3)}) for i in rng.permutation(400)]
    bulk, dribbled = MemoryStore(), MemoryStore()
    bulk.upsert(points)
    for start in range(0, 400, 7):
        dribbled.upsert(points[start : start + 7])
        dribbled.search([keyword(1)], 3)
    assert dribbled.search([keyword(1, 4)], 50) == bulk.search([keyword(1, 4)], 50)


weights = st.dictionaries(st.integers(0, 6), st.sampled_from([0.5, 1.0, 1.5, 2.0]), max_size=4)
vectors = st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 3))
metadata = st.fixed_dictionaries(
    {}, optional={"n": st.integers(0, 3), "t": st.lists(st.sampled_from("abc"), max_size=2), "f": st.floats(0, 1)}
)
drafts = st.tuples(st.integers(0, 15), weights, st.none() | vectors, metadata)
Step = tuple[str, object]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.lists(drafts, max_size=6)),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 15), max_size=4)),
        st.tuples(st.just("put"), st.dictionaries(st.integers(0, 15), vectors, max_size=4)),
        st.tuples(st.just("compact"), st.none()),
        st.tuples(st.just("drop"), st.none()),
    ),
    min_size=1,
    max_size=8,
)
FILTERS: list[Filter | None] = [
    None,
    AnyOf("t", ("a",)),
    Not(AnyOf("t", ("a", "b"))),
    Range("n", gte=1, lt=3),
    Range("f", gt=0.5),
    Not(Exists("n")),
]


def _apply(store: Store, step: Step) -> None:
    match step:
        case ("upsert", list(found)):
            store.upsert([_point(*draft) for draft in found])
        case ("delete", list(ids)):
            store.delete(ids)
        case ("put", dict(found)):
            store.put_vectors("m1", {i: vector(*numbers) for i, numbers in found.items()})
        case ("drop", _):
            store.drop_vector("m1")
            store.add_vector("m1", 3)
        case _:
            store.compact()


def _point(point_id: int, found: dict[int, float], numbers: tuple[float, float, float] | None, meta: Metadata) -> Point:
    dense = {} if numbers is None else {"m1": vector(*numbers)}
    return Point(point_id, point_id // 2, terms(found), dense, meta, lead=point_id % 2 == 0)


def _assert_alike(found: Sequence[Candidate], exact: Sequence[Candidate], limit: int) -> None:
    """Equal scores rank by rank; equal points above the cut, where ties may be broken otherwise."""
    np.testing.assert_allclose([c.score for c in found], [c.score for c in exact], atol=1e-3)
    if len(exact) < limit:
        assert {(c.id, c.document) for c in found} == {(c.id, c.document) for c in exact}


@pytest.fixture(params=[engine for engine in ENGINES if engine != "memory"])
def fresh(request: pytest.FixtureRequest) -> Iterator[Callable[[], Store]]:
    # The engine syncs at each step; where files lie in memory, that takes no time.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        store = open_engine(request.param, Path(folder))

        def cleared() -> Store:
            store.clear()
            return store

        yield cleared
        store.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=steps, query=weights, direction=vectors)
def test_any_sequence_of_writes_leaves_every_engine_equal_to_memory(
    fresh: Callable[[], Store], steps: list[Step], query: dict[int, float], direction: tuple[float, float, float]
) -> None:
    store, oracle = fresh(), MemoryStore()
    for each in (store, oracle):
        each.add_vector("m1", 3)
        for step in steps:
            _apply(each, step)
    assert list(store.ids()) == list(oracle.ids())
    legs: list[Leg] = [KeywordLeg(terms(query)), EmbeddingLeg("m1", vector(*direction))]
    for where in FILTERS:
        assert store.count(where) == oracle.count(where)
        for limit in (3, 50):
            for found, exact in zip(store.search(legs, limit, where), oracle.search(legs, limit, where), strict=True):
                _assert_alike(found, exact, limit)
    assert store.facet("t") == oracle.facet("t")
    assert [(p.id, p.document, p.lead, p.metadata) for p in store.get(range(16))] == [
        (p.id, p.document, p.lead, p.metadata) for p in oracle.get(range(16))
    ]
