import random
import time

import pytest

from retrieval.analysis import Analyzer
from retrieval.spelling import did_you_mean, is_known, max_distance, suggest

ENGLISH = Analyzer()
KNOWN = {
    "evaluation": 50,
    "evolution": 5,
    "task": 40,
    "tasks": 10,
    "tags": 40,
    "todo": 30,
    "list": 90,
    "background": 20,
    "to_thread": 3,
    "asyncio.to_thread": 3,
    "thread": 60,
    "to": 500,
    "httpexception": 7,
    "cat": 9,
    "bat": 900,
    "2024": 4,
}


def test_the_nearest_word_comes_first() -> None:
    assert suggest("evalution", KNOWN) == ["evaluation", "evolution"]


def test_a_known_word_needs_no_suggestion() -> None:
    assert suggest("evolution", KNOWN) == []


def test_frequency_decides_between_equally_near_words() -> None:
    assert suggest("evaltion", {"elation": 1, "evasion": 100, "evakion": 1}, 1) == ["evasion"]


def test_frequency_never_outweighs_an_edit() -> None:
    assert suggest("embeddin", {"embedding": 1, "embedded": 10**9}) == ["embedding", "embedded"]


def test_swapped_letters_are_one_edit_and_the_likeliest() -> None:
    assert suggest("taks", KNOWN)[0] == "task"


def test_the_first_letter_is_seldom_wrong() -> None:
    assert suggest("cqt", {"cat": 9, "bqt": 40}) == ["cat", "bqt"]


@pytest.mark.parametrize(
    ("word", "edits"), [("cat", 1), ("cache", 1), ("caches", 2), ("evaluations", 2), ("httpexception", 3)]
)
def test_longer_words_bear_more_edits(word: str, edits: int) -> None:
    assert max_distance(word) == edits


def test_identifiers_are_suggested_too() -> None:
    assert suggest("to_thraed", KNOWN) == ["to_thread"]
    assert suggest("asyncio.to_thred", KNOWN) == ["asyncio.to_thread"]


def test_words_run_together_are_split() -> None:
    assert suggest("todolist", KNOWN) == ["todo list"]


def test_a_word_cut_in_two_is_joined() -> None:
    assert suggest("back ground", KNOWN)[0] == suggest("back-ground", KNOWN)[0] == "background"


def test_very_short_words_and_empty_vocabularies_have_no_suggestions() -> None:
    assert (
        suggest("ct", KNOWN) == suggest("", KNOWN) == suggest("word", {}) == suggest("evalution", KNOWN, limit=0) == []
    )


def test_a_vocabulary_may_be_pairs() -> None:
    assert suggest("evalution", iter(KNOWN.items()), limit=1) == ["evaluation"]


def test_a_query_is_told_about_its_unknown_words_only() -> None:
    found = did_you_mean(ENGLISH, "Evalution of 2024 background taks", vocabulary=KNOWN)
    assert found == {"Evalution": ("evaluation", "evolution"), "taks": ("task", "tags", "tasks")}


def test_neighbours_that_are_one_known_word_are_joined() -> None:
    assert did_you_mean(ENGLISH, "a back ground task", vocabulary=KNOWN) == {"back ground": ("background",)}


def test_an_identifier_is_known_by_all_its_parts() -> None:
    known, unknown = ENGLISH.typed("thread-list thread_lisst")
    assert is_known(known, KNOWN)
    assert not is_known(unknown, KNOWN)


def test_a_misspelt_identifier_keeps_its_written_form_as_the_key() -> None:
    assert did_you_mean(ENGLISH, "raise HTTPExcepton", vocabulary=KNOWN | {"raise": 1}) == {
        "HTTPExcepton": ("httpexception",)
    }


def test_a_hundred_thousand_words_are_searched_fast() -> None:
    chance = random.Random(7)
    words = {"".join(chance.choices("etaoinshrdlu", k=chance.randint(4, 14))): 1 for _ in range(100_000)} | KNOWN
    suggest("evalution", words)
    started = time.perf_counter()
    assert "evaluation" in suggest("evalution", words)
    assert time.perf_counter() - started < 0.3  # 0.01 s on two idle cores


def test_only_the_first_words_of_a_pasted_text_are_looked_at() -> None:
    text = "known " * 31 + "todolist todolits"
    found = did_you_mean(Analyzer("english"), text, vocabulary={"known": 1, "todolists": 1})
    assert list(found) == ["todolist"]
