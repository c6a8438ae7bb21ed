from collections import Counter
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]  # the package has no types

from retrieval.analysis import Analyzer
from retrieval.keyword import (
    Bm25,
    FieldWeights,
    IndexedText,
    chunk_frequencies,
    length,
    sparse,
    term_id,
)
from retrieval.types import SparseVector

ENGLISH = Analyzer()
PLAIN = Analyzer("none")


def as_dict(vector: SparseVector) -> dict[int, float]:
    return dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))


def body(text: str) -> SparseVector:
    return chunk_frequencies(PLAIN, IndexedText("", (), text))


def test_a_term_has_the_same_id_everywhere() -> None:
    assert term_id("search") == int.from_bytes(blake2b(b"search", digest_size=4).digest(), "little")
    assert 0 <= term_id("\ud800") < 2**32


def test_ids_collide_about_as_often_as_chance_says() -> None:
    ids = {term_id(f"word{n}") for n in range(100_000)}
    assert 100_000 - len(ids) < 10  # expected: 100,000**2 / 2**33 = 1.2


def test_fields_are_weighted_and_summed_before_saturation() -> None:
    fields = IndexedText("cache", ("cache", "keys"), "cache keys cache")
    weights = FieldWeights(title=3.0, headings=1.5, body=1.0)
    # cache: 3 in the title, 2 in the body; the heading that repeats the title is not counted. keys: 1.5 + 1.
    assert as_dict(chunk_frequencies(PLAIN, fields, weights=weights)) == {term_id("cache"): 5.0, term_id("keys"): 2.5}


def test_a_title_counts_twice_and_headings_one_and_a_half_times_by_default() -> None:
    found = as_dict(chunk_frequencies(PLAIN, IndexedText("one", ("two", "two three"), "four")))
    assert found == {term_id("one"): 2.0, term_id("two"): 3.0, term_id("three"): 1.5, term_id("four"): 1.0}


def test_length_is_the_sum_of_weighted_frequencies() -> None:
    assert length(chunk_frequencies(PLAIN, IndexedText("one", ("two",), "three four"))) == 5.5


def test_indices_ascend_and_values_are_float32() -> None:
    vector = body("many different words in one chunk of text")
    assert vector.indices.dtype == np.uint32
    assert vector.values.dtype == np.float32
    assert (np.diff(vector.indices.astype(np.int64)) > 0).all()


def test_terms_that_share_an_id_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.keyword.term_id", len)
    assert as_dict(sparse({"ab": 1.0, "cd": 2.0, "e": 4.0})) == {1: 4.0, 2: 3.0}


def test_a_weight_worked_by_hand() -> None:
    # tf 3, length 4 against an average of 2: 3 * 2.2 / (3 + 1.2 * (0.25 + 0.75 * 2)) = 6.6 / 5.1
    weights = as_dict(Bm25(average_length=2.0).weights(body("cache cache cache keys")))
    assert weights[term_id("cache")] == pytest.approx(6.6 / 5.1)
    assert weights[term_id("keys")] == pytest.approx(2.2 / 3.1)


def test_without_length_normalisation_length_does_not_matter() -> None:
    weights = as_dict(Bm25(average_length=1.0, k1=1.0, b=0.0).weights(body("cache cache and much more text")))
    assert weights[term_id("cache")] == pytest.approx(2 * 2 / (2 + 1))


def test_an_empty_corpus_has_an_average_length_of_zero_and_still_weighs() -> None:
    assert as_dict(Bm25(average_length=0.0).weights(body("cache"))) == {term_id("cache"): 1.0}


def test_empty_text_gives_an_empty_vector() -> None:
    empty = body(" … ")
    assert len(empty.indices) == len(empty.values) == 0
    assert length(empty) == 0.0
    assert len(Bm25(average_length=3.0).weights(empty).values) == 0
    assert len(sparse(ENGLISH.query_terms("?!")).indices) == 0


def test_a_query_leaves_out_stop_words_and_counts_repeats() -> None:
    assert as_dict(sparse(ENGLISH.query_terms("the cache of caches"))) == {term_id("cach"): 2.0}


WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]), min_size=1, max_size=12)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=6), WORDS, st.sampled_from([(1.2, 0.75), (0.9, 0.4), (2.0, 1.0)]))
def test_scores_equal_rank_bm25_given_the_same_idf(
    corpus: list[list[str]], query: list[str], setting: tuple[float, float]
) -> None:
    k1, b = setting
    reference = BM25Okapi(corpus, k1=k1, b=b)
    document_frequency = Counter(word for words in corpus for word in set(words))
    idf = {w: float(np.log(1 + (len(corpus) - n + 0.5) / (n + 0.5))) for w, n in document_frequency.items()}
    reference.idf = idf

    frequencies = [body(" ".join(words)) for words in corpus]
    bm25 = Bm25(float(np.mean([length(chunk) for chunk in frequencies])), k1=k1, b=b)
    asked = as_dict(sparse(PLAIN.query_terms(" ".join(query))))
    by_id = {term_id(word): value for word, value in idf.items()}
    scores = [
        sum(asked.get(index, 0.0) * weight * by_id[index] for index, weight in as_dict(bm25.weights(chunk)).items())
        for chunk in frequencies
    ]
    assert scores == pytest.approx(reference.get_scores(query), rel=1e-5)
