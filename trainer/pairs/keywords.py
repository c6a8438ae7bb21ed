"""Long queries as people shorten them: the few words that tell most."""

from collections.abc import Callable, Container
from typing import Final

from retrieval.analysis import Analyzer
from trainer.known_items.words import Words

LONG: Final = 8
"""Queries of more words than this have a variant."""
FEWEST, MOST = 3, 5

Idf = Callable[[str], float]
"""From a text to how much its rarest term tells in a corpus: 0 for words that the corpus does not have."""


class Shortener:
    """Picks the words of long queries."""

    def __init__(self, language: str, idf: Idf) -> None:
        """Take the language of the collection, and what its words tell there."""
        self._analyzer = Analyzer(language)
        self._words = Words(language)
        self._idf = idf

    def keywords_of(self, query: str, passage: Container[str]) -> str | None:
        """Return the 3 to 5 most telling words of a long query, as written and in order; None where there are none.

        Only words count that stand in the passage, whose index terms are given, and not those that any title has.
        """
        length = len(query.split())
        if length <= LONG:
            return None
        words = {word.text: word for word in reversed(self._analyzer.typed(query))}  # where each stands first
        told = {text: self._told(query[word.start : word.end], passage) for text, word in words.items()}
        best = sorted((text for text in told if told[text] > 0), key=lambda text: -told[text])
        chosen = sorted(
            (words[text] for text in best[: max(FEWEST, min(MOST, length // 2))]), key=lambda word: word.start
        )
        return " ".join(query[word.start : word.end] for word in chosen) if len(chosen) >= FEWEST else None

    def _told(self, word: str, passage: Container[str]) -> float:
        terms = self._words.informative(word, of_section=False) if len(word) > 1 else frozenset()
        return self._idf(word) if any(term in passage for term in terms) else 0.0
