"""Did you mean: known words and identifiers near a word that the corpus does not know. Nothing is ever replaced.

Distances are optimal string alignment (Damerau-Levenshtein without overlapping edits): an insertion, a deletion, a
substitution or a swap of neighbours costs 1.
"""

import math
from collections.abc import Container, Iterable, Mapping
from itertools import pairwise
from typing import Final

from retrieval.analysis import Analyzer, Word

Vocabulary = Mapping[str, int]
"""A corpus' words and identifiers as `Analyzer.words` gives them, and how often each occurs."""

MIN_LENGTH: Final = 3
"""Shorter words are never corrected: everything is near them."""
MAX_WORDS: Final = 32
"""Words of a query that are looked at: longer ones are pasted, and each unknown word costs milliseconds."""
MIN_HALF: Final = 3
"""Letters that each half of a split word has at least."""
_OTHER_FIRST_LETTER: Final = 0.5
_SAME_LETTERS: Final = -0.3
_SPLIT: Final = 1.5
_PER_DECADE: Final = 0.15
"""What ten times the frequency is worth, in edits; at most 0.9, so that frequency never outweighs one edit."""


def max_distance(word: str) -> int:
    """Return how many edits still make a suggestion: 1 up to five letters, 2 up to eleven, 3 beyond."""
    return 1 if len(word) <= 5 else 2 if len(word) <= 11 else 3


def suggest(word: str, vocabulary: Vocabulary | Iterable[tuple[str, int]], limit: int = 3) -> list[str]:
    """Return known words near an unknown one, the likeliest first; none for a known or a very short word.

    A word run together is suggested split ("todolist" -> "todo list"), and one with a space or hyphen joined. The word
    must be folded as `Analyzer.words` folds.
    """
    known = vocabulary if isinstance(vocabulary, Mapping) else dict(vocabulary)
    if word in known or len(word) < MIN_LENGTH or limit < 1:
        return []
    costs = _near(word, known) | _split(word, known) | _joined(word, known)
    return sorted(costs, key=lambda candidate: (costs[candidate], candidate))[:limit]


def did_you_mean(
    analyzer: Analyzer, query: str, *, vocabulary: Vocabulary, limit: int = 3
) -> dict[str, tuple[str, ...]]:
    """Return suggestions for each of a query's words that the corpus does not know, keyed by the text as typed.

    Two neighbouring words, one of them unknown, that are one known word together ("todo lists" for "todolists") are
    keyed by both.
    """
    words = analyzer.typed(query)[:MAX_WORDS]
    found: dict[str, tuple[str, ...]] = {}
    for first, second in pairwise(words):
        joined = first.text + second.text
        if joined in vocabulary and not (is_known(first, vocabulary) and is_known(second, vocabulary)):
            found[query[first.start : second.end]] = (joined,)
    for word in words:
        suggestions = () if is_known(word, vocabulary) else tuple(suggest(word.text, vocabulary, limit))
        if suggestions:
            found[query[word.start : word.end]] = suggestions
    return found


def is_known(word: Word, vocabulary: Container[str]) -> bool:
    """Tell whether a corpus knows a word, or every part of an identifier."""
    parts = [part for part in word.parts if not part.isdigit()]
    return word.text in vocabulary or (bool(parts) and all(part in vocabulary for part in parts))


def _near(word: str, known: Vocabulary) -> dict[str, float]:
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    within = process.extract(word, known.keys(), scorer=OSA.distance, score_cutoff=max_distance(word), limit=None)
    return {
        candidate: distance + _unlikeness(word, candidate) - _familiarity(known[candidate])
        for candidate, distance, _ in within
        if len(candidate) >= MIN_LENGTH
    }


def _unlikeness(word: str, candidate: str) -> float:
    """Fingers swap letters more often than they miss the first one."""
    swapped = _SAME_LETTERS if sorted(word) == sorted(candidate) else 0.0
    return swapped + _OTHER_FIRST_LETTER * (candidate[0] != word[0])


def _split(word: str, known: Vocabulary) -> dict[str, float]:
    halves = ((word[:cut], word[cut:]) for cut in range(MIN_HALF, len(word) - MIN_HALF + 1))
    return {
        f"{left} {right}": _SPLIT - _familiarity(min(known[left], known[right]))
        for left, right in halves
        if left in known and right in known
    }


def _joined(word: str, known: Vocabulary) -> dict[str, float]:
    joined = "".join(word.replace("-", " ").split())
    return {joined: -_familiarity(known[joined])} if joined != word and joined in known else {}


def _familiarity(count: int) -> float:
    return min(0.9, _PER_DECADE * math.log10(1 + max(0, count)))
