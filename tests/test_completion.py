"""Completions: titles first, words and identifiers by how many passages have them, slips put right."""

import pytest

from retrieval.completion import MAX_CHARS, CompletionKind, Completions

TITLES = {
    "os.posix_fadvise": 1,
    "Async queues": 1,
    "Asynchronous code in short": 1,
    "The <b>async</b> page": 1,
    "x" * 500: 9,
}
HEADINGS = {"Async queues": 3, "Cancelling async tasks": 2}
VOCABULARY = {"async": 40, "asyncio": 90, "and": 500, "posix": 8, "posix_fadvise": 3, "queue": 20, "quest": 2}


@pytest.fixture(scope="module")
def completions() -> Completions:
    return Completions(TITLES, HEADINGS, VOCABULARY, stopwords={"and"})


def texts(completions: Completions, prefix: str, limit: int = 10) -> list[str]:
    return [one.text for one in completions.of(prefix, limit)]


def test_identifiers_are_completed_whole_and_within_titles(completions: Completions) -> None:
    found = completions.of("posix_fa", 5)
    assert [(one.text, one.kind) for one in found] == [
        ("posix_fadvise", CompletionKind.WORD),
        ("os.posix_fadvise", CompletionKind.TITLE),
    ]
    assert found[0].count == 3


def test_a_title_that_begins_so_comes_first_and_frequent_words_before_rare_ones(completions: Completions) -> None:
    found = texts(completions, "asy")
    assert found[:2] == ["Async queues", "asyncio"]
    assert found.index("asyncio") < found.index("async")
    assert "Cancelling async tasks" in found
    assert len(found) == len(set(found))


def test_only_the_last_word_is_completed(completions: Completions) -> None:
    assert texts(completions, "Cancel a que") == ["Cancel a queue", "Cancel a quest"]
    assert texts(completions, "async q")[0] == "Async queues"
    assert "async queue" in texts(completions, "async q")


def test_case_accents_and_spaces_do_not_matter(completions: Completions) -> None:
    assert texts(completions, "  ÁSYNC   Q")[0] == "Async queues"


def test_a_word_that_nothing_begins_with_is_put_right(completions: Completions) -> None:
    (found,) = completions.of("an asnycio", 5)
    assert (found.text, found.kind) == ("an asyncio", CompletionKind.SPELLING)
    assert texts(completions, "zzz") == []


def test_stop_words_long_titles_and_what_is_typed_already_are_no_completions(completions: Completions) -> None:
    assert "and" not in texts(completions, "an")
    assert texts(completions, "x" * 40) == []
    assert "posix_fadvise" not in texts(completions, "posix_fadvise")
    assert all(len(text) <= MAX_CHARS for text in texts(completions, "a"))


@pytest.mark.parametrize("prefix", ["", " ", "\0", "\ud800", "(((", "*", "\U0010ffff", "-" * 1000])
def test_anything_may_be_typed(completions: Completions, prefix: str) -> None:
    assert texts(completions, prefix, 3) == []


def test_the_best_of_thousands_are_found(completions: Completions) -> None:
    many = Completions({}, {}, {f"word{number:05}": number for number in range(20_000)})
    assert texts(many, "w", 3) == ["word19999", "word19998", "word19997"]
    assert texts(many, "word123", 2) == ["word12399", "word12398"]
