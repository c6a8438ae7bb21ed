"""The floor that every report carries: rank-bm25's Okapi over whole documents as plain lower-cased words.

It shares no line with Tandem's own analysis, chunks, weights or ranking, and so checks them independently.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Document
from trainer.known_items import masked

if TYPE_CHECKING:
    from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]  # it ships no types

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the text's words in lower case, neither stemmed nor stopped."""
    return _WORD.findall(text.lower())


class ReferenceBm25:
    """BM25 as rank-bm25 computes it with its own defaults (k1 1.5, b 0.75)."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._ids: list[str] = []
        self._texts: list[str] = []
        for document in documents:
            self._ids.append(document.id)
            self._texts.append(f"{document.title}\n{document.text}")
        self._places = {document: place for place, document in enumerate(self._ids)}
        self._okapi = _okapi([words(text) for text in self._texts])
        self._postings = _Postings(self._okapi) if self._okapi else None

    def rank(self, query: str, k: int, masks: Mapping[str, Sequence[str]] | None = None) -> list[str]:
        """Return the ids of the k best documents that score above 0, best first, ties in the documents' order.

        `masks` are strings to leave out of documents, by their id.
        """
        if self._okapi is None or self._postings is None:
            return []
        asked = words(query)
        scores = self._postings.scores(asked)
        for document, strings in (masks or {}).items():
            if document in self._places:
                place = self._places[document]
                scores[place] = _score(self._okapi, asked, words(masked(self._texts[place], strings)))
        best = np.argsort(-scores, kind="stable")[:k]
        return [self._ids[place] for place in best if scores[place] > 0]


class _Postings:
    """rank-bm25's scores without asking every document for every word: its own frequencies and IDF, word by word."""

    def __init__(self, okapi: "BM25Okapi") -> None:
        self._okapi = okapi
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._counts: defaultdict[str, list[int]] = defaultdict(list)
        for place, frequencies in enumerate(okapi.doc_freqs):
            for word, count in frequencies.items():
                self._places[word].append(place)
                self._counts[word].append(count)
        lengths = np.asarray(okapi.doc_len, dtype=np.float64)
        self._norms = okapi.k1 * (1 - okapi.b + okapi.b * lengths / okapi.avgdl)

    def scores(self, query: Sequence[str]) -> NDArray[np.float64]:
        """Return what `BM25Okapi.get_scores` does."""
        scores = np.zeros(len(self._norms))
        for word in query:
            if word in self._places:
                places, counts = np.array(self._places[word]), np.array(self._counts[word], dtype=np.float64)
                idf = self._okapi.idf.get(word) or 0
                scores[places] += idf * (counts * (self._okapi.k1 + 1) / (counts + self._norms[places]))
        return scores


def _score(okapi: "BM25Okapi", query: Sequence[str], text: Sequence[str]) -> float:
    """Score a text that is none of the documents as rank-bm25 scores these."""
    counts = Counter(text)
    norm = okapi.k1 * (1 - okapi.b + okapi.b * len(text) / okapi.avgdl)
    return float(
        sum((okapi.idf.get(word) or 0) * counts[word] * (okapi.k1 + 1) / (counts[word] + norm) for word in query)
    )


def _okapi(texts: list[list[str]]) -> "BM25Okapi | None":
    from rank_bm25 import BM25Okapi

    return BM25Okapi(texts) if any(texts) else None  # it divides by the number of distinct words
