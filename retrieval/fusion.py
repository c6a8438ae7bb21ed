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

from retrieval.stores.base import Candidate
from retrieval.types import FloatArray

PASSAGE_WEIGHTS = (1.0, 0.5, 0.25)
"""What a document's best, second and third passage count in a leg."""
FLOOR_OF_ONE, LEAST_FLOOR, MOST_FLOOR = 1.5, 0.3, 0.9
_TOTAL_WEIGHT = sum(PASSAGE_WEIGHTS)
RRF_K = 60
MIN_DEVIATION = 1e-6


Sizes = Mapping[int, int]
"""How many passages each document has."""


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


def observed_scale(scores: Sequence[float], points: int) -> Scale:
    """Return the scale of scores seen, every other of `points` chunks counted as 0: for a corpus without statistics."""
    total = max(points, len(scores), 1)
    mean = sum(scores) / total
    variance = sum(score * score for score in scores) / total - mean * mean
    return Scale(mean, max(math.sqrt(max(variance, 0.0)), MIN_DEVIATION))


@dataclass(frozen=True, slots=True)
class LegDocuments:
    """A leg's documents: `z` is each one's aggregated z-score, `floor` that of a document the leg did not return."""

    z: Mapping[int, float]
    floor: float

    def of(self, document: int) -> float:
        """The document's z-score in this leg."""
        return self.z.get(document, self.floor)


def keyword_documents(candidates: Iterable[Candidate], scale: Scale, sizes: Sizes) -> LegDocuments:
    """Aggregate a keyword leg; a document that shares no term with the query scored 0."""
    return LegDocuments(_aggregated(candidates, scale, sizes), scale.z(0.0))


def embedding_documents(candidates: Sequence[Candidate], scale: Scale, sizes: Sizes, *, is_cut: bool) -> LegDocuments:
    """Aggregate an embedding leg.

    With `is_cut`, the leg returned only its best candidates; a document without any lies somewhere between the average
    and the last one returned, and gets the middle.
    """
    floor = max(scale.z(candidates[-1].score), 0.0) / 2 if is_cut and candidates else 0.0
    return LegDocuments(_aggregated(candidates, scale, sizes), floor)


def _aggregated(candidates: Iterable[Candidate], scale: Scale, sizes: Sizes) -> dict[int, float]:
    """Return each document's weighted mean over its best passages; candidates come best first."""
    mean, deviation = scale.mean, scale.deviation
    passages: dict[int, list[float]] = {}
    for candidate in candidates:
        z = (candidate.score - mean) / deviation
        best = passages.get(candidate.document)
        if best is None:
            passages[candidate.document] = [z]
        elif len(best) < len(PASSAGE_WEIGHTS):
            best.append(z)
    return {document: aggregate(best, sizes.get(document, 1)) for document, best in passages.items()}


def aggregate(passages: Sequence[float], size: int) -> float:
    """Return the weighted mean of a document's best z-scores, best first, for a document of `size` passages.

    A passage that is poor or not there counts as a share of the best one: several good passages raise a document. The
    share falls with the document's size, 1.5 / sqrt(size) within .3 and .9, because the best of many passages is good
    by chance more easily than the best of two.
    """
    best = passages[0]
    floor = best * min(max(FLOOR_OF_ONE / math.sqrt(size), LEAST_FLOOR), MOST_FLOOR) if best > 0 else best
    total, present = 0.0, len(passages)
    for place, weight in enumerate(PASSAGE_WEIGHTS):
        total += weight * (passages[place] if place < present and passages[place] > floor else floor)
    return total / _TOTAL_WEIGHT


def convex(keyword: LegDocuments, embedding: LegDocuments, embedding_weight: float) -> dict[int, float]:
    """Return every document's weight * embedding z + (1 - weight) * keyword z."""
    share = 1 - embedding_weight
    return {
        document: embedding_weight * embedding.z.get(document, embedding.floor)
        + share * keyword.z.get(document, keyword.floor)
        for document in {**keyword.z, **embedding.z}
    }


def reciprocal_rank(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> dict[int, float]:
    """Return every item's sum of 1 / (k + rank) over the rankings that have it, ranks from 1."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    return scores


def ranked(scores: Mapping[int, float]) -> list[int]:
    """Return items by descending score, ties by ascending id."""
    return sorted(sorted(scores), key=scores.__getitem__, reverse=True)


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
