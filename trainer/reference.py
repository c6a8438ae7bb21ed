"""The floor that every report carries: rank-bm25's Okapi over whole documents as plain lower-cased words.

It shares no line with Tandem's own analysis, chunks, weights or ranking, and so checks them independently.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from retrieval.types import Document

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
        texts: list[list[str]] = []
        for document in documents:
            self._ids.append(document.id)
            texts.append(words(f"{document.title}\n{document.text}"))
        self._bm25 = _okapi(texts)

    def rank(self, query: str, k: int) -> list[str]:
        """Return the ids of the k best documents that score above 0, best first, ties in the documents' order."""
        if self._bm25 is None:
            return []
        scores = np.asarray(self._bm25.get_scores(words(query)), dtype=np.float64)
        best = np.argsort(-scores, kind="stable")[:k]
        return [self._ids[place] for place in best if scores[place] > 0]


def _okapi(texts: list[list[str]]) -> "BM25Okapi | None":
    from rank_bm25 import BM25Okapi

    return BM25Okapi(texts) if any(texts) else None  # it divides by the number of distinct words
