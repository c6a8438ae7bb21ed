"""Text to tokens: one compiled pattern, linear in the text.

A token is a run of word characters, with what joins code together kept inside: `asyncio.to_thread`, `std::io::Error`,
`kube-apiserver`, `user@example.com`, `https://example.com/a/b.html`, `--no-cache`, `.NET`, `C++`, `don't`. A run of a
script written without spaces is a token of its own, to be cut into bigrams.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import regex

MAX_TERM: Final = 64
"""Characters kept of a longer word: a term's length is bounded whatever the text."""
MAX_JOINS: Final = 30
"""Joints in one token; a longer chain goes on in the next token."""

HYPHENS: Final = "-\u2010\u2011"
APOSTROPHES: Final = "'\u2019\uff07"

_UNSPACED: Final = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc\uff70\uff9e\uff9f"
)
# Soft hyphens and zero-width joiners stand inside words and are not seen by readers.
_UNICODE_WORD: Final = rf"[\w\xad\u200c\u200d--[{_UNSPACED}]]"
_SIMPLE_WORD: Final = r"[^\W\xb2\xb3\xb9\xbc-\xbe]"


def _pattern(word: str) -> str:
    prefix = r"(?:(?<![\w.\-)\]])(?:--?|\.)(?=[A-Za-z]))?+"
    ending = rf"[{APOSTROPHES}](?=(?:s|t|re|ve|ll|d|m|S|T)(?!\w))"
    joint = rf"(?:[./@{re.escape(HYPHENS)}]|::|://|{ending})"
    suffix = r"(?:\+\+|(?<=\b[A-Z])\#(?!\w))?+"
    return rf"{prefix}{word}++(?:{joint}{word}++){{0,{MAX_JOINS}}}+{suffix}"


# The standard library's engine is five times faster but knows neither combining marks nor scripts. Below U+0300, in
# Greek, in Cyrillic and in general punctuation there are none to know, so that there both patterns agree. What needs
# the package regex is compiled when a text first needs it, which few do: that saves a search a twentieth of a second.
_SIMPLE = re.compile(_pattern(_SIMPLE_WORD))
_NEEDS_FULL = re.compile("[^\x00-\xac\xae-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2029\u2030-\u203e]")

_IS_UNSPACED: Final = rf"[{_UNSPACED}]"

_NUMBER = re.compile(r"[ \xa0](\d+(?:\.\d+)*)(?!\w|[.\-]\w)")
_LETTERS_BEFORE = re.compile(r"(?<![\w.\-/@'])[^\W\d_]{1,12}\Z")


@cache
def _full() -> "regex.Pattern[str]":
    return compiled(rf"(?V1){_pattern(_UNICODE_WORD)}|[{_UNSPACED}][{_UNSPACED}\p{{M}}]*+")


@cache
def compiled(pattern: str) -> "regex.Pattern[str]":
    """Return a pattern of the package regex, compiled at its first use."""
    import regex

    return regex.compile(pattern)


@dataclass(frozen=True, slots=True)
class Pair:
    """A word and the number after it, one space between: `xs 23`. Offsets are of the whole pair."""

    start: int
    end: int
    word: str
    number: str


def surfaces(text: str) -> list[str]:
    """Return every token as written, in order."""
    return _full().findall(text) if _NEEDS_FULL.search(text) else _SIMPLE.findall(text)


def located(text: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, token as written), in order."""
    for match in _full().finditer(text) if _NEEDS_FULL.search(text) else _SIMPLE.finditer(text):
        yield match.start(), match.group()


def pairs(text: str) -> Iterator[Pair]:
    """Yield every word of at most 12 letters followed by a number, in order."""
    for number in _NUMBER.finditer(text):
        word = _LETTERS_BEFORE.search(text, max(0, number.start() - 13), number.start())
        if word:
            yield Pair(word.start(), number.end(), word.group(), number.group(1))


def is_unspaced(token: str) -> bool:
    """Tell whether a token is a run of a script written without spaces (or Hangul, searched the same way)."""
    return not token.isascii() and compiled(_IS_UNSPACED).match(token) is not None


def clusters(run: str) -> list[tuple[int, int, str]]:
    """Cut a run into (start, end, user-perceived character)."""
    return [(match.start(), match.end(), match.group()) for match in compiled(r"\X").finditer(run)]
