"""Where texts stand for some terms: what highlighting asks of many texts at once."""

from collections.abc import Container

from retrieval.analysis.lexicon import Lexicon
from retrieval.analysis.tokens import located

Spot = tuple[int, int, str]
"""(start, end, term): text[start:end] stands for this index term."""


class Spotter:
    """Finds the stretches of texts that stand for wanted terms; remembers which tokens do. Not thread-safe."""

    def __init__(self, lexicon: Lexicon, wanted: Container[str] | None = None) -> None:
        """With `wanted` None, every term is."""
        self._lexicon = lexicon
        self._wanted = wanted
        self._known: dict[str, tuple[Spot, ...]] = {}

    def spots(self, text: str) -> list[Spot]:
        """Return every stretch, token by token and then word-number pairs; stretches may overlap."""
        known = self._known
        found: list[Spot] = []
        for offset, token in located(text):
            within = known.get(token)
            if within is None:
                within = known[token] = self._within(token)
            if within:  # most tokens stand for nothing wanted
                found += [(offset + start, offset + end, term) for start, end, term in within]
        for pair in self._lexicon.pairs(text):
            term = self._lexicon.pair_term(pair)
            if self._is_wanted(term):
                found.append((pair.start, pair.end, term))
        return found

    def _within(self, token: str) -> tuple[Spot, ...]:
        pieces = self._lexicon.pieces(token)
        return tuple((piece.start, piece.end, piece.term) for piece in pieces if self._is_wanted(piece.term))

    def _is_wanted(self, term: str) -> bool:
        return self._wanted is None or term in self._wanted
