"""Splits: whole groups, the newest held out, nothing of the test in training, the same again for the same seed."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from retrieval.catalog.pairs import Pair
from retrieval.types import Block, BlockKind, Document
from trainer import splits
from trainer.evaluation_set import EvaluationSet
from trainer.splits import Groups, Split, split

WORDS = (  # noqa: SIM905  # shorter than a list
    "apple river stone cloud tiger piano wheat sugar train forest candle mirror ladder bridge copper saddle"
).split()


def document(number: int, *, created: str | None = None) -> Document:
    text = " ".join(f"{word}{number}" for word in WORDS) * 3
    return Document(f"d{number}", f"title {number}", (Block(BlockKind.PARAGRAPH, text),), created=created)


def pair(number: int, query: str = "", source: str = "mined:title") -> Pair:
    return Pair(query or f"{WORDS[number % 16]} number{number}", f"d{number}", 0, source, 1.0, f"d{number}")


def judged(*wanted: tuple[str, str, str]) -> EvaluationSet:
    """Return a set of (text, document, source)."""
    return EvaluationSet(
        {f"q{place}": text for place, (text, _, _) in enumerate(wanted)},
        {f"q{place}": {key: 1} for place, (_, key, _) in enumerate(wanted)},
        sources={f"q{place}": source for place, (_, _, source) in enumerate(wanted)},
    )


HUMAN = judged(("where do tigers sleep", "d0", "human"))
DOCUMENTS = [document(number) for number in range(40)]
GROUPS = Groups.read(DOCUMENTS, seed=0)


def groups_in(pairs: Sequence[Pair]) -> set[str]:
    return {one.document for one in pairs}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "LEAST_DEV", 4)


def split_of(pairs: Sequence[Pair], test: EvaluationSet = HUMAN, groups: Groups = GROUPS, seed: int = 0) -> Split:
    return split(pairs, test, groups, seed=seed)


def test_no_document_is_both_trained_on_and_chosen_by_or_wanted_by_the_test() -> None:
    found = split_of([pair(number) for number in range(40)])
    assert "d0" not in groups_in(found.train) | groups_in(found.dev)
    assert groups_in(found.train).isdisjoint(groups_in(found.dev))
    assert len(found.train) + len(found.dev) == 39
    assert len(found.dev) == 6  # .15 of 39
    assert found.left_out == {"of a document that test queries want": 1}


def test_near_copies_of_a_document_go_together() -> None:
    copy = replace(DOCUMENTS[0], id="copy")
    groups = Groups.read([*DOCUMENTS, copy], seed=0)
    found = split_of([replace(pair(1), document="copy", group="copy"), *map(pair, range(1, 40))], groups=groups)
    assert "copy" not in groups_in(found.train) | groups_in(found.dev)


def test_a_query_that_the_test_asks_in_nearly_the_same_words_is_left_out() -> None:
    asked = pair(7, "Where does the tiger sleep?")
    found = split_of([*map(pair, range(1, 40)), asked])
    assert asked not in [*found.train, *found.dev]
    assert found.left_out["asked in nearly the same words by a test query"] == 1


def test_queries_that_differ_in_an_identifier_are_different_queries() -> None:
    test = judged(("repair the XS23", "d0", "human"))
    found = split_of([*map(pair, range(1, 40)), pair(7, "repair the XS24")], test)
    assert found.left_out == {}


def test_a_pair_of_a_document_that_is_gone_is_left_out() -> None:
    found = split_of([*map(pair, range(1, 40)), replace(pair(1), document="gone")])
    assert found.left_out == {"of a document that is gone": 1}


def test_with_dates_the_newest_groups_are_held_out() -> None:
    groups = Groups.read([document(number, created=f"2026-01-{number + 1:02}") for number in range(30)], seed=0)
    found = split_of([pair(number) for number in range(1, 30)], groups=groups)
    assert found.by_time
    assert groups_in(found.dev) == {"d29", "d28", "d27", "d26"}
    assert found.record()["held_out"] == "the newest documents"


def test_without_enough_dates_chance_decides() -> None:
    groups = Groups.read([document(0, created="2026-01-01"), *map(document, range(1, 30))], seed=0)
    assert not groups.by_time


def test_mined_test_queries_that_want_most_groups_are_asked_of_the_groups_held_out_only() -> None:
    every = judged(*((f"{word} of old", f"d{number}", "mined:title") for number, word in enumerate(WORDS * 2)))
    found = split_of([pair(number) for number in range(40)], every)
    assert len(found.test.queries) == 16  # .4 of 40 groups
    wanted = {document for grades in found.test.qrels.values() for document in grades}
    assert groups_in(found.train).isdisjoint(wanted)
    assert groups_in(found.train) | groups_in(found.dev) | wanted == {f"d{number}" for number in range(40)}


def test_what_people_asked_is_never_taken_out_of_the_test() -> None:
    mixed = judged(
        ("where do tigers sleep", "d3", "human"),
        *((f"old {word}", f"d{n}", "mined:title") for n, word in enumerate(WORDS * 2)),
    )
    found = split_of([pair(number) for number in range(40)], mixed)
    assert found.test.queries["q0"] == "where do tigers sleep"
    assert "d3" not in groups_in(found.train) | groups_in(found.dev)


def test_few_mined_test_queries_all_stay() -> None:
    few = judged(("old tigers", "d1", "mined:title"), ("old rivers", "d2", "mined:title"))
    assert split_of([pair(number) for number in range(40)], few).test == few


def test_pairs_from_elsewhere_choose_when_they_are_enough() -> None:
    brought = [pair(number, f"what about {WORDS[number % 16]} {number}", "human") for number in range(1, 21)]
    found = split_of([*map(pair, range(1, 40)), *brought])
    assert {one.source for one in found.dev} == {"human"}
    held = groups_in(found.dev)
    assert groups_in(found.train).isdisjoint(held)
    assert found.left_out["of a document or query that chooses"] == len(held)


def test_few_pairs_from_elsewhere_do_not_choose_alone() -> None:
    found = split_of([*map(pair, range(1, 40)), pair(5, "what about piano", "human")])
    assert {one.source for one in found.dev} >= {"mined:title"}


def test_a_query_with_several_answers_is_trained_on_or_chosen_by_and_not_both() -> None:
    answers = [pair(number, f"shared question {number % 10}") for number in range(1, 40)]
    found = split_of(answers)
    assert {one.query for one in found.train}.isdisjoint(one.query for one in found.dev)
    assert groups_in(found.train).isdisjoint(groups_in(found.dev))


def test_the_same_seed_gives_the_same_split_and_another_one_another() -> None:
    pairs = [pair(number) for number in range(40)]
    assert split_of(pairs) == split_of(pairs)
    other = split_of(pairs, groups=Groups.read(DOCUMENTS, seed=1), seed=1)
    assert groups_in(other.dev) != groups_in(split_of(pairs).dev)


def test_the_order_of_documents_makes_no_difference() -> None:
    assert Groups.read(reversed(DOCUMENTS), seed=3) == Groups.read(DOCUMENTS, seed=3)
