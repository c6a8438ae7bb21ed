"""How well vectors rank what dev queries want: nDCG@10, query by query."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.types import FloatArray, Qrels, Run
from trainer.findings import MEASURE
from trainer.measures import measured

DEPTH = 10
"""How far down nDCG@10 looks."""


def dev_values(queries: FloatArray, passages: FloatArray, relevant: Sequence[Sequence[int]]) -> list[float]:
    """Return nDCG@10 of every query: unit vectors (q, d) rank unit vectors (p, d) by their cosine.

    Of equal cosines, the first passage comes first.
    """
    qrels: Qrels = {str(query): {str(place): 1 for place in places} for query, places in enumerate(relevant)}
    scores = queries @ passages.T
    run: Run = {str(query): _ranked(row) for query, row in enumerate(scores)}
    found = measured(qrels, run).values[MEASURE]
    return [found[query] for query in qrels]


def _ranked(scores: NDArray[np.float32]) -> dict[str, float]:
    """Return the first places, scored by rank: who measures would break ties by name."""
    depth = min(DEPTH, len(scores))
    least = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    candidates = np.flatnonzero(scores >= least)
    first = candidates[np.argsort(-scores[candidates], kind="stable")][:depth]
    return {str(place): float(depth - rank) for rank, place in enumerate(first)}
