"""The analyzer: the one way from text to index terms, for documents, queries and highlights alike."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from retrieval.analysis.identifiers import Identifier
from retrieval.analysis.lexicon import SECONDARY_WEIGHT, lexicon_of
from retrieval.analysis.pieces import Role
from retrieval.analysis.spotting import Spotter, spotters_of
from retrieval.analysis.stems import STEMMER_VERSION, stemmer
from retrieval.analysis.tokens import is_unspaced, located, surfaces
from retrieval.analysis.words import Word

ANALYZER_VERSION: Final = f"1+{STEMMER_VERSION}"
"""Recorded with an index: terms of two versions must not meet."""


@dataclass(frozen=True, slots=True)
class Analyzer:
    """Turns text into index terms; cheap to construct, thread-safe, and never fails on any text.

    `language` is one of LANGUAGES; another raises UsageError.
    """

    language: str = "english"

    def __post_init__(self) -> None:
        stemmer(self.language)

    def terms(self, text: str) -> Counter[str]:
        """Count a document's terms: a word counts once, an identifier once for itself and for each of its parts."""
        lexicon = lexicon_of(self.language)
        counts = Counter(lexicon.terms(surfaces(text)))
        counts.update(lexicon.pair_term(pair) for pair in lexicon.pairs(text))
        return counts

    def query_terms(self, text: str) -> Mapping[str, float]:
        """Weigh a query's terms; stop words are left out unless there is nothing else."""
        lexicon = lexicon_of(self.language)
        weights: dict[str, float] = {}
        dropped: dict[str, float] = {}
        for _, token in located(text):
            for asked in lexicon.asked(token):
                target = dropped if asked.is_dispensable else weights
                target[asked.term] = target.get(asked.term, 0.0) + asked.weight
        for pair in lexicon.pairs(text):
            weights.setdefault(lexicon.pair_term(pair), SECONDARY_WEIGHT)
        return weights or dropped

    def identifiers(self, text: str) -> tuple[Identifier, ...]:
        """Return a query's code-shaped tokens in order, each once, and then word-number pairs like `xs 23`."""
        lexicon = lexicon_of(self.language)
        found: dict[str, Identifier] = {}
        for start, token in located(text):
            # The token pattern leaves out the slash of /etc/passwd.
            is_rooted = start > 0 and text[start - 1] == "/" and "/" in token
            for identifier in lexicon.identifiers(token, is_rooted=is_rooted):
                found.setdefault(identifier.term, identifier)
        for pair in lexicon.pairs(text):
            is_coded = pair.word.isupper() and len(pair.word) > 1
            identifier = Identifier(text[pair.start : pair.end], (lexicon.pair_term(pair),), is_coded)
            found.setdefault(identifier.term, identifier)
        return tuple(found.values())

    def words(self, text: str) -> list[str]:
        """List a text's words, identifiers and their parts, folded but not stemmed, for the spelling vocabulary."""
        return list(lexicon_of(self.language).words(surfaces(text)))

    def typed(self, text: str) -> list[Word]:
        """List a query's tokens that a vocabulary could know; stop words, numbers and unspaced scripts are left out."""
        lexicon = lexicon_of(self.language)
        words: list[Word] = []
        for start, token in located(text):
            found = lexicon.pieces(token)
            if not found or is_unspaced(token) or lexicon.is_stopword(token) or not any(map(str.isalpha, token)):
                continue
            parts = tuple(piece.plain for piece in found if piece.role is Role.PART)
            words.append(Word(found[0].plain, start, start + len(token), parts))
        return words

    def spotter(self, wanted: Collection[str] | None = None) -> Spotter:
        """Return what finds the stretches of texts that stand for these terms; by default for any."""
        return spotters_of(self.language).spotter(wanted)
