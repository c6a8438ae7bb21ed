"""What dev queries are searched in: answers, masked, among passages drawn by chance and not by the base's taste."""

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.catalog.pairs import Pair
from tests.homes import Workbench, page
from trainer.pairs.legs import Legs
from trainer.pairs.material import groups_by_document
from trainer.pairs.vectors import silent
from trainer.training.dev_set import DevSet, dev_set, passages_for

TOPICS = ("bread", "car", "dog", "house", "music", "garden", "river", "snow", "ticket", "coffee")


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Workbench:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*(page(f"{topic}.md", f"All there is to say of {topic}.", title=f"On {topic}") for topic in TOPICS))
    return bench


def made(bench: Workbench, *pairs: Pair, seed: int = 0, most: int = 800) -> DevSet:
    groups = groups_by_document(bench.home.catalog, bench.collection)
    return dev_set(Legs.of(bench.home, bench.collection, groups, silent), pairs, seed=seed, most=most)


def asked(topic: str, query: str, *strings: str) -> Pair:
    return Pair(query, f"{topic}.md", 0, "human", 1.0, f"{topic}.md", strings)


def test_a_small_collection_is_searched_whole_with_what_gives_answers_away_hidden(bench: Workbench) -> None:
    found = made(bench, asked("bread", "On bread", "On bread"))
    assert len(found.passages) == len(TOPICS)
    (query,) = found.queries
    answer = found.passages[query.relevant[0]]
    assert "On bread" not in answer
    assert sum("of bread" in text for text in found.passages) == 1


def test_a_brought_pair_wants_a_document_by_whichever_passage_and_a_mined_one_the_passage_it_names(
    bench: Workbench,
) -> None:
    long = [
        f"All there is to say of tea, part {part}. " + "It takes patience and a steady hand. " * 40 for part in "ab"
    ]
    bench.put(page("tea.md", *long, title="On tea"))
    brought = made(bench, asked("tea", "a hot drink"))
    assert len(brought.queries[0].relevant) > 1
    assert len({brought.documents[place] for place in brought.queries[0].relevant}) == 1
    mined = made(bench, replace(asked("tea", "a hot drink"), source="mined:title"))
    assert len(mined.queries[0].relevant) == 1
    assert len(set(mined.documents)) == len(mined.documents) == len(TOPICS) + 1


def test_no_passage_of_a_document_gives_a_query_of_it_away(bench: Workbench) -> None:
    long = [
        f"All there is to say of tea, part {part}. " + "It takes patience and a steady hand. " * 40 for part in "ab"
    ]
    bench.put(page("tea.md", *long, title="On tea"))
    title = replace(asked("tea", "On tea", "On tea"), source="mined:title")
    found = made(bench, title, replace(title, query="patience", position=1, strings=(), source="mined:heading"))
    own = [text for text, number in zip(found.passages, found.documents, strict=True) if number == 0]
    assert len(own) == 2
    assert not any("On tea" in text for text in own)


def test_clicks_want_a_document_and_long_documents_do_not_crowd_the_others_out(bench: Workbench) -> None:
    parts = [" ".join(f"Of tea, part {part}, sentence {n}." for n in range(60)) for part in range(20)]
    bench.put(page("tea.md", *parts, title="On tea"))
    clicked = made(bench, replace(asked("tea", "a hot drink"), source="mined:clicks"))
    assert len(clicked.queries[0].relevant) > 10
    few = made(bench, asked("tea", "a hot drink"), most=10)
    assert len(few.queries[0].relevant) in {5, 6}  # half, and the one that is named
    assert len(few.passages) == 10


def test_a_query_with_several_answers_has_them_all(bench: Workbench) -> None:
    found = made(bench, asked("bread", "something to eat"), asked("coffee", "something to eat"))
    (query,) = found.queries
    assert len(query.relevant) == 2


@pytest.mark.parametrize(("pairs", "passages"), [(32, 256), (10, 200), (473, 800)])
def test_a_training_on_few_pairs_is_not_outweighed_by_ranking_dev(pairs: int, passages: int) -> None:
    assert passages_for(pairs) == passages


def test_of_a_large_collection_others_are_drawn_by_the_seed_alone(bench: Workbench) -> None:
    pairs = [asked("bread", "loaf"), asked("car", "vehicle")]
    found = made(bench, *pairs, most=5)
    assert len(found.passages) == 5
    assert found == made(bench, *pairs, most=5)
    # Other questions with the same answers are searched in the same passages, whatever the base takes for answers.
    assert set(made(bench, asked("bread", "dog"), asked("car", "snow"), most=5).passages) == set(found.passages)
    assert any(made(bench, *pairs, seed=seed, most=5).passages != found.passages for seed in range(1, 5))
