"""A training set: all that fine-tuning reads, in a folder that can be carried to another machine.

training.json        what it is: format, base, settings, sources, split, sizes, and the data hash
pairs.jsonl          a line a pair that is trained on
dev.jsonl            a line a query that chooses checkpoints, with the numbers of the passages that answer it
passages.jsonl       the texts that dev queries are searched in, with the number of the document each is from
vectors.safetensors  what the base makes of these texts

Writing needs no torch, nor does reading.
"""

import hashlib
import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import ModelError, UsageError
from retrieval.types import JsonValue

FORMAT = "tandem-training-set/1"
MANIFEST, PAIRS, DEV, PASSAGES, VECTORS = (
    "training.json",
    "pairs.jsonl",
    "dev.jsonl",
    "passages.jsonl",
    "vectors.safetensors",
)

HalfArray = NDArray[np.float16]


class Method(StrEnum):
    """What is trained: every weight, low-rank changes that are merged afterwards, or a linear map of the queries."""

    FULL = "full"
    LORA = "lora"
    ADAPTER = "adapter"


LEARNING_RATES: Mapping[Method, float] = {Method.FULL: 3e-5, Method.LORA: 2e-4, Method.ADAPTER: 0.0}
"""By default, and fast: mixing with the base takes back what is too much. A map's own steps are found by L-BFGS."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train.

    `negatives` is the most passages beside its answer that a pair is ranked against in every batch. With a
    `temperature` above 0 they are what both legs together find first, and the model learns to share each query out as
    these legs do, the more evenly the higher it is; with 0 they are hard negatives, denoised, and the answer is all
    that the query wants. `evaluations` is how often dev queries are ranked meanwhile, and
    `patience` how many of these may pass without a better one before training stops. Similarities are multiplied by
    `scale`. A candidate whose similarity under the base exceeds `margin` times the positive's is no negative.
    """

    method: Method = Method.FULL
    epochs: int = 3
    learning_rate: float | None = None
    batch_size: int = 32
    negatives: int = 3
    temperature: float = 1.0
    seed: int = 0
    matryoshka: tuple[int, ...] = ()
    evaluations: int = 4
    patience: int = 2
    scale: float = 20.0
    margin: float = 0.95

    def __post_init__(self) -> None:
        """Raise UsageError for a value that nothing can be trained with."""
        for name, low, high in _WHOLE_LIMITS:
            _check_number(name, getattr(self, name), low, high, kind=int)
        _check_number("learning_rate", self.rate, 0.0, 1.0, kind=float)
        _check_number("scale", self.scale, 0.1, 1000.0, kind=float)
        _check_number("margin", self.margin, 0.01, 2.0, kind=float)
        _check_number("temperature", self.temperature, 0.0, 100.0, kind=float)
        if any(type(size) is not int or not 0 < size <= 65536 for size in self.matryoshka):
            raise UsageError(f"matryoshka is {list(self.matryoshka)}; give whole numbers of dimensions above 0.")
        if self.matryoshka and self.method is Method.ADAPTER:
            raise UsageError("An adapter maps whole vectors; leave matryoshka out, or train with another method.")

    @property
    def rate(self) -> float:
        """The learning rate, by default the method's."""
        return LEARNING_RATES[self.method] if self.learning_rate is None else self.learning_rate


_WHOLE_LIMITS = (
    ("epochs", 1, 1000),
    ("batch_size", 2, 65536),
    ("negatives", 0, 16),
    ("seed", 0, 2**32 - 1),
    ("evaluations", 1, 1000),
    ("patience", 1, 1000),
)


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """A query and the passage that answers it. `negatives` look as if they did.

    `targets` say what share of the query the passage has, then each negative; empty, the passage has all of it, and no
    negative is an answer. `weight` is what the pair counts beside others; no two pairs of a `group` are told apart.
    """

    query: str
    passage: str
    negatives: tuple[str, ...] = ()
    source: str = ""
    weight: float = 1.0
    group: str = ""
    targets: tuple[float, ...] = ()

    @property
    def shares(self) -> tuple[float, ...]:
        """The targets, those that are understood filled in."""
        return self.targets or (1.0, *(0.0 for _ in self.negatives))


@dataclass(frozen=True, slots=True)
class DevQuery:
    """A query that chooses checkpoints; `relevant` are the places of the passages that answer it."""

    query: str
    relevant: tuple[int, ...]
    source: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class BaseVectors:
    """Unit vectors of d dimensions that the base gives the texts of n pairs with at most k negatives, as float16.

    `queries` and `passages` are (n, d), `negatives` (n, k, d) with zeros where a pair has fewer. Those of the dev
    queries and of the passages they are searched in are needed by an adapter only.
    """

    queries: HalfArray
    passages: HalfArray
    negatives: HalfArray
    dev_queries: HalfArray | None = None
    dev_passages: HalfArray | None = None

    def arrays(self) -> dict[str, HalfArray]:
        """Return the arrays that there are, by name, as little-endian float16."""
        named = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: np.ascontiguousarray(array, dtype="<f2") for name, array in named.items() if array is not None}

    def of(self, rows: Sequence[int]) -> "BaseVectors":
        """Return the vectors of some pairs, and all of dev's."""
        places = np.asarray(rows, np.int64)
        return replace(
            self, queries=self.queries[places], passages=self.passages[places], negatives=self.negatives[places]
        )


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Pairs, dev queries and what the base makes of both. `split` records what was held out, and how."""

    base_name: str
    base_fingerprint: str
    settings: TrainingSettings
    pairs: Sequence[TrainingPair]
    dev: Sequence[DevQuery]
    passages: Sequence[str]
    vectors: BaseVectors
    split: Mapping[str, JsonValue] = field(default_factory=dict)
    documents: Sequence[int] = ()
    """The number of each passage's document, from 0; empty where each passage is one."""

    @classmethod
    def read(cls, folder: Path) -> "TrainingSet":
        """Read a folder and check everything in it; UsageError says what is wrong."""
        from trainer.training_set_reading import read_training_set

        return read_training_set(folder)

    def write(self, folder: Path) -> None:
        """Write the folder, whole or not at all.

        Raises UsageError if there is one already or it could not be read again, ModelError if it cannot be written.
        """
        from safetensors.numpy import save_file

        from trainer.training_set_reading import read_training_set

        if folder.exists():
            raise UsageError(f"{folder} exists; remove it or name another folder.")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
                draft = Path(scratch) / folder.name
                draft.mkdir()
                for name, records in self._records().items():
                    (draft / name).write_bytes(b"".join(map(_line, records)))
                save_file(self.vectors.arrays(), draft / VECTORS)
                manifest = json.dumps(self.manifest(), indent=2, ensure_ascii=False) + "\n"
                (draft / MANIFEST).write_text(manifest, encoding="utf-8")
                read_training_set(draft)
                draft.rename(folder)
        except OSError as error:
            raise ModelError(f"{folder} cannot be written: {error}. Make room, or name another place.") from None

    @property
    def sources(self) -> dict[str, int]:
        """How many pairs each source has."""
        return dict(sorted(Counter(pair.source for pair in self.pairs).items()))

    @property
    def targets(self) -> NDArray[np.float32]:
        """What share of each query its passage has, then its negatives: (n, 1 + k), 0 where there are fewer."""
        shares = np.zeros((len(self.pairs), 1 + self.settings.negatives), np.float32)
        for row, pair in enumerate(self.pairs):
            shares[row, : 1 + len(pair.negatives)] = pair.shares
        return shares

    @property
    def data_hash(self) -> str:
        """SHA-256 of what training depends on: texts, vectors, settings and base; neither names nor times."""
        digest = hashlib.sha256()
        digest.update(_line({"base": self.base_fingerprint, "settings": settings_record(self.settings)}))
        for name, records in self._records().items():
            digest.update(_line(name))
            for record in records:
                digest.update(_line(record))
        for name, array in self.vectors.arrays().items():
            digest.update(_line([name, *array.shape]))
            digest.update(array.tobytes())
        return digest.hexdigest()

    def manifest(self) -> dict[str, JsonValue]:
        """Return what training.json says."""
        return {
            "format": FORMAT,
            "base": {"name": self.base_name, "fingerprint": self.base_fingerprint},
            "settings": asdict(self.settings),
            "sources": self.sources,
            "split": dict(self.split),
            "data_hash": self.data_hash,
            "pairs": len(self.pairs),
            "dev_queries": len(self.dev),
        }

    def share(self, fraction: float) -> "TrainingSet":
        """Return the pairs of the first groups, in an order that the seed gives, until they are that share of all.

        A smaller share lies within a larger one. Dev stays whole. UsageError unless the fraction is in (0, 1].
        """
        if not 0 < fraction <= 1:
            raise UsageError(f"The share is {fraction:g}; it must be above 0 and at most 1.")
        if fraction == 1:
            return self
        rows: list[int] = []
        for group in self._groups_in_order():
            if len(rows) >= fraction * len(self.pairs):
                break
            rows.extend(group)
        rows.sort()
        return replace(self, pairs=[self.pairs[row] for row in rows], vectors=self.vectors.of(rows))

    def _groups_in_order(self) -> list[list[int]]:
        rows: dict[str, list[int]] = {}
        for row, pair in enumerate(self.pairs):
            rows.setdefault(pair.group, []).append(row)
        chance = {name: hashlib.sha256(f"{self.settings.seed} {name}".encode()).digest() for name in rows}
        return [rows[name] for name in sorted(rows, key=chance.__getitem__)]

    def _records(self) -> dict[str, Iterator[JsonValue]]:
        passages = zip(self.documents or range(len(self.passages)), self.passages, strict=True)
        return {
            PAIRS: (asdict(pair) for pair in self.pairs),
            DEV: (asdict(query) for query in self.dev),
            PASSAGES: ({"document": document, "text": text} for document, text in passages),
        }


def settings_record(settings: TrainingSettings) -> dict[str, JsonValue]:
    """Return the settings as JSON, with the learning rate that they amount to."""
    return {**asdict(settings), "learning_rate": settings.rate}


def _line(record: JsonValue) -> bytes:
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8") + b"\n"


def _check_number(name: str, value: object, low: float, high: float, *, kind: type) -> None:
    is_number = type(value) is int or (kind is float and type(value) is float and math.isfinite(value))
    if not is_number or not low <= value <= high:  # type: ignore[operator]  # it is a number here
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{name} is {value!r}; give {what} from {low:.10g} to {high:.10g}.")
