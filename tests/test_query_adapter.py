"""The map of the queries: its loss and gradient, where it begins, how it is held back, and what it writes."""

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from retrieval.errors import UsageError
from tests.tiny_transformer import build_tiny_transformer, tiny_training_set
from trainer.finetuning import estimate_in_subprocess, finetune_in_subprocess
from trainer.finetuning.progress import Reporter, Stage
from trainer.finetuning.query_adapter import Batch, batch_loss, batches_of, fitted, mapped, tune_map
from trainer.finetuning.workplace import Plan, Workplace
from trainer.training_set import Method, TrainingSet, TrainingSettings


@pytest.fixture(scope="module")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    base = build_tiny_transformer(tmp_path_factory.mktemp("models") / "tiny")
    return tiny_training_set(base, TrainingSettings(method=Method.ADAPTER, epochs=2, negatives=1))


@pytest.fixture
def place(tmp_path: Path) -> Any:
    with Workplace(tmp_path / "out", Plan("", "", 1.0), resume=False) as place:
        yield place


def a_batch(rng: np.random.Generator) -> Batch:
    def units(rows: int) -> Any:
        found = rng.standard_normal((rows, 3))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    excluded = np.zeros((4, 8), np.bool_)
    excluded[0, 5] = excluded[2, 1] = True
    targets = np.array([[1, 0], [0.7, 0.3], [1, 0], [0.5, 0.5]], np.float32)
    return Batch(units(4), units(8), excluded, targets, np.array([0.1, 0.4, 0.3, 0.2], np.float32))


def test_the_loss_is_the_weighted_cross_entropy_of_what_is_not_left_out() -> None:
    excluded = np.array([[False, False, True], [False, False, False]])
    documents = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    whole, weights = np.ones((2, 1), np.float32), np.array([0.25, 0.75], np.float32)
    documents = np.concatenate([documents, documents[2:]])
    excluded = np.column_stack([excluded, [True, True]])
    batch = Batch(np.eye(2, dtype=np.float32), documents, excluded, np.pad(whole, ((0, 0), (0, 1))), weights)
    # Query 0 against cosines 1, 0; query 1 against 0, 1, .8; both scaled by 2, the positives are 0 and 1.
    first = np.log(1 + np.exp(-2))
    second = np.log(np.exp(-2) + 1 + np.exp(-0.4))
    loss, _ = batch_loss(batch, np.eye(2), scale=2.0)
    assert loss == pytest.approx(0.25 * first + 0.75 * second, rel=1e-6)


def test_a_query_may_be_shared_out() -> None:
    documents = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], np.float32)
    targets = np.array([[0.75, 0.25], [1, 0]], np.float32)
    batch = Batch(
        np.eye(2, dtype=np.float32), documents, np.zeros((2, 4), np.bool_), targets, np.array([1, 0], np.float32)
    )
    # Cosines of query 0: 1, 0, .6 and .8; document 2 is its negative.
    total = np.log(np.exp(1) + 1 + np.exp(0.6) + np.exp(0.8))
    loss, _ = batch_loss(batch, np.eye(2), scale=1.0)
    assert loss == pytest.approx(total - (0.75 * 1 + 0.25 * 0.6), rel=1e-6)


def test_the_gradient_is_that_of_finite_differences() -> None:
    rng = np.random.default_rng(3)
    batch, matrix = a_batch(rng), np.eye(3) + 0.2 * rng.standard_normal((3, 3))
    _, gradient = batch_loss(batch, matrix, scale=5.0)
    step = 1e-2
    for row in range(3):
        for column in range(3):
            moved = np.zeros((3, 3))
            moved[row, column] = step
            up, down = (batch_loss(batch, matrix + sign * moved, scale=5.0)[0] for sign in (1, -1))
            assert gradient[row, column] == pytest.approx((up - down) / (2 * step), abs=2e-3)


def test_every_pair_is_trained_on_however_few_batches_there_are(training_set: TrainingSet) -> None:
    one = replace(training_set, pairs=[replace(pair, group="the same") for pair in training_set.pairs])
    assert sum(len(batch.queries) for batch in batches_of(one)) == len(one.pairs)
    assert len(batches_of(training_set)) == training_set.settings.epochs


def test_a_strong_pull_keeps_the_map_at_the_identity(training_set: TrainingSet) -> None:
    batches = batches_of(training_set)
    identity = np.eye(32)
    assert sum(batch.weights.sum() for batch in batches) == pytest.approx(1.0, rel=1e-5)
    held = fitted(batches, identity, strength=1e4, scale=20.0)
    free = fitted(batches, identity, strength=1e-3, scale=20.0)
    assert np.abs(held - identity).max() < 1e-3
    assert np.abs(free - identity).max() > 0.1
    before = sum(batch_loss(batch, identity, scale=20.0)[0] for batch in batches)
    assert sum(batch_loss(batch, free, scale=20.0)[0] for batch in batches) < 0.8 * before


def test_a_mapped_query_is_a_unit_vector(training_set: TrainingSet) -> None:
    queries = training_set.vectors.queries.astype(np.float32)
    np.testing.assert_allclose(mapped(queries, np.eye(32)), queries, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(mapped(queries, 3 * np.eye(32)), axis=1), 1, rtol=1e-5)


def test_a_map_is_learned_and_written(training_set: TrainingSet, place: Workplace, tmp_path: Path) -> None:
    outcome = tune_map(training_set, place, Reporter(StringIO()))
    assert outcome.means[outcome.share] > outcome.means[0.0] + 0.1
    assert outcome.curve[0] == (0, outcome.means[0.0])
    assert max(mean for _, mean in outcome.curve) == outcome.means[1.0]
    for name in ("once", "twice"):
        (tmp_path / name).mkdir()
        outcome.write(tmp_path / name, outcome.share)
    (file,) = (tmp_path / "once").iterdir()
    assert file.name == "query_map.safetensors"
    arrays = load_file(file)
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {"map": ((32, 32), "float32")}
    assert file.read_bytes() == (tmp_path / "twice" / file.name).read_bytes()


def test_without_dev_vectors_there_is_nothing_to_choose_by(training_set: TrainingSet, place: Workplace) -> None:
    vectors = replace(training_set.vectors, dev_queries=None)
    with pytest.raises(UsageError, match="no vectors of its dev queries"):
        tune_map(replace(training_set, vectors=vectors), place, Reporter(StringIO()))


@pytest.mark.slow
def test_an_adapter_is_trained_in_a_child_that_never_imports_torch(tmp_path: Path) -> None:
    base = build_tiny_transformer(tmp_path / "base")
    tiny_training_set(base, TrainingSettings(method=Method.ADAPTER, negatives=1)).write(tmp_path / "set")
    assert 0 < estimate_in_subprocess(tmp_path / "set", base).seconds < 600
    stages: list[Stage] = []
    tuned = finetune_in_subprocess(
        tmp_path / "set", base, tmp_path / "out", on_progress=lambda progress: stages.append(progress.stage)
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "query_map.safetensors",
        "tandem-training.json",
    ]
    assert tuned.gain > 0.1
    assert tuned.provenance["strength"] in {1.0, 0.3, 0.1, 0.03, 0.01, 0.003}
    assert stages[0] is Stage.LOADING
    assert stages[-1] is Stage.WRITING
