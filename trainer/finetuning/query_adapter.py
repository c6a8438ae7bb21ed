"""A linear map of the queries alone: the passages keep their vectors, so that nothing is embedded again.

The map M minimises the ranking loss of unit(M q) over the stored vectors of the base, in the same batches and without
the same candidates as when weights are trained, plus strength * ||M - I||^2. It begins at the identity; the stronger
the pull, the nearer it stays.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import UsageError
from retrieval.query_map import QUERY_MAP, TENSOR
from retrieval.types import FloatArray
from trainer.finetuning.batches import BatchPlan, clusters_of
from trainer.finetuning.dev_ranking import chance_of, dev_values
from trainer.finetuning.false_negatives import MASKED, Candidates
from trainer.finetuning.interpolation import LAMBDAS, mixed
from trainer.finetuning.outcome import Outcome
from trainer.finetuning.progress import Progress, Reporter, Stage
from trainer.finetuning.workplace import Workplace
from trainer.training_set import TrainingSet

STRENGTHS: Sequence[float] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
"""From near the identity to far from it; dev chooses one."""
LEAST_BATCH = 256
"""Pairs told apart at once, if the settings say no more: vectors that are stored take no memory to train."""
MOST_ITERATIONS = 60

Map = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Unit vectors of b queries (b, d) and of what they are ranked against (c, d).

    The positive of query i is i, its negatives are b + i, 2b + i, ...; `targets` (b, 1 + k) are the shares of these.
    """

    queries: FloatArray
    documents: FloatArray
    excluded: NDArray[np.bool_]
    targets: FloatArray
    weights: FloatArray
    """Of the pairs, divided by those of all batches: losses add up to the mean."""


def tune_map(training_set: TrainingSet, place: Workplace, reporter: Reporter) -> Outcome:
    """Find the map, its strength, and how much of it is mixed with the identity. Raises UsageError, or Stopped."""
    batches = batches_of(training_set)
    dimensions = batches[0].queries.shape[1]
    identity: Mapping[str, Map] = {TENSOR: np.eye(dimensions)}
    base = mapped_values(training_set, identity[TENSOR])
    found: dict[float, tuple[Map, list[float]]] = {}
    before = identity[TENSOR]
    for number, strength in enumerate(STRENGTHS):
        reporter.check()
        began = time.monotonic()
        before = fitted(batches, before, strength=strength, scale=training_set.settings.scale)
        found[strength] = before, mapped_values(training_set, before)
        seconds = time.monotonic() - began
        place.trained(len(training_set.pairs), seconds)
        mean = float(np.mean(found[strength][1]))
        reporter.progress(
            Progress(Stage.TRAINING, number + 1, len(STRENGTHS), seconds * (len(STRENGTHS) - number), mean)
        )
    means = {strength: float(np.mean(values)) for strength, (_, values) in found.items()}
    best = max(means, key=lambda strength: (round(means[strength], 9), strength))
    tuned = {TENSOR: found[best][0]}
    values = {share: mapped_values(training_set, mixed(identity, tuned, share)[TENSOR]) for share in LAMBDAS}
    return Outcome(
        values=values,
        curve=[(0, float(np.mean(base))), *((step + 1, means[strength]) for step, strength in enumerate(STRENGTHS))],
        chance=chance_of(training_set),
        stopped_early=False,
        device="cpu",
        write=partial(write_map, identity, tuned),
        details={"strength": best, "strengths": {f"{strength:g}": mean for strength, mean in means.items()}},
    )


def batches_of(training_set: TrainingSet) -> list[Batch]:
    """Return the batches of all epochs: each pair is told apart from others every time."""
    settings, vectors = training_set.settings, training_set.vectors
    candidates = Candidates.of(training_set)
    weights = np.array([pair.weight for pair in training_set.pairs])
    plan = BatchPlan(
        clusters=clusters_of(training_set.pairs),
        lengths=[0] * len(weights),
        batch_size=max(LEAST_BATCH, settings.batch_size),
        seed=settings.seed,
    )
    largest = max(Counter(plan.clusters).values())
    epochs = max(settings.epochs, -(-largest // plan.batches))  # an epoch has one pair of a cluster in each batch
    chosen = [np.array(batch) for number in range(epochs) for batch in plan.epoch(number)]
    total = sum(weights[rows].sum() for rows in chosen)
    documents = np.concatenate([vectors.passages[:, None], vectors.negatives], axis=1)
    return [
        Batch(
            queries=vectors.queries[rows].astype(np.float32),
            documents=documents[rows].transpose(1, 0, 2).reshape(-1, documents.shape[2]).astype(np.float32),
            excluded=candidates.excluded(rows),
            targets=candidates.targets[rows],
            weights=(weights[rows] / total).astype(np.float32),
        )
        for rows in chosen
    ]


def fitted(batches: Sequence[Batch], start: Map, *, strength: float, scale: float) -> Map:
    """Return the map that minimises loss and pull from `start` on, by L-BFGS."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]  # SciPy has no types

    size = len(start)

    def objective(flat: Map) -> tuple[float, Map]:
        matrix = flat.reshape(size, size)
        pull = matrix - np.eye(size)
        losses, gradients = zip(*(batch_loss(batch, matrix, scale=scale) for batch in batches), strict=True)
        gradient = sum(gradients, 2 * strength * pull)
        return sum(losses) + strength * float((pull**2).sum()), gradient.reshape(-1)

    found = minimize(objective, start.reshape(-1), jac=True, method="L-BFGS-B", options={"maxiter": MOST_ITERATIONS})
    return np.asarray(found.x, np.float64).reshape(size, size)


def batch_loss(batch: Batch, matrix: Map, *, scale: float) -> tuple[float, Map]:
    """Return the weighted ranking loss of a batch and its gradient by the map, (d, d)."""
    moved = batch.queries @ matrix.T.astype(np.float32)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    unit = moved / lengths
    scores = np.where(batch.excluded, MASKED, scale * (unit @ batch.documents.T))
    shifted = scores - scores.max(axis=1, keepdims=True)
    shares = np.exp(shifted)
    totals = shares.sum(axis=1, keepdims=True)
    wanted = _wanted(batch.targets)
    loss = float((batch.weights * (np.log(totals[:, 0]) - (wanted * shifted).sum(axis=1))).sum())
    errors = shares / totals - wanted
    by_unit = scale * ((errors * batch.weights[:, None]) @ batch.documents)
    by_moved = (by_unit - unit * (by_unit * unit).sum(axis=1, keepdims=True)) / lengths
    return loss, (by_moved.T @ batch.queries).astype(np.float64)


def _wanted(targets: FloatArray) -> FloatArray:
    """Return what share of each query every candidate of the batch has: (b, b * (1 + k))."""
    pairs, own = targets.shape
    wanted = np.zeros((pairs, own * pairs), np.float32)
    rows = np.arange(pairs)
    for place in range(own):
        wanted[rows, place * pairs + rows] = targets[:, place]
    return wanted


def estimated_seconds(training_set: TrainingSet) -> float:
    """Return the most that finding the map takes, by the time of one look at all pairs."""
    batches = batches_of(training_set)
    began = time.monotonic()
    identity = np.eye(batches[0].queries.shape[1])
    for batch in batches:
        batch_loss(batch, identity, scale=training_set.settings.scale)
    return (time.monotonic() - began) * MOST_ITERATIONS * len(STRENGTHS)


def mapped_values(training_set: TrainingSet, matrix: Map) -> list[float]:
    """Return nDCG@10 of every dev query, mapped, against the stored vectors of the passages."""
    vectors = training_set.vectors
    if vectors.dev_queries is None or vectors.dev_passages is None:
        raise UsageError("The training set has no vectors of its dev queries; write it again with the method adapter.")
    queries = mapped(vectors.dev_queries.astype(np.float32), matrix)
    relevant = [query.relevant for query in training_set.dev]
    return dev_values(queries, vectors.dev_passages.astype(np.float32), relevant, training_set.documents)


def mapped(queries: FloatArray, matrix: Map) -> FloatArray:
    """Return unit vectors of mapped queries."""
    moved = queries @ matrix.T.astype(np.float32)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


def write_map(identity: Mapping[str, Map], tuned: Mapping[str, Map], folder: Path, share: float) -> None:
    """Write the map with this share of what was trained, as float32 (d, d)."""
    from safetensors.numpy import save_file

    matrix = mixed(identity, tuned, share)[TENSOR]
    save_file({TENSOR: np.ascontiguousarray(matrix, np.float32)}, folder / QUERY_MAP)
