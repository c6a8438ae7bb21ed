"""Where texts stand for some terms: what highlighting asks of many texts at once."""

from collections.abc import Collection

from retrieval.analysis.lexicon import Lexicon
from retrieval.analysis.tokens import matched

Spot = tuple[int, int, str]
"""(start, end, term): text[start:end] stands for this index term."""


class Spotter:
    """Finds the stretches of texts that stand for wanted terms; remembers which tokens do. Not thread-safe."""

    def __init__(self, lexicon: Lexicon, wanted: Collection[str] | None = None) -> None:
        """With `wanted` None, every term is."""
        self._lexicon = lexicon
        self._wanted = wanted
        # The term of a pair such as `xs 23` ends in its number.
        self._wants_pairs = wanted is None or any(term[-1].isdigit() for term in wanted)
        self._known: dict[str, tuple[Spot, ...]] = {}

    def spots(self, text: str) -> list[Spot]:
        """Return every stretch, token by token and then word-number pairs; stretches may overlap."""
        known = self._known
        found: list[Spot] = []
        for match in matched(text):
            token = match.group()
            within = known.get(token)
            if within is None:
                within = known[token] = self._within(token)
            if within:  # most tokens stand for nothing wanted
                offset = match.start()
                found += [(offset + start, offset + end, term) for start, end, term in within]
        if self._wants_pairs:
            found += self._pairs(text)
        return found

    def _within(self, token: str) -> tuple[Spot, ...]:
        pieces, wanted = self._lexicon.pieces(token), self._wanted
        if wanted is not None and len(pieces) == 1 and pieces[0].term not in wanted:
            return ()
        return tuple([(p.start, p.end, p.term) for p in pieces if wanted is None or p.term in wanted])

    def _pairs(self, text: str) -> list[Spot]:
        pairs, wanted = self._lexicon.pairs(text), self._wanted
        spots = [(pair.start, pair.end, self._lexicon.pair_term(pair)) for pair in pairs]
        return [spot for spot in spots if wanted is None or spot[2] in wanted]
