"""Completions while somebody types: titles, headings, and the words and identifiers of a collection.

Everything is looked up by its folded beginning, titles and headings also by the beginning of each of their words. What
is returned is text, as documents have it: whoever shows it escapes it.
"""

import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, zip_longest
from typing import Final

import numpy as np

from retrieval.analysis.folding import fold
from retrieval.spelling import suggest
from retrieval.types import FloatArray

MAX_PREFIX_CHARS: Final = 200
MAX_CHARS: Final = 120
"""Longer titles and headings are no completions."""
MIN_MISSPELT: Final = 4
"""Letters of a word from which on a slip is looked for."""
_WORDS_OF_A_NAME: Final = 12
_KEY_CHARS: Final = 64
_LAST_WORD: Final = re.compile(r"\S+\Z")
_WORD_STARTS: Final = re.compile(r"(?<![^\W_])[^\W_]")
_SPACE: Final = re.compile(r"\s+")
_END: Final = "\U0010ffff"


class CompletionKind(StrEnum):
    """What a completion is."""

    TITLE = "title"
    HEADING = "heading"
    WORD = "word"
    SPELLING = "spelling"
    """The last word put right: nothing begins as it was typed."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What could be searched instead of what is typed, and in how many documents (for words, passages) it stands."""

    text: str
    kind: CompletionKind
    count: int


class _Sorted:
    """Texts by the keys they are found under, each with what it is worth."""

    def __init__(self, keyed: Iterable[tuple[str, int]], worth: Sequence[float]) -> None:
        rows = sorted(keyed)
        self._keys = [key for key, _ in rows]
        self._items = np.array([item for _, item in rows], np.int64)
        self._worth: FloatArray = np.array([worth[item] for _, item in rows], np.float32)

    def best(self, prefix: str, limit: int) -> list[int]:
        """Return the items whose key begins so, the worthiest first."""
        start, end = bisect_left(self._keys, prefix), bisect_left(self._keys, prefix + _END)
        worth = self._worth[start:end]
        if len(worth) > 4 * limit:
            start_of_best = np.argpartition(-worth, 4 * limit)[: 4 * limit]  # an item may be there under several keys
        else:
            start_of_best = np.arange(len(worth))
        order = start_of_best[np.lexsort((start_of_best, -worth[start_of_best]))]
        return list(dict.fromkeys(self._items[start + order].tolist()))[:limit]


class _Names:
    """Titles or headings, found by how they begin and by how each of their words does."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        tidy = {_SPACE.sub(" ", name).strip(): count for name, count in counts.items()}
        self.names = [name for name in tidy if 0 < len(name) <= MAX_CHARS]
        self.counts = [tidy[name] for name in self.names]
        folded = [fold(name) for name in self.names]
        worth = [
            float(np.log1p(count)) - len(name) / MAX_CHARS for name, count in zip(folded, self.counts, strict=True)
        ]
        self._beginnings = _Sorted(((name[:_KEY_CHARS], place) for place, name in enumerate(folded)), worth)
        inner = ((key, place) for place, name in enumerate(folded) for key in _inner_keys(name))
        self._inside = _Sorted(inner, worth)

    def beginning(self, prefix: str, limit: int) -> list[int]:
        return self._beginnings.best(prefix, limit)

    def having(self, prefix: str, limit: int) -> list[int]:
        return self._inside.best(prefix, limit)


def _inner_keys(name: str) -> Iterator[str]:
    starts = (found.start() for found in _WORD_STARTS.finditer(name))
    return (name[start : start + _KEY_CHARS] for start in islice(starts, _WORDS_OF_A_NAME) if start)


class Completions:
    """All that a collection could complete; made once, read from any thread."""

    def __init__(
        self,
        titles: Mapping[str, int],
        headings: Mapping[str, int],
        vocabulary: Mapping[str, int],
        *,
        stopwords: Container[str] = (),
    ) -> None:
        """Take all of them with how often they occur; `stopwords`, folded, complete nothing."""
        self._titles = _Names(titles)
        self._headings = _Names({name: count for name, count in headings.items() if name not in titles})
        self._vocabulary = vocabulary
        self._words = [word for word in vocabulary if word not in stopwords]
        worth = [float(np.log1p(vocabulary[word])) - len(word) / MAX_CHARS for word in self._words]
        self._by_word = _Sorted(((word, place) for place, word in enumerate(self._words)), worth)

    def of(self, prefix: str, limit: int) -> list[Completion]:
        """Return what a prefix may become: first a title that begins so, then by turns words and names that have it."""
        typed = _SPACE.sub(" ", prefix[:MAX_PREFIX_CHARS]).lstrip()
        folded = fold(typed)[:_KEY_CHARS]
        if not folded.strip():
            return []
        titles = self._named(self._titles, CompletionKind.TITLE, self._titles.beginning(folded, limit))
        within = self._named(self._titles, CompletionKind.TITLE, self._titles.having(folded, limit))
        headings = [
            *self._named(self._headings, CompletionKind.HEADING, self._headings.beginning(folded, limit)),
            *self._named(self._headings, CompletionKind.HEADING, self._headings.having(folded, limit)),
        ]
        by_turns = zip_longest(titles, self._last_word(typed, limit), within, headings)
        found: dict[str, Completion] = {}
        for one in (one for turn in by_turns for one in turn if one):
            found.setdefault(fold(one.text), one)
        found.pop(folded.strip(), None)  # it is typed already
        return list(found.values())[:limit]

    def _named(self, names: _Names, kind: CompletionKind, places: Iterable[int]) -> list[Completion]:
        return [Completion(names.names[place], kind, names.counts[place]) for place in places]

    def _last_word(self, typed: str, limit: int) -> list[Completion]:
        """Return the query with its last word completed; put right, where no word begins so."""
        if not (last := _LAST_WORD.search(typed)):
            return []
        before, word = typed[: last.start()], fold(last.group())
        places = self._by_word.best(word, limit)
        if places:
            known = (self._words[place] for place in places)
            return [Completion(before + text, CompletionKind.WORD, self._vocabulary[text]) for text in known]
        if len(word) < MIN_MISSPELT:
            return []
        likely = suggest(word, self._vocabulary, 2)
        return [Completion(before + text, CompletionKind.SPELLING, self._vocabulary.get(text, 0)) for text in likely]
