import html
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.analysis import Analyzer
from retrieval.snippets import BOLD, ELLIPSIS, PLAIN, Highlighter, without_fences

ENGLISH = Analyzer()


def marked(text: str, query: str, max_chars: int = 300) -> str:
    return Highlighter(ENGLISH, ENGLISH.query_terms(query)).highlight(text, max_chars=max_chars)


def test_word_forms_of_the_query_are_marked() -> None:
    assert marked("Caching: how a Cache works.", "caches") == "<mark>Caching</mark>: how a <mark>Cache</mark> works."


def test_only_the_part_of_an_identifier_that_matches_is_marked() -> None:
    text = "raise HTTPException; asyncio.to_thread(f)"
    assert marked(text, "exceptions") == "raise HTTP<mark>Exception</mark>; asyncio.to_thread(f)"
    assert marked(text, "to_thread") == "raise HTTPException; asyncio.<mark>to_thread</mark>(f)"
    assert marked(text, "asyncio.to_thread").endswith("; <mark>asyncio.to_thread</mark>(f)")


def test_every_spelling_of_an_identifier_is_marked() -> None:
    assert marked("XS-23 or xs 23", "XS23") == "<mark>XS-23</mark> or <mark>xs 23</mark>"


def test_stop_words_are_not_marked() -> None:
    assert marked("the cache of the page", "what is the cache") == "the <mark>cache</mark> of the page"


def test_bigrams_unite_to_one_mark() -> None:
    assert marked("日本語のテキスト検索", "テキスト") == "日本語の<mark>テキスト</mark>検索"


def test_markup_of_the_source_is_text() -> None:
    assert marked('<script>alert("cache")</script>', "cache") == (
        "&lt;script&gt;alert(&quot;<mark>cache</mark>&quot;)&lt;/script&gt;"
    )


def test_the_window_lies_where_most_query_words_are() -> None:
    text = "cache " * 30 + "filler " * 100 + "the cache key expires here " + "filler " * 100
    found = marked(text, "cache key expiry expires", max_chars=80)
    assert "<mark>cache</mark> <mark>key</mark> <mark>expires</mark>" in found
    assert found.startswith(ELLIPSIS)
    assert found.endswith(ELLIPSIS)


def test_a_rarer_word_with_more_weight_draws_the_window() -> None:
    text = "alpha " + "filler " * 50 + "beta"
    assert "<mark>beta</mark>" in Highlighter(ENGLISH, {"alpha": 0.5, "beta": 1.0}).highlight(text, max_chars=60)
    assert "<mark>alpha</mark>" in Highlighter(ENGLISH, {"alpha": 1.0, "beta": 1.0}).highlight(text, max_chars=60)


def test_a_text_without_a_match_shows_its_beginning() -> None:
    assert marked("First words of a text that goes on", "zebra", max_chars=14) == f"First words of{ELLIPSIS}"


def test_cuts_fall_between_words() -> None:
    text = "consideration " * 20 + "cache " + "consideration " * 20
    window = Highlighter(ENGLISH, {"cach": 1.0}).excerpt(text, max_chars=90)
    assert set(text[window.start : window.end].split()) == {"consideration", "cache"}


def test_a_whole_text_has_no_ellipsis_and_keeps_its_lines() -> None:
    text = "Use it:\n\n```python\n    await to_thread(f)\n```"
    assert marked(text, "await") == "Use it:\n\n```python\n    <mark>await</mark> to_thread(f)\n```"


def test_a_terminal_shows_bold_and_obeys_nothing_in_the_text() -> None:
    text = "a cache \x1b[2J\u202e wiped"
    found = Highlighter(ENGLISH, {"cach": 1.0}).highlight(text, markup=BOLD)
    assert found == "a \x1b[1mcache\x1b[22m \ufffd[2J\ufffd wiped"
    assert Highlighter(ENGLISH, {"cach": 1.0}).highlight(text, markup=PLAIN) == "a cache \ufffd[2J\ufffd wiped"


def test_a_match_longer_than_the_window_is_cut() -> None:
    name = "a_" * 100 + "b"
    window = Highlighter(ENGLISH, dict.fromkeys(ENGLISH.terms(name), 1.0)).excerpt(name, max_chars=20)
    assert window.end - window.start <= 20


FRAGMENTS = [
    "<mark>",
    "</mark>",
    "&lt;",
    "&amp",
    "<b>",
    "'",
    '"',
    " ",
    "\n",
    "abc",
    "a.b-c_d",
    "日本",
    "\ud800",
    "\u0301",
    "…",
]
TEXT = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.characters()), max_size=120).map("".join)


@settings(deadline=None)
@given(TEXT, TEXT, st.integers(1, 120))
def test_a_snippet_is_safe_and_a_stretch_of_its_source(text: str, query: str, max_chars: int) -> None:
    found = marked(text, query + " " + text[:20], max_chars)
    bare = re.sub("</?mark>", "", found)
    assert "<" not in bare
    assert ">" not in bare
    assert found.count("<mark>") == found.count("</mark>")
    inner = html.unescape(bare)
    window = Highlighter(ENGLISH, ENGLISH.query_terms(query + " " + text[:20])).excerpt(text, max_chars=max_chars)
    stretch = text[window.start : window.end]
    assert len(stretch) <= max_chars
    assert stretch in text
    leading = ELLIPSIS if text[: window.start].strip() else ""
    trailing = ELLIPSIS if text[window.end :].strip() else ""
    assert inner == leading + stretch + trailing
    assert all(window.start <= start < end <= window.end for start, end in window.marks)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["alpha", "beta", "filler", "long-word", "XS-23", "\n"]), min_size=1, max_size=80))
def test_a_match_is_always_in_the_window(words: list[str]) -> None:
    text = " ".join(words)
    assert ("<mark>" in marked(text, "alpha XS23", max_chars=30)) == ("alpha" in words or "XS-23" in words)


def test_fences_of_code_are_left_out_and_the_code_stays() -> None:
    text = "Ask it:\n\n```python\nos.getcwd()\n```\n\nor ```inline``` code\n~~~ sh\npwd\n~~~"
    assert without_fences(text) == "Ask it:\n\nos.getcwd()\n\nor ```inline``` code\npwd\n"
    assert without_fences("no code") == "no code"
