"""An exported model on disk: model.onnx (with its weights beside it), tokenizer.json and the manifest tandem.json.

The fingerprint names the model: equal fingerprints, equal vectors of queries and passages. It depends on the weights,
the tokenizer, the architecture and the recipe, and on nothing about the machine or the exporter. The passage
fingerprint names the passages' vectors alone: an adapter, which only maps queries, shares it with its base.

A model that was trained here keeps what it was exported from in source/, to be trained further or moved.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from retrieval.errors import FingerprintMismatch, ModelError
from retrieval.onnx_files import external_files
from retrieval.query_map import QUERY_MAP
from retrieval.types import JsonValue

MANIFEST = "tandem.json"
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
SOURCE = "source"
FORMAT = 1

_MAX_JSON_BYTES = 1_000_000
_MAX_TOKENIZER_BYTES = 100_000_000
_QUICK_DIGEST_BYTES = 4_000_000
_MAX_PROVENANCE_BYTES = 200_000
_MAX_PROVENANCE_DEPTH = 12
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class Precision(StrEnum):
    """How an exported model computes."""

    FLOAT32 = "float32"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a text becomes a vector, besides the weights.

    `pooling` is mean or cls where the encoder pools, else the name of what the graph itself does. `weights`,
    `tokenizer` and `config` are SHA-256 digests of what the model was exported from; `query_map` is that of the map of
    queries, empty for a model without one.
    """

    weights: str
    tokenizer: str
    config: str
    pooling: str
    normalize: bool
    query_prompt: str
    passage_prompt: str
    max_tokens: int
    precision: Precision
    query_map: str = ""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal characters of SHA-256 over every field; what names the model."""
        told = asdict(self)
        if not self.query_map:
            del told["query_map"]  # models without one keep the fingerprint they had before there were any
        canonical = json.dumps(told, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def passage_fingerprint(self) -> str:
        """What names the vectors of passages: the fingerprint without the map of queries."""
        return replace(self, query_map="").fingerprint


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size and SHA-256 of one file of the folder."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What tandem.json says.

    `optimized` means that the graph was optimised when it was exported and is loaded as it stands. `parity` is the
    smallest cosine to sentence-transformers on the sample texts, or None where nothing was compared. `stamp` tells
    whether a local source folder has changed since. `provenance` is what its training said of itself, empty for a model
    that was not trained by Tandem.
    """

    name: str
    fingerprint: str
    dimensions: int
    recipe: Recipe
    pad_id: int
    source: str
    exported_at: str
    files: Mapping[str, FileRecord]
    optimized: bool = False
    parity: float | None = None
    stamp: str = ""
    exporter: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, JsonValue] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder whose manifest has been read and whose files have passed the quick check."""

    path: Path
    manifest: Manifest

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the manifest and check the folder against it: names, sizes, and digests of the small files.

        Raises ModelError if something is missing, unsafe or malformed, FingerprintMismatch if it was changed.
        """
        folder = cls(path, _parsed_manifest(path / MANIFEST))
        folder._check_files()
        return folder

    @property
    def size_bytes(self) -> int:
        """Bytes of all files, the manifest not counted."""
        return sum(record.size_bytes for record in self.manifest.files.values())

    def tokenizer_json(self) -> str:
        """The text of tokenizer.json."""
        return read_text(self.path / TOKENIZER, limit=_MAX_TOKENIZER_BYTES)

    def verify(self) -> None:
        """Read every byte and compare with the manifest's digests; FingerprintMismatch names the file that differs."""
        for name in self.manifest.files:
            self._check_digest(name)

    def _check_files(self) -> None:
        listed = self.manifest.files
        needed = {GRAPH, TOKENIZER} | external_files(self.path / GRAPH)
        needed |= {QUERY_MAP} if self.manifest.recipe.query_map else set()
        if missing := sorted(needed - listed.keys()):
            raise ModelError(f"{self.path / MANIFEST} does not list {', '.join(missing)}; export the model again.")
        for name, record in listed.items():
            file = self.path / name
            if not file.is_file():
                raise ModelError(f"{file} is missing; export the model again or copy the whole folder.")
            if (size := file.stat().st_size) != record.size_bytes:
                raise FingerprintMismatch(
                    f"{file} has {size} bytes where its manifest says {record.size_bytes}; export the model again."
                )
            if size <= _QUICK_DIGEST_BYTES:
                self._check_digest(name)

    def _check_digest(self, name: str) -> None:
        file = self.path / name
        if (seen := sha256_of(file)) != self.manifest.files[name].sha256:
            raise FingerprintMismatch(
                f"{file} is not the file that was exported (its digest starts {seen[:12]}, the manifest says "
                f"{self.manifest.files[name].sha256[:12]}); export the model again."
            )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write tandem.json into `folder`."""
    text = json.dumps(asdict(manifest), indent=2, sort_keys=True, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def file_records(folder: Path) -> dict[str, FileRecord]:
    """Sizes and digests of what an exported folder is made of, by name."""
    also = {QUERY_MAP} if (folder / QUERY_MAP).is_file() else set()
    names = sorted({GRAPH, TOKENIZER} | external_files(folder / GRAPH) | also)
    return {name: FileRecord((folder / name).stat().st_size, sha256_of(folder / name)) for name in names}


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_text(file: Path, *, limit: int = _MAX_JSON_BYTES) -> str:
    """Read a UTF-8 file of at most `limit` bytes; ModelError otherwise."""
    try:
        if (size := file.stat().st_size) > limit:
            raise ModelError(f"{file} has {size} bytes, more than the {limit} that Tandem reads; is it what it says?")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} cannot be read ({error}); is this folder a whole model?") from None


def read_json(file: Path) -> Any:
    """Read a small JSON file; ModelError if it is absent, too large or malformed."""
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} is not valid JSON ({error}); copy or download the model again.") from None


def checked_provenance(value: JsonValue, file: Path) -> Mapping[str, JsonValue]:
    """Return what a training said of itself; ModelError if it is no plain, small JSON object."""
    try:
        size = len(json.dumps(value, allow_nan=False)) if isinstance(value, dict) and _is_shallow(value) else None
    except ValueError:
        size = None
    if size is None or size > _MAX_PROVENANCE_BYTES:
        raise ModelError(
            f"{file} has a provenance that is not a JSON object of at most {_MAX_PROVENANCE_BYTES} bytes, "
            f"{_MAX_PROVENANCE_DEPTH} levels and finite numbers; do not use this model."
        )
    found: Mapping[str, JsonValue] = value
    return found


def _is_shallow(value: JsonValue, levels: int = _MAX_PROVENANCE_DEPTH) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)


def _parsed_manifest(file: Path) -> Manifest:
    raw = read_json(file)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        seen = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise ModelError(f"{file} has format {seen!r}; this Tandem reads format {FORMAT}. Export the model again.")
    try:
        recipe = Recipe(**{**raw["recipe"], "precision": Precision(raw["recipe"]["precision"])})
        files = {name: FileRecord(**record) for name, record in raw["files"].items()}
        manifest = Manifest(**{**raw, "recipe": recipe, "files": files})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{file} is not a manifest that Tandem wrote ({error}); export the model again.") from None
    _check_manifest(file, manifest)
    return manifest


def _check_manifest(file: Path, manifest: Manifest) -> None:
    whole = (manifest.dimensions, manifest.recipe.max_tokens)
    if not all(type(number) is int and 0 < number <= 1_000_000 for number in whole):
        raise ModelError(f"{file} has dimensions and max_tokens {whole}; both must be positive. Export it again.")
    if bad := [name for name in manifest.files if not _PLAIN_NAME.fullmatch(name)]:
        raise ModelError(f"{file} lists {bad[0]!r}, which is not a plain file name; do not use this model.")
    if not _FINGERPRINT.fullmatch(str(manifest.fingerprint)):
        raise ModelError(f"{file} has fingerprint {manifest.fingerprint!r}, not 16 hexadecimal characters.")
    _check_query_map(file, manifest)
    checked_provenance(manifest.provenance, file)
    if manifest.fingerprint != manifest.recipe.fingerprint:
        raise FingerprintMismatch(
            f"{file} has fingerprint {manifest.fingerprint}, but its recipe gives {manifest.recipe.fingerprint}: "
            "it was edited. Export the model again."
        )


def _check_query_map(file: Path, manifest: Manifest) -> None:
    digest, listed = manifest.recipe.query_map, manifest.files.get(QUERY_MAP)
    if digest and not _DIGEST.fullmatch(str(digest)):
        raise ModelError(f"{file} has the query map {digest!r}, not a SHA-256 digest; export the model again.")
    if listed is not None and listed.sha256 != digest:
        raise FingerprintMismatch(f"{file} lists a {QUERY_MAP} that is not its recipe's; export the model again.")
