"""The consistency check: a passage that neither leg finds for its query among the first is not its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.types import FloatArray
from trainer.pairs.corpus import Asked, Corpus

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # SciPy has no types

Ranks = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Positives:
    """The passages that queries want, masked, as both legs see them: unit vectors (m, d), BM25 weights with IDF (m, t).

    `groups` are the numbers of their documents' groups in the corpus.
    """

    texts: Sequence[str]
    vectors: FloatArray
    keywords: "csr_matrix"
    groups: NDArray[np.int64]

    def liked(self, asked: Asked) -> FloatArray:
        """Return how similar the base finds each query and its passage, shape (m,)."""
        return np.asarray(np.einsum("md,md->m", asked.vectors, self.vectors), np.float32)

    def matched(self, asked: Asked) -> FloatArray:
        """Return each passage's BM25 score for its query, shape (m,)."""
        return np.asarray(asked.terms.multiply(self.keywords).sum(axis=1), np.float32).ravel()


def best_ranks(corpus: Corpus, asked: Asked, positives: Positives) -> Ranks:
    """Return at which rank the better leg has each query's passage, shape (m,), chunks of its own group aside.

    A passage that shares no term with its query has no rank by keywords.
    """
    nowhere = len(corpus.texts) + 1
    best = np.full(len(positives.texts), nowhere, np.int64)
    by_embedding = positives.liked(asked)
    by_keyword = positives.matched(asked)
    for scores in corpus.scores(asked):
        rows = slice(scores.start, scores.start + len(scores.embedding))
        others = corpus.groups[None, :] != positives.groups[rows, None]
        embedding = _ranks(scores.embedding, by_embedding[rows], others)
        keyword = np.where(by_keyword[rows] > 0, _ranks(scores.keyword, by_keyword[rows], others), nowhere)
        best[rows] = np.minimum(embedding, keyword)
    return best


def _ranks(scores: FloatArray, own: NDArray[np.floating], others: NDArray[np.bool_]) -> Ranks:
    above: Ranks = ((scores > own[:, None]) & others).sum(axis=1)
    return above + 1
