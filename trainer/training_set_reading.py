"""Read a training set's folder, which may come from anywhere: every size, type and number in it is checked."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from retrieval.errors import UsageError
from retrieval.types import JsonValue
from trainer.training_set import (
    DEV,
    FORMAT,
    MANIFEST,
    PAIRS,
    PASSAGES,
    VECTORS,
    BaseVectors,
    DevQuery,
    HalfArray,
    Method,
    TrainingPair,
    TrainingSet,
    TrainingSettings,
)

MAX_MANIFEST_BYTES = 1_000_000
MAX_FILE_BYTES = 4_000_000_000
MAX_LINE_BYTES = 4_000_000
MAX_LINES = 2_000_000
MAX_QUERY_CHARACTERS = 10_000
MAX_PASSAGE_CHARACTERS = 200_000
MAX_NAME_CHARACTERS = 1_000
MAX_DIMENSIONS = 16_384
MAX_WEIGHT = 1_000.0
UNIT_WITHIN = 0.01
"""How far from 1 the length of a vector of float16 may be."""
SHARES_WITHIN = 1e-3

_AGAIN = "Write the training set again."
_Record = TypeVar("_Record")


def read_training_set(folder: Path) -> TrainingSet:
    """Read and check a training set; UsageError says what is wrong with it."""
    manifest = _manifest(folder / MANIFEST)
    settings = _settings(folder / MANIFEST, manifest.get("settings"))
    pairs = _lines(folder / PAIRS, lambda record: _pair(record, settings.negatives))
    numbered = _lines(folder / PASSAGES, _passage)
    passages = [text for text, _ in numbered]
    dev = _lines(folder / DEV, lambda record: _dev_query(record, len(passages)))
    if len(pairs) < 2 or not dev:
        raise UsageError(
            f"{folder} has {len(pairs)} pairs and {len(dev)} dev queries; training takes at least 2 and 1. Mine or "
            "import more pairs."
        )
    base_name, base_fingerprint = _base(folder / MANIFEST, manifest.get("base"))
    split = manifest.get("split")
    training_set = TrainingSet(
        base_name=base_name,
        base_fingerprint=base_fingerprint,
        settings=settings,
        pairs=pairs,
        dev=dev,
        passages=passages,
        vectors=_vectors(folder / VECTORS, pairs, len(dev), len(passages), settings),
        split=split if isinstance(split, dict) else {},
        documents=_documents(folder / PASSAGES, [number for _, number in numbered]),
    )
    _check_against(folder / MANIFEST, manifest, training_set)
    return training_set


def _manifest(file: Path) -> Mapping[str, JsonValue]:
    with _opened(file, MAX_MANIFEST_BYTES).open("rb") as stream:
        record = _parsed(f"{file}", stream.read(MAX_MANIFEST_BYTES + 1))
    if record.get("format") != FORMAT:
        raise UsageError(f"{file} has format {record.get('format')!r}; this Tandem reads {FORMAT!r}. {_AGAIN}")
    return record


def _base(file: Path, record: JsonValue) -> tuple[str, str]:
    try:
        name, fingerprint = _name(record, "name"), _name(record, "fingerprint")
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{file} does not name its base ({error}). {_AGAIN}") from None
    return name, fingerprint


def _settings(file: Path, record: JsonValue) -> TrainingSettings:
    if not isinstance(record, dict):
        raise UsageError(f"{file} has no settings. {_AGAIN}")
    try:
        method = Method(str(record.get("method")))
        matryoshka = tuple(record.get("matryoshka", ()))
        return TrainingSettings(**{**record, "method": method, "matryoshka": matryoshka})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file} has settings that this Tandem does not know ({error}). {_AGAIN}") from None
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def _pair(record: Mapping[str, JsonValue], most: int) -> TrainingPair:
    negatives = record.get("negatives", [])
    if not isinstance(negatives, list) or len(negatives) > most:
        raise ValueError(f"negatives must be at most {most} texts")
    weight = record.get("weight", 1.0)
    if type(weight) not in (int, float) or not 0 < weight <= MAX_WEIGHT:
        raise ValueError(f"weight is {weight!r}, not a number above 0 and at most {MAX_WEIGHT:g}")
    return TrainingPair(
        targets=_targets(record.get("targets", []), len(negatives)),
        query=_text(record, "query", MAX_QUERY_CHARACTERS),
        passage=_text(record, "passage", MAX_PASSAGE_CHARACTERS),
        negatives=tuple(_text({"negative": text}, "negative", MAX_PASSAGE_CHARACTERS) for text in negatives),
        source=_name(record, "source"),
        weight=float(weight),
        group=_name(record, "group"),
    )


def _targets(shares: JsonValue, negatives: int) -> tuple[float, ...]:
    if shares == []:
        return ()
    if not isinstance(shares, list) or len(shares) != 1 + negatives:
        raise ValueError(f"targets must be {1 + negatives} shares, of the passage and of each negative")
    if any(type(share) not in (int, float) or not 0 <= share <= 1 for share in shares):
        raise ValueError("targets must be numbers from 0 to 1")
    if abs(sum(shares) - 1) > SHARES_WITHIN or shares[0] == 0:
        raise ValueError("targets must add up to 1, and the passage must have some of it")
    return tuple(map(float, shares))


def _passage(record: Mapping[str, JsonValue]) -> tuple[str, int | None]:
    number = record.get("document")
    if number is not None and (type(number) is not int or not 0 <= number < MAX_LINES):
        raise ValueError(f"document is {number!r}, not a number from 0 on")
    return _text(record, "text", MAX_PASSAGE_CHARACTERS), number


def _documents(file: Path, numbers: Sequence[int | None]) -> tuple[int, ...]:
    known = [number for number in numbers if number is not None]
    if known and len(known) < len(numbers):
        raise UsageError(f"{file} says of some passages which document they are from, and of others not. {_AGAIN}")
    if any(number >= len(known) for number in known):
        raise UsageError(f"{file} numbers documents beyond its {len(known)} passages. {_AGAIN}")
    return tuple(known)


def _dev_query(record: Mapping[str, JsonValue], passages: int) -> DevQuery:
    relevant = record.get("relevant")
    if not isinstance(relevant, list) or not relevant or len(set(map(str, relevant))) < len(relevant):
        raise ValueError("relevant must list numbers of passages, each once")
    if any(type(number) is not int or not 0 <= number < passages for number in relevant):
        raise ValueError(f"relevant must be numbers below {passages}, the passages that there are")
    return DevQuery(
        query=_text(record, "query", MAX_QUERY_CHARACTERS),
        relevant=tuple(relevant),
        source=_name(record, "source"),
        group=_name(record, "group"),
    )


def _vectors(
    file: Path, pairs: Sequence[TrainingPair], dev: int, passages: int, settings: TrainingSettings
) -> BaseVectors:
    found = _arrays(_opened(file, MAX_FILE_BYTES))
    size = found["queries"].shape[-1] if "queries" in found else 0
    wanted: dict[str, tuple[int, ...]] = {
        "queries": (len(pairs), size),
        "passages": (len(pairs), size),
        "negatives": (len(pairs), settings.negatives, size),
    }
    if settings.method is Method.ADAPTER or found.keys() & {"dev_queries", "dev_passages"}:
        wanted |= {"dev_queries": (dev, size), "dev_passages": (passages, size)}
    shapes = {name: array.shape for name, array in found.items()}
    if shapes != wanted or not 0 < size <= MAX_DIMENSIONS:
        raise UsageError(f"{file} has arrays {shapes}, where {wanted} belong to the texts. {_AGAIN}")
    counts = np.array([len(pair.negatives) for pair in pairs])
    present = np.arange(settings.negatives) < counts[:, None]
    for name, array in found.items():
        _check_lengths(file, name, array, present if name == "negatives" else np.ones(array.shape[:-1], np.bool_))
    return BaseVectors(**found)


def _arrays(file: Path) -> dict[str, HalfArray]:
    from safetensors import SafetensorError, safe_open

    allowed = set(BaseVectors.__dataclass_fields__)
    try:
        with safe_open(file, framework="numpy") as opened:
            names = list(opened.keys())
            if bad := [name for name in names if name not in allowed or opened.get_slice(name).get_dtype() != "F16"]:
                raise UsageError(f"{file} holds {bad[0][:80]!r}, which is none of its float16 arrays. {_AGAIN}")
            return {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{file} is not a whole safetensors file ({error}). {_AGAIN}") from None


def _check_lengths(
    file: Path, name: str, array: HalfArray, present: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> None:
    lengths = np.linalg.norm(array.astype(np.float32), axis=-1)
    wanted = present.astype(np.float32)
    # A comparison with what is not a number is false, and so it is refused.
    if not bool(np.all(np.abs(lengths - wanted) <= UNIT_WITHIN)):
        raise UsageError(f"{file} has {name} that are not vectors of length 1. {_AGAIN}")


def _check_against(file: Path, manifest: Mapping[str, JsonValue], training_set: TrainingSet) -> None:
    given = training_set.manifest()
    for name in ("pairs", "dev_queries", "sources", "data_hash"):
        if (seen := manifest.get(name)) != given[name]:
            raise UsageError(f"{file} says {name} {seen!r}, its files give {given[name]!r}: it was changed. {_AGAIN}")


def _lines(file: Path, parsed: Callable[[Mapping[str, JsonValue]], _Record]) -> list[_Record]:
    records: list[_Record] = []
    for number, line in enumerate(_raw_lines(file), start=1):
        where = f"{file}, line {number}"
        if number > MAX_LINES:
            raise UsageError(f"{where}: more than the {MAX_LINES:,} lines that Tandem reads. Take fewer pairs.")
        record = _parsed(where, line)
        try:
            records.append(parsed(record))
        except ValueError as error:
            raise UsageError(f"{where}: {error}. {_AGAIN}") from None
    return records


def _raw_lines(file: Path) -> Iterator[bytes]:
    with _opened(file, MAX_FILE_BYTES).open("rb") as stream:
        while line := stream.readline(MAX_LINE_BYTES + 1):
            yield line


def _opened(file: Path, limit: int) -> Path:
    """Return the file if it is one, of at most `limit` bytes."""
    if not file.is_file():
        raise UsageError(f"{file} is missing; name a folder that holds a whole training set.")
    if (size := file.stat().st_size) > limit:
        raise UsageError(f"{file} has {size:,} bytes, more than the {limit:,} that Tandem reads. Take fewer pairs.")
    return file


def _parsed(where: str, raw: bytes) -> Mapping[str, JsonValue]:
    if len(raw) > MAX_LINE_BYTES:
        raise UsageError(f"{where}: longer than the {MAX_LINE_BYTES:,} bytes that Tandem reads. {_AGAIN}")
    try:
        record = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not valid JSON ({error}). {_AGAIN}") from None
    if not isinstance(record, dict):
        raise UsageError(f"{where} is not a JSON object. {_AGAIN}")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def _text(record: Mapping[str, JsonValue], key: str, most: int) -> str:
    text = record.get(key)
    if not isinstance(text, str) or not text.strip() or len(text) > most:
        raise ValueError(f"{key} must be a text of 1 to {most:,} characters")
    return _encodable(text, key)


def _name(record: Mapping[str, JsonValue], key: str) -> str:
    text = record.get(key, "")
    if not isinstance(text, str) or len(text) > MAX_NAME_CHARACTERS:
        raise ValueError(f"{key} must be a text of at most {MAX_NAME_CHARACTERS:,} characters")
    return _encodable(text, key)


def _encodable(text: str, key: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{key} holds half a character") from None
    return text
