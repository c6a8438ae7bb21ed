"""Hard negatives: from both legs, of other documents, no answers themselves, and told apart by nothing but content."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.catalog.pairs import Pair
from retrieval.types import Document
from tests.homes import Workbench, page
from trainer.hard_negatives import GONE, Drawing, PreparedPairs, by_turns, prepared
from trainer.pairs.legs import Legs
from trainer.pairs.material import groups_by_document
from trainer.pairs.vectors import silent

MORE = "It takes patience and a steady hand every day until the whole thing goes well. "
TOPICS = ("bread", "car", "dog", "house", "music", "garden", "river", "snow", "ticket", "coffee")


def about(topic: str) -> Document:
    text = f"All there is to say of {topic}, its price, its color, its weight and its origin. {MORE}"
    return page(f"{topic}.md", text, title=f"Guide to {topic}")


def asked(topic: str, query: str = "", *, strings: Sequence[str] = ()) -> Pair:
    return Pair(query or f"{topic} price", f"{topic}.md", 0, "human", 1.0, f"{topic}.md", tuple(strings))


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Workbench:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*map(about, TOPICS))
    return bench


def made_ready(bench: Workbench, *pairs: Pair, most: int = 1, seed: int = 0, temperature: float = 0.0) -> PreparedPairs:
    catalog = bench.home.catalog
    legs = Legs.of(bench.home, bench.collection, groups_by_document(catalog, bench.collection), silent)
    return prepared(
        legs, pairs, known=catalog.pairs.list(bench.collection), drawing=Drawing(most, seed, temperature=temperature)
    )


def test_a_pair_has_its_passage_and_a_negative_of_another_document(bench: Workbench) -> None:
    ready = made_ready(bench, asked("bread"), asked("car"))
    assert [pair.document for pair in ready.pairs] == ["bread.md", "car.md"]
    assert ready.passages[0].startswith("Guide to bread\nAll there is to say of bread")
    assert all(len(negatives) == 1 for negatives in ready.negatives)
    assert "of bread" not in ready.negatives[0][0]


def test_the_vectors_are_those_that_the_base_gives_the_texts(bench: Workbench) -> None:
    ready = made_ready(bench, asked("bread"), asked("car", strings=["Guide to car"]), most=2)
    encoder = bench.encoder
    assert ready.negative_vectors.shape == (2, 2, encoder.dimensions)
    np.testing.assert_allclose(ready.query_vectors, encoder.encode_queries(["bread price", "car price"]), atol=1e-6)
    np.testing.assert_allclose(ready.passage_vectors, encoder.encode_passages(ready.passages), atol=2e-3)  # half floats
    flat = [text for negatives in ready.negatives for text in negatives]
    np.testing.assert_allclose(ready.negative_vectors.reshape(4, -1), encoder.encode_passages(flat), atol=2e-3)


def test_no_document_that_answers_the_query_is_a_negative(bench: Workbench) -> None:
    known = [asked(topic, "What does it cost?") for topic in TOPICS[:8]]
    bench.home.catalog.pairs.add(bench.collection, known)
    ready = made_ready(bench, asked("bread", "what does  it COST?"), most=9)
    assert {text.split()[2] for text in ready.negatives[0]} == {"ticket", "coffee"}


def test_near_copies_of_the_answer_are_no_negatives(bench: Workbench) -> None:
    copy = replace(about("bread"), id="copy.md", title="Another title")
    bench.put(copy)
    ready = made_ready(bench, asked("bread"), most=16)
    assert len(ready.negatives[0]) == len(TOPICS) - 1
    assert all("of bread" not in text for text in ready.negatives[0])


def test_what_the_base_likes_as_well_as_the_answer_is_no_negative(bench: Workbench) -> None:
    bench.put(page("loaf.md", f"All there is to say of a loaf, of bread and its price. {MORE}", title="Bread, bread"))
    ready = made_ready(bench, asked("bread"), most=16)
    liked = float(ready.query_vectors[0] @ ready.passage_vectors[0])
    assert all("loaf" not in text for text in ready.negatives[0])
    found = ready.negative_vectors[0, : len(ready.negatives[0])] @ ready.query_vectors[0]
    assert (found < 0.95 * liked).all()


def test_a_negative_has_no_title_where_the_passage_lost_its_own(bench: Workbench) -> None:
    ready = made_ready(bench, asked("bread", strings=["Guide to bread"]))
    assert ready.passages[0].startswith("\nAll there is")
    assert ready.negatives[0][0].startswith("\nAll there is")


def test_with_a_temperature_what_both_legs_find_first_shares_the_query(bench: Workbench) -> None:
    bench.put(page("loaf.md", f"All there is to say of a loaf, of bread and its price. {MORE}", title="Bread, bread"))
    ready = made_ready(bench, asked("bread"), most=16, temperature=1.0)
    shares = dict(zip(ready.negatives[0], ready.targets[0][1:], strict=True))
    loaf = next(text for text in shares if "loaf" in text)
    assert sum(ready.targets[0]) == pytest.approx(1.0, abs=1e-4)
    assert ready.targets[0][0] >= shares[loaf] > 10 * max(share for text, share in shares.items() if text != loaf)


def test_the_shares_are_the_softmax_of_both_legs_z_scores(bench: Workbench) -> None:
    ready = made_ready(bench, asked("bread"), most=1, temperature=2.0)
    catalog = bench.home.catalog
    legs = Legs.of(bench.home, bench.collection, groups_by_document(catalog, bench.collection), silent)
    (scores,) = legs.corpus.scores(legs.asked(["bread price"]))
    embedding, keyword = ((one[0] - one[0].mean()) / one[0].std() for one in (scores.embedding, scores.keyword))
    fused = 0.75 * embedding + 0.25 * keyword
    texts = [text.chunk.embedding_text(text.title) for text in legs.corpus.texts]
    apart = fused.max() - fused[texts.index(ready.negatives[0][0])]  # nothing is above the answer here
    assert ready.targets[0] == pytest.approx((1 / (1 + np.exp(-apart / 2)), 1 / (1 + np.exp(apart / 2))), abs=1e-3)


def test_the_answer_has_no_less_than_what_both_legs_put_above_it(bench: Workbench) -> None:
    ready = made_ready(bench, asked("bread", "car price"), most=16, temperature=1.0)
    assert ready.targets[0][0] == max(ready.targets[0])


@pytest.mark.parametrize("seed", range(4))
def test_the_legs_take_turns_until_one_has_nothing_left(seed: int) -> None:
    drawn = list(by_turns([[1, 2, 3], [4, 5, 1, 6, 7]], random.Random(seed)))
    assert sorted(drawn) == [1, 2, 3, 4, 5, 6, 7]
    first = drawn[0] in (2, 3), drawn[0] in (4, 5, 6, 7)
    if any(first):
        assert drawn[1] in ((4, 5, 6, 7, 1) if first[0] else (1, 2, 3))


def test_each_leg_may_begin() -> None:
    assert {next(by_turns([[1], [2]], random.Random(seed))) for seed in range(20)} == {1, 2}


def test_a_pair_draws_the_same_negatives_whatever_stands_beside_it(bench: Workbench) -> None:
    alone = made_ready(bench, asked("bread"), most=3)
    beside = made_ready(bench, asked("car"), asked("bread"), most=3)
    assert beside.negatives[1] == alone.negatives[0]
    others = {made_ready(bench, asked("bread"), most=3, seed=seed).negatives[0] for seed in range(1, 6)}
    assert others - {alone.negatives[0]}


def test_a_pair_without_other_documents_has_no_negative(tmp_path: Path, tiny_model: Path) -> None:
    bench = Workbench.open(tmp_path / "lone", tiny_model)
    bench.put(about("bread"))
    ready = made_ready(bench, asked("bread"))
    assert ready.negatives == [()]
    assert ready.negative_vectors.shape == (1, 1, bench.encoder.dimensions)
    assert not ready.negative_vectors.any()


def test_pairs_may_do_without_negatives(bench: Workbench) -> None:
    ready = made_ready(bench, asked("bread"), most=0)
    assert ready.negatives == [()]
    assert len(ready.passage_vectors) == 1


def test_a_pair_whose_passage_is_gone_is_left_out_and_counted(bench: Workbench) -> None:
    ready = made_ready(bench, asked("bread"), asked("nobody"), replace(asked("car"), position=7))
    assert [pair.document for pair in ready.pairs] == ["bread.md"]
    assert ready.left_out == {GONE: 2}


def test_no_pairs_are_ready_at_once(bench: Workbench) -> None:
    ready = made_ready(bench)
    assert (list(ready.pairs), ready.query_vectors.shape) == ([], (0, bench.encoder.dimensions))
