"""The passage around a match: the densest stretch of a text, its matches marked, safe to put into a page or a terminal.

Pure. The output, its marks, ellipses and escapes removed, is a stretch of the source, unchanged.
"""

import html
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.analysis import Analyzer

MAX_CHARS: Final = 300
ELLIPSIS: Final = "…"
SLACK: Final = 30
"""How far a cut moves inwards to reach the edge of a word."""
_REPEAT: Final = 0.1
"""What a further match of a term counts beside its first: many words beat one word many times."""

# What a terminal obeys instead of showing: C0 but tab and newline, DEL, C1, and the marks that reorder text.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FENCE: Final = re.compile(r"^[ \t]*(?:`{3,}[^\n`]*|~{3,}[^\n]*)(?:\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Markup:
    """How a match is set off, and what makes the text around it safe where it will be shown."""

    opening: str
    closing: str
    escape: Callable[[str], str]


def without_fences(text: str) -> str:
    """Leave out the lines that only open or close a block of code; what is in the block stays."""
    return _FENCE.sub("", text)


def printable(text: str) -> str:
    """Replace what a terminal would obey (escape sequences, direction marks) with a visible sign."""
    return _CONTROLS.sub("\ufffd", text)


HTML: Final = Markup("<mark>", "</mark>", html.escape)
BOLD: Final = Markup("\x1b[1m", "\x1b[22m", printable)
PLAIN: Final = Markup("", "", printable)


@dataclass(frozen=True, slots=True)
class Match:
    """text[start:end] stands for one term of the query, of this weight."""

    start: int
    end: int
    term: str
    weight: float


@dataclass(frozen=True, slots=True)
class Excerpt:
    """source[start:end], and the stretches within it to mark: ascending, apart, offsets into the source."""

    source: str
    start: int
    end: int
    marks: tuple[tuple[int, int], ...]

    def rendered(self, markup: Markup = HTML) -> str:
        """Return the excerpt as text, marked and escaped, with an ellipsis where the source goes on."""
        parts = [ELLIPSIS] if self.source[: self.start].strip() else []
        position = self.start
        for start, end in self.marks:
            parts.append(markup.escape(self.source[position:start]))
            parts += [markup.opening, markup.escape(self.source[start:end]), markup.closing]
            position = end
        parts.append(markup.escape(self.source[position : self.end]))
        if self.source[self.end :].strip():
            parts.append(ELLIPSIS)
        return "".join(parts)


class Highlighter:
    """Highlights texts for one query; many texts cost less with one highlighter. Not thread-safe.

    `terms` are index terms and their weights, as `Analyzer.query_terms` gives them.
    """

    def __init__(self, analyzer: Analyzer, terms: Mapping[str, float]) -> None:
        self._terms = terms
        self._spotter = analyzer.spotter(terms)

    def highlight(self, text: str, *, max_chars: int = MAX_CHARS, markup: Markup = HTML) -> str:
        """Return the passage of at most `max_chars` characters of the text that matches best, rendered.

        Marks, escapes and ellipses come on top of `max_chars`.
        """
        return self.excerpt(text, max_chars=max_chars).rendered(markup)

    def excerpt(self, text: str, *, max_chars: int = MAX_CHARS) -> Excerpt:
        """Find the window with the greatest weight of distinct terms; the text's beginning where nothing matches."""
        found = self._matches(text)
        start, end = _window(text, _densest(found, max_chars), max_chars)
        return Excerpt(text, start, end, _marks(found, start, end))

    def _matches(self, text: str) -> list[Match]:
        """List the stretches of a text that stand for one of the terms, by ascending start."""
        found = [Match(start, end, term, self._terms[term]) for start, end, term in self._spotter.spots(text)]
        return sorted(found, key=lambda match: (match.start, match.end))


def _densest(found: Sequence[Match], max_chars: int) -> tuple[int, int]:
    """Return the stretch from first to last match of the best window, the earliest of equals; two pointers, linear."""
    best, best_value = (0, 0), 0.0
    inside: Counter[str] = Counter()
    value, left = 0.0, 0
    for match in found:
        value += match.weight * (_REPEAT if inside[match.term] else 1.0)
        inside[match.term] += 1
        while match.end - found[left].start > max_chars and found[left] is not match:
            gone = found[left]
            inside[gone.term] -= 1
            value -= gone.weight * (_REPEAT if inside[gone.term] else 1.0)
            left += 1
        if value > best_value + 1e-9:
            best, best_value = (found[left].start, match.end), value
    return best


def _window(text: str, core: tuple[int, int], max_chars: int) -> tuple[int, int]:
    """Widen a stretch to `max_chars`, a third of the room before it and the rest after, and cut at words."""
    core_start, core_end = core[0], min(core[1], core[0] + max_chars)
    room = max_chars - (core_end - core_start)
    start = max(0, core_start - room // 3)
    end = min(len(text), start + max_chars)
    start = max(0, min(start, end - max_chars))
    start, end = _start_of_word(text, start, core_start), _end_of_word(text, end, core_end)
    while start < core_start and text[start].isspace():
        start += 1
    while end > max(core_end, start) and text[end - 1].isspace():
        end -= 1
    return start, end


def _start_of_word(text: str, start: int, limit: int) -> int:
    if start == 0 or text[start - 1].isspace():
        return start
    for position in range(start, min(limit, start + SLACK)):
        if text[position].isspace():
            return position
    return limit if start < limit <= start + SLACK else start


def _end_of_word(text: str, end: int, limit: int) -> int:
    if end == len(text) or text[end].isspace():
        return end
    for position in range(end, max(limit, end - SLACK), -1):
        if text[position - 1].isspace():
            return position
    return limit if end - SLACK <= limit < end else end


def _marks(found: Sequence[Match], start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Unite overlapping matches and cut them to the window."""
    united: list[tuple[int, int]] = []
    for match in found:
        left, right = max(match.start, start), min(match.end, end)
        if left >= right:
            continue
        if united and left <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], right))
        else:
            united.append((left, right))
    return tuple(united)
