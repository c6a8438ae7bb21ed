"""What is remembered of a language: stems, stop words, and the pieces of tokens seen before."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Final

from retrieval.analysis.folding import fold, fold_case
from retrieval.analysis.identifiers import Identifier, is_code_shaped, is_strong
from retrieval.analysis.pieces import Piece, Role, pieces, unspaced_terms
from retrieval.analysis.stems import stemmer
from retrieval.analysis.stopwords import stopwords
from retrieval.analysis.tokens import Pair, is_unspaced, located, pairs

Spot = tuple[int, int, str]
"""(start, end, term): text[start:end] stands for this index term."""

CACHED_TOKENS: Final = 1 << 16
CACHED_ASKED: Final = 1 << 13
"""Tokens of queries, remembered apart: what documents hold would push them out."""
MAX_CACHED_LENGTH: Final = 80

_OPENS: Final = "([{\"'"
_CLOSES: Final = ")]}\"'.,;:!?"
"""What may stand before and after a word without being of its token."""

SECONDARY_WEIGHT: Final = 0.5
"""Query weight beside a word's 1.0: of an identifier's parts and suffixes, a hyphenation's joined form, a pair."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A term of a query and its weight; a dispensable one (a stop word) is left out where another term is there."""

    term: str
    weight: float
    is_dispensable: bool


class Lexicon:
    """A language's memory; bounded, and shared by all threads."""

    def __init__(self, language: str) -> None:
        self._stem = stemmer(language)
        self._stopwords = stopwords(language)
        self._plain_stopwords = frozenset(map(fold, self._stopwords))
        self._cached_pieces: Callable[[str], tuple[Piece, ...]] = lru_cache(CACHED_TOKENS)(self._pieces)
        self._cached_asked: Callable[[str], tuple[Asked, ...]] = lru_cache(CACHED_ASKED)(self._asked)
        self._cached_identifiers: Callable[[str, bool], tuple[Identifier, ...]] = lru_cache(CACHED_ASKED)(
            self._identifiers
        )
        self._cached_terms: Callable[[str], tuple[str, ...]] = lru_cache(CACHED_TOKENS)(self._terms)
        self._cached_words: Callable[[str], tuple[str, ...]] = lru_cache(CACHED_TOKENS)(self._words)

    def _pieces(self, token: str) -> tuple[Piece, ...]:
        return pieces(token, self._stem)

    def _terms(self, token: str) -> tuple[str, ...]:
        if is_unspaced(token):
            return unspaced_terms(token)
        return tuple(piece.term for piece in pieces(token, self._stem))

    def _words(self, token: str) -> tuple[str, ...]:
        found = () if is_unspaced(token) else pieces(token, self._stem)
        return tuple(piece.plain for piece in found if not piece.plain.isdigit())

    def pieces(self, token: str) -> tuple[Piece, ...]:
        return self._cached_pieces(token) if len(token) <= MAX_CACHED_LENGTH else self._pieces(token)

    def terms(self, tokens: list[str]) -> Iterator[str]:
        """Yield the terms of each token."""
        return chain.from_iterable(map(self._cached_terms if _are_short(tokens) else self.terms_of, tokens))

    def words(self, tokens: list[str]) -> Iterator[str]:
        """Yield the words that a vocabulary keeps of each token: folded but not stemmed, without bare numbers."""
        return chain.from_iterable(map(self._cached_words if _are_short(tokens) else self._words, tokens))

    def terms_of(self, token: str) -> tuple[str, ...]:
        """Return the terms of one token."""
        return self._cached_terms(token) if len(token) <= MAX_CACHED_LENGTH else self._terms(token)

    def word_terms(self, word: str) -> Collection[str]:
        """Return the terms that stand in a stretch of text without white space."""
        core = word.lstrip(_OPENS).rstrip(_CLOSES)
        if core.isascii() and core.isalpha():  # most words: one token, and no need to match its pattern
            return self.terms_of(core)
        return {term for _, _, term in self.spots(word)}

    def spots(self, word: str) -> list[Spot]:
        """Return what stands for a term in a stretch of text without white space."""
        found = ((start, piece) for start, token in located(word) for piece in self.pieces(token))
        return [(start + piece.start, start + piece.end, piece.term) for start, piece in found]

    def is_stopword(self, token: str) -> bool:
        return fold_case(token) in self._stopwords

    def pairs(self, text: str) -> Iterator[Pair]:
        return (pair for pair in pairs(text) if not self.is_stopword(pair.word))

    @staticmethod
    def pair_term(pair: Pair) -> str:
        return fold_case(pair.word + pair.number)

    def asked(self, token: str) -> tuple[Asked, ...]:
        """Return what a query asks for with a token: of an unspaced run the bigrams, or its one character."""
        return self._cached_asked(token) if len(token) <= MAX_CACHED_LENGTH else self._asked(token)

    def _asked(self, token: str) -> tuple[Asked, ...]:
        found = self.pieces(token)
        if is_unspaced(token):
            bigrams = [piece for piece in found if piece.role is Role.WHOLE]
            return tuple([Asked(piece.term, 1.0, is_dispensable=False) for piece in bigrams or found])
        # The parts of user_id are a hint beside the name; those of well-known are the words, and the whole is a hint.
        primary = Role.WHOLE if is_strong(token) or len(found) == 1 else Role.PART
        is_stopword = self.is_stopword(token)
        return tuple(
            Asked(
                piece.term,
                1.0 if piece.role is primary else SECONDARY_WEIGHT,
                is_dispensable=is_stopword or piece.plain in self._plain_stopwords,
            )
            for piece in found
        )

    def identifiers(self, token: str, *, is_rooted: bool) -> tuple[Identifier, ...]:
        """Return a token as an identifier, or the strong parts of one that is not (the p53 of p53-dependent)."""
        find = self._cached_identifiers if len(token) <= MAX_CACHED_LENGTH else self._identifiers
        return find(token, is_rooted)

    def _identifiers(self, token: str, is_rooted: bool) -> tuple[Identifier, ...]:  # lru_cache is quicker so
        names = self._names(token)
        if not names or is_unspaced(token):
            return ()
        if is_rooted or is_strong(token):
            return (Identifier(token, names, strong=True),)
        whole = (Identifier(token, names, strong=False),) if is_code_shaped(token) else ()
        parts = ((piece, token[piece.start : piece.end]) for piece in self.pieces(token)[1:])
        return (*whole, *(Identifier(part, (piece.term,), strong=True) for piece, part in parts if is_strong(part)))

    def _names(self, token: str) -> tuple[str, ...]:
        """Return the term of the whole token, then of those suffixes that are identifiers themselves."""
        found = self.pieces(token)
        suffixes = (piece for piece in found[1:] if piece.role is Role.SUFFIX)
        strong = (piece.term for piece in suffixes if is_strong(token[piece.start : piece.end]))
        return tuple(dict.fromkeys([*(piece.term for piece in found[:1]), *strong]))


def _are_short(tokens: list[str]) -> bool:
    # Asking for the longest once is cheaper than asking each token's length in Python, by a factor of two.
    return max(map(len, tokens), default=0) <= MAX_CACHED_LENGTH


@cache
def lexicon_of(language: str) -> Lexicon:
    return Lexicon(language)
