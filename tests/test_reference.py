"""The reference BM25: the floor under every arm."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]  # it ships no types

from indexer.sources.base import Item, SourceOptions
from indexer.sources.jsonl import parse
from retrieval.types import Block, BlockKind, Document
from trainer.evaluation_set import EvaluationSet
from trainer.measures import measured
from trainer.reference import ReferenceBm25, words

TEXTS = st.lists(st.sampled_from(["cat", "dog", "fish", "bird"]), max_size=6).map(" ".join)


def document(key: str, title: str, *paragraphs: str) -> Document:
    return Document(key, title, tuple(Block(BlockKind.PARAGRAPH, text) for text in paragraphs))


def test_words_are_lower_cased_runs_of_letters_digits_and_underscores() -> None:
    assert words("Don't stop, os.fsync_2! ÉTÉ") == ["don", "t", "stop", "os", "fsync_2", "été"]


def test_title_and_every_paragraph_count() -> None:
    reference = ReferenceBm25(
        [document("t", "Sourdough"), document("p", "", "flour", "rye"), document("x", "Nothing", "here")]
    )
    assert reference.rank("sourdough", 10) == ["t"]
    assert reference.rank("RYE?", 10) == ["p"]


def test_scores_are_okapi_with_rank_bm25s_defaults() -> None:
    # Documents of 1, 3 and 2 words: idf = ln((3 - 1 + .5) / (1 + .5)) for a word of one document, mean length 2.
    idf, k1, b = math.log(2.5 / 1.5), 1.5, 0.75

    def score(tf: int, length: int) -> float:
        return idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / 2))

    cat, dog = score(1, 1), score(2, 3)
    found = BM25Okapi([words("cat"), words("dog dog bird"), words("fish fly")]).get_scores(["cat", "dog"])
    assert found == pytest.approx([cat, dog, 0])
    documents = [document("1", "cat"), document("2", "dog", "dog bird"), document("3", "fish", "fly")]
    assert ReferenceBm25(documents).rank("cat dog", 10) == (["1", "2"] if cat > dog else ["2", "1"])


@given(titles=st.lists(TEXTS, min_size=1, max_size=6), query=TEXTS, k=st.integers(1, 6))
def test_the_order_is_rank_bm25s(titles: list[str], query: str, k: int) -> None:
    found = ReferenceBm25([document(str(place), title) for place, title in enumerate(titles)]).rank(query, k)
    if not any(titles):
        assert found == []
        return
    scores = BM25Okapi([words(title) for title in titles]).get_scores(words(query))
    expected = sorted((place for place in range(len(titles)) if scores[place] > 0), key=lambda p: (-scores[p], p))[:k]
    assert found == [str(place) for place in expected]
    assert len(found) == min(k, int(np.sum(scores > 0)))


def test_a_corpus_without_a_word_answers_nothing() -> None:
    assert ReferenceBm25([]).rank("cat", 10) == []
    assert ReferenceBm25([document("1", "?"), document("2", "", "...")]).rank("cat", 10) == []


def test_on_product_documentation_it_scores_what_was_measured_before(shared_data: Path) -> None:
    corpus = shared_data / "claude-docs"
    data = (corpus / "corpus.jsonl").read_bytes()
    parts = parse(data, Item("corpus.jsonl", "corpus.jsonl", "jsonl"), SourceOptions())
    reference = ReferenceBm25(part for part in parts if isinstance(part, Document))
    judged = EvaluationSet.read(corpus / "queries.jsonl", corpus / "qrels" / "test.tsv")
    run = {
        query: {found: 1 / rank for rank, found in enumerate(reference.rank(text, 100), 1)}
        for query, text in judged.queries.items()
    }
    assert len(judged.queries) == 100
    assert measured(judged.qrels, run).means["ndcg@10"] == pytest.approx(0.667, abs=0.01)


def test_a_string_hidden_in_a_document_no_longer_finds_it_there() -> None:
    documents = [document("1", "cat food", "for every dog"), document("2", "cat"), document("3", "fish", "fly")]
    reference = ReferenceBm25([*documents, document("4", "bird"), document("5", "bee")])
    assert set(reference.rank("cat food", 10)) == {"1", "2"}
    assert reference.rank("cat food", 10, {"1": ["Cat food"], "gone": ["x"]}) == ["2"]
    assert reference.rank("dog", 10, {"1": ["cat food"]}) == ["1"]


@given(titles=st.lists(TEXTS.filter(bool), min_size=2, max_size=6), query=TEXTS)
def test_a_document_that_hides_nothing_it_has_scores_as_before(titles: list[str], query: str) -> None:
    reference = ReferenceBm25([document(str(place), title) for place, title in enumerate(titles)])
    masks = {str(place): ["whale"] for place in range(len(titles))}
    assert reference.rank(query, 10, masks) == reference.rank(query, 10)
