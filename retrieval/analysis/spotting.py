"""Where texts stand for some terms: what highlighting asks of many texts at once."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from retrieval.analysis.lexicon import MAX_CACHED_LENGTH, Lexicon, Spot, lexicon_of

MET_WORDS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class _Met:
    """Words met in texts, and for each term those that hold it. Only grows; a full one is left for an empty one.

    Threads share it without a lock: sets of strings are read and written in single steps of the interpreter, and a word
    is among `words` only once it stands under all its terms.
    """

    words: set[str] = field(default_factory=set)
    forms: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


class Spotters:
    """Makes spotters of one language, and remembers for them all which words hold which terms. Thread-safe."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._met = _Met()

    def spotter(self, wanted: Collection[str] | None = None) -> "Spotter":
        """Return what finds these terms; with None, every term."""
        if max(len(self._met.words), len(self._met.forms)) > MET_WORDS:
            self._met = _Met()
        return Spotter(self._lexicon, _Met() if wanted is None else self._met, wanted)


class Spotter:
    """Finds the stretches of texts that stand for wanted terms. Not thread-safe.

    A text is cut at white space, which no token spans, because that costs a tenth of matching the token pattern; only
    a word that holds a wanted term is looked at more closely.
    """

    def __init__(self, lexicon: Lexicon, met: _Met, wanted: Collection[str] | None) -> None:
        self._lexicon = lexicon
        self._met = met
        self._wanted = None if wanted is None else frozenset(wanted)
        # The term of a pair such as `xs 23` ends in its number.
        self._wants_pairs = wanted is None or any(term[-1].isdigit() for term in wanted)
        self._forms = [met.forms[term] for term in self._wanted or ()]  # what other spotters meet appears in these too
        self._spots: dict[str, list[Spot]] = {}

    def spots(self, text: str) -> list[Spot]:
        """Return every stretch, in no order; stretches may overlap."""
        words = set(text.split())
        new = words.difference(self._met.words)
        self._meet(new)
        found = [
            (place + start, place + end, term)
            for word in self._telling(words) | {word for word in new if len(word) > MAX_CACHED_LENGTH}
            for place in _places(word, text)
            for start, end, term in self._within(word)
        ]
        if self._wants_pairs:
            found += self._pairs(text)
        return found

    def _telling(self, words: Set[str]) -> Set[str]:
        return words if self._wanted is None else {word for forms in self._forms for word in words & forms}

    def _meet(self, words: Set[str]) -> None:
        for word in words:
            if len(word) <= MAX_CACHED_LENGTH:  # a longer one is looked at in every text
                for term in self._lexicon.word_terms(word):
                    self._met.forms[term].add(word)
                self._met.words.add(word)

    def _within(self, word: str) -> list[Spot]:
        if word not in self._spots:
            spots, wanted = self._lexicon.spots(word), self._wanted
            self._spots[word] = [spot for spot in spots if wanted is None or spot[2] in wanted]
        return self._spots[word]

    def _pairs(self, text: str) -> list[Spot]:
        pairs, wanted = self._lexicon.pairs(text), self._wanted
        spots = [(pair.start, pair.end, self._lexicon.pair_term(pair)) for pair in pairs]
        return [spot for spot in spots if wanted is None or spot[2] in wanted]


def _places(word: str, text: str) -> Iterator[int]:
    """Yield where a word stands in a text with white space, or nothing, on either side."""
    place = text.find(word)
    while place >= 0:
        end = place + len(word)
        if (place == 0 or text[place - 1].isspace()) and (end == len(text) or text[end].isspace()):
            yield place
        place = text.find(word, place + 1)


@cache
def spotters_of(language: str) -> Spotters:
    """Return the one maker of a language's spotters."""
    return Spotters(lexicon_of(language))
