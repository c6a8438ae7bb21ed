"""How well vectors rank what dev queries want: nDCG@10, query by query."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.types import FloatArray, Qrels, Run
from trainer.findings import MEASURE
from trainer.measures import measured
from trainer.training_set import TrainingSet

DEPTH = 10
"""How far down nDCG@10 looks."""


def dev_values(
    queries: FloatArray, passages: FloatArray, relevant: Sequence[Sequence[int]], documents: Sequence[int] = ()
) -> list[float]:
    """Return nDCG@10 of every query: unit vectors (q, d) rank the documents of unit vectors (p, d) by their cosine.

    `documents` is the number of each passage's document, which counts as its best passage does; without it, each
    passage is a document. The documents of the relevant passages are relevant. Of equal ones, the first comes first.
    """
    numbers = np.asarray(documents or range(len(passages)), np.int64)
    qrels: Qrels = {str(query): {str(numbers[place]): 1 for place in places} for query, places in enumerate(relevant)}
    scores = _by_document(queries @ passages.T, numbers)
    run: Run = {str(query): _ranked(row) for query, row in enumerate(scores)}
    found = measured(qrels, run).values[MEASURE]
    return [found[query] for query in qrels]


def chance_value(relevant: Sequence[Sequence[int]], documents: Sequence[int]) -> float:
    """Return the mean nDCG@10 to be expected of the same queries where their documents come in any order.

    >>> round(chance_value([[0]], range(10)), 4)  # the mean of 1 / log2(rank + 1) over ranks 1 to 10
    0.4544
    """
    discounts = 1 / np.log2(np.arange(DEPTH) + 2)
    size = len(set(documents))
    answers = np.array([len({documents[place] for place in places}) for places in relevant])
    ideal = np.cumsum(discounts)[np.minimum(answers, DEPTH) - 1]
    return float(np.mean(answers / size * discounts[:size].sum() / ideal))


def chance_of(training_set: TrainingSet) -> float:
    """Return the mean nDCG@10 to be expected of the dev queries of a training set by chance."""
    documents = training_set.documents or range(len(training_set.passages))
    return chance_value([query.relevant for query in training_set.dev], documents)


def _by_document(scores: FloatArray, numbers: NDArray[np.int64]) -> FloatArray:
    """Return each document's best score: (q, p) becomes (q, number of documents)."""
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    found = np.full((len(scores), int(numbers.max()) + 1), -np.inf, np.float32)
    found[:, numbers[order][starts]] = np.maximum.reduceat(scores[:, order], starts, axis=1)
    return found


def _ranked(scores: NDArray[np.float32]) -> dict[str, float]:
    """Return the first places, scored by rank: who measures would break ties by name."""
    depth = min(DEPTH, len(scores))
    least = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    candidates = np.flatnonzero(scores >= least)
    first = candidates[np.argsort(-scores[candidates], kind="stable")][:depth]
    return {str(place): float(depth - rank) for rank, place in enumerate(first)}
