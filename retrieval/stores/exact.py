"""Exact scores of both legs over segments: plain functions, one entry a segment in what they take and return."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.stores.base import Candidates, EmbeddingLeg, KeywordLeg
from retrieval.stores.segment import Segment, unit
from retrieval.types import FloatArray

Mask = NDArray[np.bool_]

_NO_IDS = np.empty(0, np.int64)
_NO_SCORES = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class Scored:
    """A segment's rows that are candidates, and the scores of all its rows."""

    candidates: Mask
    scores: FloatArray

    def within(self, allowed: Mask) -> "Scored":
        """Keep only the candidates among the rows allowed."""
        return Scored(self.candidates & allowed, self.scores)


def idf(points: int, frequency: int) -> float:
    """Return the inverse document frequency of a term that `frequency` of `points` points have."""
    return math.log(1 + (points - frequency + 0.5) / (frequency + 0.5))


def keyword_scores(segments: Sequence[Segment], leg: KeywordLeg) -> list[Scored]:
    """Score by query weight, stored weight and IDF over living points; candidates share a term."""
    parts = [Scored(np.zeros(len(s.points), np.bool_), np.zeros(len(s.points), np.float32)) for s in segments]
    total = sum(int(segment.alive.sum()) for segment in segments)
    for term, weight in zip(leg.terms.indices.tolist(), leg.terms.values.tolist(), strict=True):
        postings = [segment.postings.of_term(term) for segment in segments]
        frequency = sum(int(s.alive[rows].sum()) for s, (rows, _) in zip(segments, postings, strict=True))
        factor = np.float32(weight * idf(total, frequency))
        for part, (rows, weights) in zip(parts, postings, strict=True):
            part.scores[rows] += factor * weights
            part.candidates[rows] = True
    return parts


def embedding_scores(segments: Sequence[Segment], legs: Sequence[EmbeddingLeg]) -> list[list[Scored]]:
    """Score legs of one vector name by cosine, as one product; per leg, candidates are the rows with the vector."""
    queries = unit(np.asarray([leg.vector for leg in legs], np.float32))
    parts: list[list[Scored]] = [[] for _ in legs]
    for segment in segments:
        dense = segment.dense.get(legs[0].name)
        if dense is None:
            count = len(segment.points)
            candidates, scores = np.zeros(count, np.bool_), np.zeros((len(legs), count), np.float32)
        else:
            candidates, scores = dense.present, queries @ dense.matrix.T
        for found, row in zip(parts, scores, strict=True):
            found.append(Scored(candidates, row))
    return parts


def best(segments: Sequence[Segment], parts: Sequence[Scored], limit: int) -> Candidates:
    """Return the best candidates of all segments, by score and then by id."""
    kept = [(segment, _top(part, limit), part.scores) for segment, part in zip(segments, parts, strict=True)]
    ids = np.concatenate([segment.ids[rows] for segment, rows, _ in kept] or [_NO_IDS])
    documents = np.concatenate([segment.documents[rows] for segment, rows, _ in kept] or [_NO_IDS])
    scores = np.concatenate([scores[rows] for _, rows, scores in kept] or [_NO_SCORES])
    order = np.lexsort((ids, -scores))[: max(0, limit)]
    return Candidates(ids[order], documents[order], scores[order].astype(np.float64))


def everything(segments: Sequence[Segment], parts: Sequence[Scored]) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the ids of all candidates, ascending, and their scores."""
    pairs = list(zip(segments, parts, strict=True))
    ids = np.concatenate([segment.ids[part.candidates] for segment, part in pairs] or [_NO_IDS])
    scores = np.concatenate([part.scores[part.candidates] for _, part in pairs] or [_NO_SCORES])
    order = np.argsort(ids)
    return ids[order], scores[order]


def _top(part: Scored, limit: int) -> NDArray[np.intp]:
    """Cut a segment's candidates to its best, every tie at the cut included."""
    rows = np.flatnonzero(part.candidates)
    if limit <= 0 or rows.size <= limit:
        return rows
    own = part.scores[rows]
    threshold = np.partition(own, rows.size - limit)[rows.size - limit]
    kept: NDArray[np.intp] = rows[own >= threshold]
    return kept
