"""The folder that fine-tuning reads: what it keeps, what its hash covers, and what is refused."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from retrieval.errors import ModelError, UsageError
from tests.tiny_transformer import build_tiny_transformer, tiny_training_set
from trainer.training_set import (
    DEV,
    MANIFEST,
    PAIRS,
    PASSAGES,
    VECTORS,
    BaseVectors,
    Method,
    TrainingSet,
    TrainingSettings,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_transformer(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def made(base: Path) -> TrainingSet:
    return tiny_training_set(base, TrainingSettings(negatives=2, matryoshka=(16,)), pairs=12)


@pytest.fixture
def folder(made: TrainingSet, tmp_path: Path) -> Path:
    made.write(tmp_path / "set")
    return tmp_path / "set"


def test_what_is_written_is_read_again(made: TrainingSet, folder: Path) -> None:
    read = TrainingSet.read(folder)
    for name in ("base_name", "base_fingerprint", "settings", "pairs", "dev", "passages", "split"):
        assert getattr(read, name) == getattr(made, name)
    for name, array in made.vectors.arrays().items():
        np.testing.assert_array_equal(read.vectors.arrays()[name], array)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["format"] == "tandem-training-set/1"
    assert manifest["base"] == {"name": "tiny", "fingerprint": made.base_fingerprint}
    assert manifest["sources"] == {"mined:heading": 4, "mined:title": 8}
    assert (manifest["pairs"], manifest["dev_queries"]) == (12, len(made.dev))
    assert manifest["data_hash"] == made.data_hash == read.data_hash


def test_a_pair_may_have_fewer_negatives_than_others(made: TrainingSet, tmp_path: Path) -> None:
    fewer = replace(made.pairs[0], negatives=made.pairs[0].negatives[:1])
    vectors = made.vectors.negatives.copy()
    vectors[0, 1] = 0
    changed = replace(made, pairs=[fewer, *made.pairs[1:]], vectors=replace(made.vectors, negatives=vectors))
    changed.write(tmp_path / "set")
    assert TrainingSet.read(tmp_path / "set").pairs[0].negatives == fewer.negatives


def test_what_share_of_the_query_each_passage_has_is_read_again(made: TrainingSet, tmp_path: Path) -> None:
    shared = replace(made.pairs[0], targets=(0.5, 0.3, 0.2))
    changed = replace(made, pairs=[shared, *made.pairs[1:]])
    changed.write(tmp_path / "set")
    read = TrainingSet.read(tmp_path / "set")
    assert read.pairs[0].targets == (0.5, 0.3, 0.2)
    assert read.targets[:2].tolist() == pytest.approx(np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]]))
    assert changed.data_hash != made.data_hash


def test_no_negatives_at_all_are_read_again(base: Path, tmp_path: Path) -> None:
    tiny_training_set(base, TrainingSettings(negatives=0)).write(tmp_path / "set")
    assert TrainingSet.read(tmp_path / "set").vectors.negatives.shape == (48, 0, 32)


def test_the_hash_covers_what_training_depends_on_and_nothing_else(made: TrainingSet) -> None:
    same = [replace(made, base_name="renamed"), replace(made, split={"seed": 7})]
    assert {one.data_hash for one in same} == {made.data_hash}
    # 3e-5 is what `full` learns with by default.
    assert replace(made, settings=replace(made.settings, learning_rate=3e-5)).data_hash == made.data_hash
    flipped = made.vectors.queries.copy()
    flipped[0, 0] = -flipped[0, 0]
    other = [
        replace(made, base_fingerprint="0" * 16),
        replace(made, settings=replace(made.settings, seed=1)),
        replace(made, pairs=[replace(made.pairs[0], weight=0.7), *made.pairs[1:]]),
        replace(made, dev=made.dev[1:]),
        replace(made, passages=[*made.passages, "text"]),
        replace(made, vectors=replace(made.vectors, queries=flipped)),
        # The same characters, put together otherwise.
        replace(made, passages=[made.passages[0] + made.passages[1], *made.passages[2:]]),
    ]
    assert len({made.data_hash, *(one.data_hash for one in other)}) == 1 + len(other)


def test_shares_are_whole_groups_and_lie_within_one_another(made: TrainingSet) -> None:
    quarter, half = made.share(0.25), made.share(0.5)
    assert made.share(1.0) is made
    assert (len(quarter.pairs), len(half.pairs)) == (4, 6)
    assert {pair.query for pair in quarter.pairs} < {pair.query for pair in half.pairs}
    for part in (quarter, half):
        groups = {pair.group for pair in part.pairs}
        assert [pair for pair in made.pairs if pair.group in groups] == part.pairs
        rows = [made.pairs.index(pair) for pair in part.pairs]
        np.testing.assert_array_equal(part.vectors.passages, made.vectors.passages[rows])
        assert part.dev == made.dev
    assert [pair.query for pair in made.share(0.5).pairs] == [pair.query for pair in half.pairs]
    reseeded = replace(made, settings=replace(made.settings, seed=3)).share(0.25)
    assert {pair.group for pair in reseeded.pairs} != {pair.group for pair in quarter.pairs}


def test_a_place_that_cannot_be_written_is_named(made: TrainingSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"file/set cannot be written: .*name another place"):
        made.write(tmp_path / "file" / "set")


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.01, float("nan")])
def test_a_share_is_more_than_nothing_and_at_most_all(made: TrainingSet, fraction: float) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        made.share(fraction)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 0}, "epochs is 0; give a whole number from 1"),
        ({"epochs": True}, "epochs is True"),
        ({"batch_size": 1}, "batch_size is 1"),
        ({"negatives": 17}, "negatives is 17"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": 2.0}, "learning_rate is 2.0"),
        ({"scale": 0}, "scale is 0"),
        ({"margin": "0.9"}, "margin is '0.9'"),
        ({"matryoshka": (0,)}, "matryoshka is .0."),
        ({"matryoshka": (16,), "method": Method.ADAPTER}, "leave matryoshka out"),
    ],
)
def test_settings_that_nothing_can_be_trained_with_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        TrainingSettings(**settings)


def test_a_folder_is_never_written_over(folder: Path, made: TrainingSet) -> None:
    with pytest.raises(UsageError, match="exists"):
        made.write(folder)


def test_writing_that_fails_leaves_nothing(made: TrainingSet, tmp_path: Path) -> None:
    broken = replace(made, passages=[*made.passages, "half a character \ud800"])
    with pytest.raises(UnicodeEncodeError):
        broken.write(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def changed_line(name: str, **changes: Any) -> Callable[[Path], object]:
    """A change of the first line of a file."""

    def change(folder: Path) -> None:
        first, *rest = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join([json.dumps({**json.loads(first), **changes}), *rest]) + "\n")

    return change


def changed_manifest(**changes: Any) -> Callable[[Path], object]:
    """A change of the manifest."""

    def change(folder: Path) -> None:
        (folder / MANIFEST).write_text(json.dumps({**json.loads((folder / MANIFEST).read_text()), **changes}))

    return change


def replaced(name: str, content: bytes) -> Callable[[Path], object]:
    """A file with other content."""
    return lambda folder: (folder / name).write_bytes(content)


def changed_vectors(name: str, change: Callable[[Any], Any]) -> Callable[[Path], object]:
    """A change of an array."""

    def apply(folder: Path) -> None:
        arrays = load_file(folder / VECTORS)
        arrays[name] = change(arrays.get(name))
        save_file(arrays, folder / VECTORS)

    return apply


def infinite(array: Any) -> Any:
    array = array.copy()
    array[0, 0] = np.inf
    return array


def without_end(folder: Path) -> None:
    """A pipe in place of a file: who opens it waits for ever."""
    (folder / PAIRS).unlink()
    os.mkfifo(folder / PAIRS)


HOSTILE: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: (folder / VECTORS).unlink(), r"vectors\.safetensors is missing"),
    (without_end, r"pairs\.jsonl is missing"),
    (changed_manifest(format="tandem-training-set/2"), "has format 'tandem-training-set/2'"),
    (changed_manifest(pairs=13), "says pairs 13, its files give 12"),
    (changed_manifest(sources={}), "says sources"),
    (changed_manifest(data_hash="0" * 64), "says data_hash"),
    (changed_manifest(base=["x"]), "does not name its base"),
    (changed_manifest(base={"name": 5, "fingerprint": ""}), "does not name its base"),
    (changed_manifest(settings=None), "has no settings"),
    (changed_manifest(settings={"method": "full", "run": "rm"}), "settings that this Tandem does not know"),
    (changed_manifest(settings={"method": "train-on-test"}), "settings that this Tandem does not know"),
    (changed_manifest(settings={"method": "full", "epochs": 10**9}), "epochs is 1000000000"),
    (replaced(MANIFEST, b"[]"), "is not a JSON object"),
    (replaced(MANIFEST, b"[" * 100_000), "is not valid JSON"),
    (replaced(MANIFEST, b'{"format": "' + b"x" * 1_000_001 + b'"}'), "more than the 1,000,000"),
    (replaced(PAIRS, b""), "0 pairs"),
    (replaced(PAIRS, b"\x80\x03}q"), "line 1 is not valid JSON"),
    (changed_line(PAIRS, query="  "), "line 1: query must be a text of 1 to 10,000"),
    (changed_line(PAIRS, query="x" * 10_001), "line 1: query must be"),
    (changed_line(PAIRS, passage=["x"]), "line 1: passage must be"),
    (changed_line(PAIRS, query="half a character \ud800"), "line 1: query holds half a character"),
    (changed_line(PAIRS, negatives="text"), "negatives must be at most 2 texts"),
    (changed_line(PAIRS, negatives=["a", "b", "c"]), "negatives must be at most 2 texts"),
    (changed_line(PAIRS, targets=[1.0]), "targets must be 3 shares"),
    (changed_line(PAIRS, targets="all"), "targets must be 3 shares"),
    (changed_line(PAIRS, targets=[0.5, 0.2, 0.2]), "targets must add up to 1"),
    (changed_line(PAIRS, targets=[0.0, 0.5, 0.5]), "the passage must have some"),
    (changed_line(PAIRS, targets=[2.0, -0.5, -0.5]), "targets must be numbers from 0 to 1"),
    (changed_line(PAIRS, targets=[True, 0, 0]), "targets must be numbers from 0 to 1"),
    (changed_line(PAIRS, weight=0), "weight is 0"),
    (changed_line(PAIRS, weight=float("inf")), "Infinity is not a number"),
    (changed_line(PAIRS, weight=True), "weight is True"),
    (changed_line(PAIRS, source=3), "source must be a text"),
    (changed_line(PAIRS, query="another"), "says data_hash"),
    (changed_line(DEV, relevant=[]), "relevant must list"),
    (changed_line(DEV, relevant=[0, 0]), "each once"),
    (changed_line(DEV, relevant=[10**6]), "relevant must be numbers below"),
    (changed_line(DEV, relevant=[-1]), "relevant must be numbers below"),
    (changed_line(DEV, relevant=[True]), "relevant must be numbers below"),
    (changed_line(DEV, relevant=[[0]]), "relevant must be numbers below"),
    (changed_line(PASSAGES, text=None), "text must be"),
    (changed_line(PASSAGES, document=-1), "document is -1"),
    (changed_line(PASSAGES, document="a"), "document is 'a'"),
    (changed_line(PASSAGES, document=None), "of some passages which document"),
    (replaced(VECTORS, b"\x80\x04\x95pickle"), "is not a whole safetensors file"),
    (replaced(VECTORS, b"\xff" * 8), "is not a whole safetensors file"),
    (changed_vectors("queries", lambda array: array[:3]), "has arrays"),
    (changed_vectors("queries", lambda array: array.astype(np.float32)), "none of its float16 arrays"),
    (changed_vectors("code", lambda _: np.zeros(3, np.float16)), "none of its float16 arrays"),
    (changed_vectors("passages", lambda array: array * 2), "passages that are not vectors of length 1"),
    (changed_vectors("passages", infinite), "passages that are not vectors of length 1"),
    (changed_vectors("negatives", lambda array: array * 0), "negatives that are not vectors of length 1"),
]


@pytest.mark.parametrize(("harm", "said"), HOSTILE, ids=[said for _, said in HOSTILE])
def test_a_folder_that_was_tampered_with_is_refused(folder: Path, harm: Callable[[Path], object], said: str) -> None:
    harm(folder)
    with pytest.raises(UsageError, match=said):
        TrainingSet.read(folder)


def test_an_adapter_needs_the_vectors_of_dev(made: TrainingSet, tmp_path: Path) -> None:
    vectors = replace(made.vectors, dev_queries=None, dev_passages=None)
    settings = TrainingSettings(negatives=2)
    replace(made, vectors=vectors, settings=settings).write(tmp_path / "full")
    assert TrainingSet.read(tmp_path / "full").vectors.dev_queries is None
    settings = replace(settings, method=Method.ADAPTER)
    with pytest.raises(UsageError, match="dev_queries"):
        replace(made, vectors=vectors, settings=settings).write(tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_vectors_of_either_width_are_written_alike(made: TrainingSet) -> None:
    wide = BaseVectors(*(array.astype(np.float32) for array in made.vectors.arrays().values()))  # type: ignore[arg-type]
    assert replace(made, vectors=wide).data_hash == made.data_hash
