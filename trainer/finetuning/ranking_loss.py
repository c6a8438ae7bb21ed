"""The ranking loss of sentence-transformers, with a weight for each pair and without candidates that may be answers.

For pair i with weight w, over the candidates c that are not left out (van den Oord et al. 2018, eq. 4):

    loss_i = -w_i * log(exp(scale * cos(q_i, p_i)) / sum_c exp(scale * cos(q_i, c)))

The loss of a batch is the mean. Weights are scaled to a mean of 1 over all pairs: they shift what counts, and not the
size of a step.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import cos_sim
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainer.finetuning.false_negatives import Candidates
from trainer.training_set import TrainingSet


def ranking_loss(queries: Tensor, documents: Tensor, excluded: Tensor, weights: Tensor, *, scale: float) -> Tensor:
    """Return the loss of a batch: queries (b, d), documents (c, d), excluded (b, c), weights (b,).

    The positive of query i is document i. Computed in float32, whatever the vectors are.
    """
    with torch.autocast(queries.device.type, enabled=False):
        scores = cos_sim(queries.float(), documents.float()) * scale
        scores = scores.masked_fill(excluded, -torch.inf)
        losses = cross_entropy(scores, torch.arange(len(scores), device=scores.device), reduction="none")
        return (losses * weights).mean()


class PairDetails(nn.Module):
    """What the loss looks up by the number of a pair: its weight, and what it is not told apart from."""

    weights: Tensor

    def __init__(self, training_set: TrainingSet) -> None:
        super().__init__()
        weights = np.array([pair.weight for pair in training_set.pairs], np.float64)
        self.register_buffer("weights", torch.tensor(weights / weights.mean(), dtype=torch.float32), persistent=False)
        self._candidates = Candidates.of(training_set)

    def loss(self, embeddings: Sequence[Tensor], labels: Tensor, *, scale: float) -> Tensor:
        """Return the loss of the pairs numbered by `labels`, embedded by column: query, positive, negatives."""
        queries, documents = embeddings[0], torch.cat(list(embeddings[1:]))
        excluded = torch.from_numpy(self._candidates.excluded(labels.cpu().numpy())).to(queries.device)
        return ranking_loss(queries, documents, excluded, self.weights[labels], scale=scale)


class PairRankingLoss(MultipleNegativesRankingLoss):
    """MultipleNegativesRankingLoss whose labels are the numbers of the pairs."""

    def __init__(self, model: SentenceTransformer, details: PairDetails, *, scale: float) -> None:
        super().__init__(model, scale=scale)
        self.details = details

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """Return the weighted loss without the candidates that may be answers."""
        return self.details.loss(embeddings, labels, scale=self.scale)


class CachedPairRankingLoss(CachedMultipleNegativesRankingLoss):
    """The same loss and gradients in less memory: texts are embedded a few at a time, twice (Gao et al. 2021)."""

    def __init__(self, model: SentenceTransformer, details: PairDetails, *, scale: float, mini_batch: int) -> None:
        super().__init__(model, scale=scale, mini_batch_size=mini_batch)
        self.details = details

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """Return the weighted loss of the whole batch; its scores are small beside what embedding takes."""
        assert labels is not None  # noqa: S101  # the collator gives them
        loss = self.details.loss([torch.cat(column) for column in reps], labels, scale=self.scale)
        if with_backward:
            loss.backward()  # type: ignore[no-untyped-call]
            loss = loss.detach()
        return loss


def pair_loss(model: SentenceTransformer, training_set: TrainingSet, mini_batch: int) -> nn.Module:
    """Return the loss to train a model with; `mini_batch` texts at a time are embedded, or with 0 a batch at once."""
    settings, details = training_set.settings, PairDetails(training_set)
    loss: Any
    if not mini_batch:
        loss = PairRankingLoss(model, details, scale=settings.scale)
    else:
        loss = CachedPairRankingLoss(model, details, scale=settings.scale, mini_batch=mini_batch)
    if not settings.matryoshka:
        return loss  # type: ignore[no-any-return]
    sizes = sorted({*settings.matryoshka, int(model.get_embedding_dimension() or 0)}, reverse=True)
    return MatryoshkaLoss(model, loss, sizes)
