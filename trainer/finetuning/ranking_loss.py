"""The ranking loss of sentence-transformers, with a weight for each pair and without candidates that may be answers.

For pair i with weight w and shares t of its own passages, the answer and its negatives, over the candidates c that are
not left out:

    loss_i = -w_i * sum_p t_ip * log(exp(scale * cos(q_i, p)) / sum_c exp(scale * cos(q_i, c)))

Where the answer has all of it, this is van den Oord et al. 2018, eq. 4; else what both legs make of the passages is
taught as well (Hinton et al. 2015, "Distilling the knowledge in a neural network", eq. 1 and 2). The loss of a batch is
the mean. Weights are scaled to a mean of 1 over all pairs: they shift what counts, and not the
size of a step.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

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
from torch.nn.functional import log_softmax

from trainer.finetuning.false_negatives import MASKED, Candidates
from trainer.finetuning.parts import embedded_columns
from trainer.training_set import TrainingSet


class Own(NamedTuple):
    """What pairs of a batch say of themselves: weights (b,), and the shares of their own passages (b, 1 + k)."""

    weights: Tensor
    targets: Tensor


def ranking_loss(queries: Tensor, documents: Tensor, excluded: Tensor, own: Own, *, scale: float) -> Tensor:
    """Return the loss of a batch: queries (b, d), documents (c, d), excluded (b, c).

    The positive of query i is document i, its negatives are documents b + i, 2b + i, ... Computed in float32, whatever
    the vectors are.
    """
    with torch.autocast(queries.device.type, enabled=False):
        scores = cos_sim(queries.float(), documents.float()) * scale
        shares = log_softmax(scores.masked_fill(excluded, MASKED), dim=1)
        places = shares.view(len(scores), -1, len(scores)).diagonal(dim1=0, dim2=2).T
        return (-(own.targets * places).sum(dim=1) * own.weights).mean()


class PairDetails(nn.Module):
    """What the loss looks up by the number of a pair: its weight, its shares, and what it is not told apart from."""

    weights: Tensor
    targets: Tensor

    def __init__(self, training_set: TrainingSet) -> None:
        super().__init__()
        weights = np.array([pair.weight for pair in training_set.pairs], np.float64)
        self.register_buffer("weights", torch.tensor(weights / weights.mean(), dtype=torch.float32), persistent=False)
        self.register_buffer("targets", torch.from_numpy(training_set.targets), persistent=False)
        self._candidates = Candidates.of(training_set)

    def loss(self, embeddings: Sequence[Tensor], labels: Tensor, *, scale: float) -> Tensor:
        """Return the loss of the pairs numbered by `labels`, embedded by column: query, positive, negatives."""
        queries, documents = embeddings[0], torch.cat(list(embeddings[1:]))
        excluded = torch.from_numpy(self._candidates.excluded(labels.cpu().numpy())).to(queries.device)
        own = Own(self.weights[labels], self.targets[labels])
        return ranking_loss(queries, documents, excluded, own, scale=scale)


class PairRankingLoss(MultipleNegativesRankingLoss):
    """MultipleNegativesRankingLoss whose labels are the numbers of the pairs."""

    def __init__(self, model: SentenceTransformer, details: PairDetails, *, scale: float) -> None:
        super().__init__(model, scale=scale)
        self.details = details

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return self.compute_loss_from_embeddings(embedded_columns(self.model, sentence_features), labels)

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
