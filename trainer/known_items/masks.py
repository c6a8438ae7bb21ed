"""Hide strings in a text, so that a query mined from it does not find it by its own words."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from retrieval.analysis.folding import fold
from retrieval.analysis.tokens import compiled

_CUT = "\ufdd0"  # a noncharacter, which no text may use for anything of its own
_BREAK = ""
"""Stands between two words that a blank line parts: no string goes across it."""

_SUFFIX = r"(?:\+\+|(?<=\b[A-Z])\#(?!\w))?"  # C++ and C# are not C
_ASCII_WORD = re.compile(rf"\w++{_SUFFIX}")
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = rf"(?V1)[{_UNSPACED}]\p{{M}}*+|[\w\p{{M}}\xad\u200b-\u200d--[{_UNSPACED}]]++{_SUFFIX}"
"""A character of a script written without spaces is a word; accents and invisible characters are within theirs."""
_SOFT = dict.fromkeys(map(ord, "\xad\u200b\u200c\u200d"))

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")
_ENCLOSED_CUT = re.compile(rf"(?<!\w)(?:\({_CUT}\)|\[{_CUT}\]|\*\*{_CUT}\*\*|([`*_\"']){_CUT}\1|“{_CUT}”)")
_INDENTED_CUT = re.compile(rf"^(\s*){_CUT}[ \t{_CUT}]*")
_CUT_BEFORE_MARK = re.compile(rf"[ \t]*{_CUT}[ \t{_CUT}]*(?=[.,;:!?)\]}}]|$)")
_CUT_AFTER_BRACKET = re.compile(rf"(?<=[(\[{{]){_CUT}[ \t{_CUT}]*")
_CUT_BETWEEN = re.compile(rf"[ \t]*{_CUT}[ \t{_CUT}]*")


def masked(text: str, strings: Sequence[str]) -> str:
    """Return the text without the strings, each of which is found wherever its words follow one another.

    Letter case, accents, and what stands between two words on a line or two (blanks, punctuation, markup) make no
    difference; only whole words match. A line of which no word is left goes. Takes time linear in the text.
    """
    sought = {wanted for string in strings if (wanted := _words_in(string))}
    if not sought:
        return text
    words, places = _located(text)
    spans = [
        (places[first][0], places[first + len(wanted) - 1][1])
        for wanted in sought
        for first in _occurrences(words, wanted)
    ]
    return _without(text, spans) if spans else text


def word_count(text: str) -> int:
    """Count a text's words; a character of a script written without spaces is one."""
    return sum(1 for _ in _words(text))


@lru_cache(maxsize=1 << 12)
def _words_in(string: str) -> tuple[str, ...]:
    return tuple(_folded(word) for _, _, word in _words(string))


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _ASCII_WORD.finditer(text) if text.isascii() else compiled(_WORD).finditer(text):
        yield match.start(), match.end(), match.group()


def _folded(word: str) -> str:
    return word.lower() if word.isascii() else fold(word.translate(_SOFT))


@lru_cache(maxsize=1)
def _located(text: str) -> tuple[Sequence[str], Sequence[tuple[int, int]]]:
    """Return the folded words and where they stand; the last text's are kept, for other strings to be sought in it."""
    words: list[str] = []
    places: list[tuple[int, int]] = []
    last = 0
    for start, end, word in _words(text):
        if start - last > 1 and _BLANK_LINE.search(text, last, start):
            words.append(_BREAK)
            places.append((start, start))
        words.append(_folded(word))
        places.append((start, end))
        last = end
    return words, places


def _occurrences(words: Sequence[str], wanted: Sequence[str]) -> Iterator[int]:
    """Yield where the wanted words begin (Knuth, Morris and Pratt, 1977), also where occurrences overlap."""
    borders = _borders(wanted)
    matched = 0
    for place, word in enumerate(words):
        while matched and word != wanted[matched]:
            matched = borders[matched - 1]
        matched += word == wanted[matched]
        if matched == len(wanted):
            yield place - matched + 1
            matched = borders[matched - 1]


def _borders(wanted: Sequence[str]) -> list[int]:
    """Return for each prefix the length of its longest proper prefix that is also its suffix."""
    borders = [0] * len(wanted)
    for place in range(1, len(wanted)):
        length = borders[place - 1]
        while length and wanted[place] != wanted[length]:
            length = borders[length - 1]
        borders[place] = length + (wanted[place] == wanted[length])
    return borders


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces: list[str] = []
    kept_to = 0
    for start, end in sorted(spans):
        if start >= kept_to:
            pieces.append(text[kept_to:start].replace(_CUT, ""))
        kept_to = max(kept_to, end)
    pieces.append(text[kept_to:].replace(_CUT, ""))
    lines = (_tidied(line) for line in _CUT.join(pieces).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(line for line in lines if line is not None)).strip()


def _tidied(line: str) -> str | None:
    """Return a line without its cuts; None where only punctuation is left of it, unless that fences code."""
    if _CUT not in line:
        return line
    if not any(map(str.isalnum, line)) and "```" not in line:
        return None
    for _ in range(2):  # ("moving otters")
        line = _ENCLOSED_CUT.sub(_CUT, line)
    line = _INDENTED_CUT.sub(r"\1", line)
    line = _CUT_BEFORE_MARK.sub("", line)
    return _CUT_BETWEEN.sub(" ", _CUT_AFTER_BRACKET.sub("", line))
