"""Fusing the rankings of two legs: pure functions over scores.

Both legs' scores are put on one scale by how unusual they are among all chunks of the corpus (z-scores), which needs
no judged query: for the embedding leg the mean and deviation of q.d follow from the corpus' mean vector and covariance,
for the keyword leg from each term's. Then a convex combination (Bruch, Gai and Ingber, "An Analysis of Fusion Functions
for Hybrid Retrieval", 2022, with z-scores in place of their min-max). Reciprocal rank fusion (Cormack, Clarke and
Buettcher, 2009) is there for comparison.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.stores.base import Candidates
from retrieval.types import FloatArray

PASSAGE_WEIGHTS = (1.0, 0.5, 0.25)
"""What a document's best, second and third passage count in a leg."""
FLOOR_OF_ONE, LEAST_FLOOR, MOST_FLOOR = 1.5, 0.3, 0.9
RRF_K = 60
MIN_DEVIATION = 1e-6

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many passages each document has: documents ascending, both of shape (n,). One not named has one passage."""

    documents: Rows
    passages: Rows

    @classmethod
    def of(cls, sizes: Mapping[int, int]) -> "Sizes":
        """Return sizes given by document."""
        documents = sorted(sizes)
        return cls(np.array(documents, np.int64), np.array([sizes[document] for document in documents], np.int64))

    def __len__(self) -> int:
        return len(self.documents)

    def at(self, documents: Rows) -> Rows:
        """Return the sizes of these documents."""
        places, known = _found(documents, self.documents)
        return np.where(known, self.passages[places], 1) if len(self) else np.ones(len(documents), np.int64)


def _found(items: Rows, among: Rows) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where items stand among others, which ascend, and whether they do."""
    places = np.minimum(np.searchsorted(among, items), max(len(among) - 1, 0))
    return places, among[places] == items if len(among) else np.zeros(len(items), bool)


@dataclass(frozen=True, slots=True)
class Scale:
    """The mean and standard deviation of one query's scores over all chunks of the corpus."""

    mean: float
    deviation: float

    def z(self, score: float) -> float:
        """How many deviations a score lies above the mean."""
        return (score - self.mean) / self.deviation


def embedding_scale(query: FloatArray, mean: FloatArray, covariance: FloatArray) -> Scale:
    """Return the scale of q.d for a query (d,) over vectors with this mean (d,) and covariance (d, d)."""
    variance = float(query @ covariance @ query)
    return Scale(float(query @ mean), max(math.sqrt(max(variance, 0.0)), MIN_DEVIATION))


def keyword_scale(means: FloatArray, variances: FloatArray) -> Scale:
    """Return the scale of a sum of term scores with these means and variances, the terms taken as independent."""
    return Scale(float(means.sum()), max(math.sqrt(max(float(variances.sum()), 0.0)), MIN_DEVIATION))


def observed_scale(scores: Scores, points: int) -> Scale:
    """Return the scale of scores seen, every other of `points` chunks counted as 0: for a corpus without statistics."""
    total = max(points, len(scores), 1)
    mean = float(scores.sum()) / total
    variance = float(scores @ scores) / total - mean * mean
    return Scale(mean, max(math.sqrt(max(variance, 0.0)), MIN_DEVIATION))


@dataclass(frozen=True, slots=True)
class LegDocuments:
    """A leg's documents: their rows, ascending, each one's aggregated z-score, both of shape (n,), and the floor: the
    z-score of a document that the leg did not return.
    """

    documents: Rows
    z: Scores
    floor: float

    def at(self, documents: Rows) -> Scores:
        """Return the z-scores of these documents."""
        places, known = _found(documents, self.documents)
        return np.where(known, self.z[places], self.floor) if len(self.z) else np.full(len(documents), self.floor)

    def ranks(self, documents: Rows) -> list[int]:
        """Return the rank that each of these documents has in the leg, or would have."""
        z = self.at(documents)[:, None]
        ahead = (self.z > z) | ((self.z == z) & (self.documents < documents[:, None]))
        ranks: list[int] = (ahead.sum(axis=1) + 1).tolist()
        return ranks


def keyword_documents(candidates: Candidates, scale: Scale, sizes: Sizes) -> LegDocuments:
    """Aggregate a keyword leg; a document that shares no term with the query scored 0."""
    return LegDocuments(*_aggregated(candidates, scale, sizes), scale.z(0.0))


def embedding_documents(candidates: Candidates, scale: Scale, sizes: Sizes, *, is_cut: bool) -> LegDocuments:
    """Aggregate an embedding leg.

    With `is_cut`, the leg returned only its best candidates; a document without any lies somewhere between the average
    and the last one returned, and gets the middle.
    """
    floor = max(scale.z(float(candidates.scores[-1])), 0.0) / 2 if is_cut and candidates else 0.0
    return LegDocuments(*_aggregated(candidates, scale, sizes), floor)


def _aggregated(candidates: Candidates, scale: Scale, sizes: Sizes) -> tuple[Rows, Scores]:
    """Return the documents, ascending, and the aggregate of each one's candidates."""
    order = np.argsort(candidates.documents, kind="stable")  # best first within a document
    documents = candidates.documents[order]
    is_best = np.ones(len(documents), bool)
    is_best[1:] = documents[1:] != documents[:-1]
    starts, row = np.flatnonzero(is_best), np.cumsum(is_best) - 1
    nth = np.arange(len(documents)) - starts[row]
    counts = nth < len(PASSAGE_WEIGHTS)
    passages = np.full((len(starts), len(PASSAGE_WEIGHTS)), -np.inf)
    passages[row[counts], nth[counts]] = (candidates.scores[order][counts] - scale.mean) / scale.deviation
    return documents[starts], aggregate(passages, sizes.at(documents[starts]))


def aggregate(passages: Scores, sizes: Rows) -> Scores:
    """Return the weighted mean of each document's three best z-scores, shape (n,).

    `passages` has shape (n, 3), best first, -inf for a passage that is not there; a document has `sizes` passages.

    A passage that is poor or not there counts as a share of the best one: several good passages raise a document. The
    share falls with the document's size, 1.5 / sqrt(size) within .3 and .9, because the best of many passages is good
    by chance more easily than the best of two.
    """
    best = passages[:, 0]
    shares = np.minimum(np.maximum(FLOOR_OF_ONE / np.sqrt(sizes), LEAST_FLOOR), MOST_FLOOR)
    floors = np.where(best > 0, best * shares, best)
    aggregates: Scores = np.maximum(passages, floors[:, None]) @ np.array(PASSAGE_WEIGHTS) / sum(PASSAGE_WEIGHTS)
    return aggregates


def convex(keyword: LegDocuments, embedding: LegDocuments, embedding_weight: float) -> tuple[Rows, Scores]:
    """Return the documents of both legs, and each one's weight * embedding z + (1 - weight) * keyword z."""
    documents = np.sort(np.concatenate([keyword.documents, embedding.documents]))
    documents = documents[np.append(True, documents[1:] != documents[:-1])] if len(documents) else documents
    return documents, embedding_weight * embedding.at(documents) + (1 - embedding_weight) * keyword.at(documents)


def reciprocal_rank(rankings: Sequence[Iterable[int]], k: int = RRF_K) -> tuple[Rows, Scores]:
    """Return every item and its sum of 1 / (k + rank) over the rankings that have it, ranks from 1."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    return np.array(list(scores), np.int64), np.array(list(scores.values()), np.float64)


def ranked(items: Rows, scores: Scores) -> dict[int, float]:
    """Return scores by item, in descending order, ties by ascending id."""
    order = np.lexsort((items, -scores))
    return dict(zip(items[order].tolist(), scores[order].tolist(), strict=True))


def term_moments(
    weights: FloatArray, idf: FloatArray, sums: FloatArray, squares: FloatArray, points: int
) -> tuple[FloatArray, FloatArray]:
    """Return the mean and variance over all `points` chunks of each query term's BM25 score.

    `weights` are the query's, `sums` and `squares` those of the stored weights and their squares; all of shape (t,).
    """
    factor = (weights * idf).astype(np.float64)
    means = factor * sums / points
    variances = factor**2 * squares / points - means**2
    return means.astype(np.float32), variances.astype(np.float32)
