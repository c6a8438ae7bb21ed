"""Which candidates of a batch are no negatives, because they may well answer the query.

In a batch every query is told apart from the positives of the other pairs and from all hard negatives. Some of these
answer it too: up to 70 % of what a first ranking puts on top is relevant though nobody said so (RocketQA). What the
base holds to be nearly as similar to the query as its positive is left out (as in NV-Retriever and GISTEmbed).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.training_set import TrainingSet

Rows = NDArray[np.int64]
MASKED = -1e6
"""The score of a candidate that is left out: no share of anything, and no infinity times 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What the queries of a batch are ranked against: the positives of the batch, then each column of hard negatives.

    Texts are numbered, equal ones alike. `documents` is (n, 1 + k): the number of each pair's positive, then of its
    negatives, -1 where it has fewer. `vectors` (n, 1 + k, d) and `queries` (n, d) are the base's, as float16.
    """

    query_numbers: Rows
    documents: Rows
    queries: NDArray[np.float16]
    vectors: NDArray[np.float16]
    answers: Rows
    """Sorted codes of every query's text with each passage that is known to answer it."""
    margin: float
    targets: NDArray[np.float32]
    """(n, 1 + k): what share of each query its positive has, then its negatives."""

    @classmethod
    def of(cls, training_set: TrainingSet) -> "Candidates":
        """Number the texts of a training set."""
        pairs, settings = training_set.pairs, training_set.settings
        queries = _numbered([pair.query for pair in pairs])
        texts = [[pair.passage, *pair.negatives] for pair in pairs]
        numbers = iter(_numbered([text for row in texts for text in row]))
        documents = np.full((len(pairs), 1 + settings.negatives), -1, np.int64)
        for row, known in enumerate(texts):
            documents[row, : len(known)] = [next(numbers) for _ in known]
        vectors = training_set.vectors
        return cls(
            query_numbers=np.array(queries, np.int64),
            documents=documents,
            queries=vectors.queries,
            vectors=np.concatenate([vectors.passages[:, None], vectors.negatives], axis=1),
            answers=np.unique(_codes(np.array(queries, np.int64), documents[:, 0])),
            margin=settings.margin,
            targets=training_set.targets,
        )

    def excluded(self, rows: Sequence[int] | NDArray[Any]) -> NDArray[np.bool_]:
        """Return (b, b * (1 + k)): which candidates the queries of these b pairs are not told apart from.

        Left out are those that the base puts above `margin` times the similarity of the positive, the texts that are
        known to answer the query, and the places of negatives that there are not; what has a share of the pair's own
        query never is.
        """
        places = np.asarray(rows, np.int64)
        documents = self.documents[places].T.reshape(-1)
        vectors = self.vectors[places].astype(np.float32).transpose(1, 0, 2).reshape(len(documents), -1)
        similarities = self.queries[places].astype(np.float32) @ vectors.T
        own = np.arange(len(places))
        close = similarities > self.margin * similarities[own, own][:, None]
        known = np.isin(_codes(self.query_numbers[places][:, None], documents[None, :]), self.answers)
        left_out: NDArray[np.bool_] = close | known | (documents == -1)[None, :]
        for place, shares in enumerate(self.targets[places].T):
            left_out[own, place * len(own) + own] &= shares == 0
        return left_out


def _codes(queries: Rows, documents: Rows) -> Rows:
    # There are fewer than 2**32 texts, and -1 becomes a code that no answer has.
    return queries * 2**32 + documents + 1


def _numbered(texts: Sequence[str]) -> list[int]:
    numbers: dict[str, int] = {}
    return [numbers.setdefault(text, len(numbers)) for text in texts]
