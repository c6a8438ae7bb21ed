"""Fill the folder of a model that is about to be installed: copies of another, its source, a map over its base."""

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from retrieval.encoder import OnnxEncoder
from retrieval.errors import FingerprintMismatch, ModelError
from retrieval.model_finding import find_source, hub_id
from retrieval.model_folder import (
    MANIFEST,
    SOURCE,
    FileRecord,
    ModelFolder,
    Precision,
    file_records,
    sha256_of,
    write_manifest,
)
from retrieval.model_source import SourceModel
from retrieval.query_map import QUERY_MAP, read_query_map
from retrieval.trained_model import TrainedModel

TEMPORARY = ".exporting-"
_STALE_AFTER_S = 6 * 3600


def copy_export(folder: ModelFolder, target: Path) -> None:
    """Copy a whole exported model, its source included, into an empty folder."""
    for name in (*folder.manifest.files, MANIFEST):
        shutil.copyfile(folder.path / name, target / name)
    if (folder.path / SOURCE).is_dir():
        keep_source(SourceModel.read(folder.path / SOURCE), target)


def keep_source(source: SourceModel, target: Path) -> None:
    """Keep what a model was exported from beside its export: a training folder may be cleared away."""
    for name in source.files():
        kept = target / SOURCE / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.path / name, kept)


def check_source(folder: ModelFolder) -> None:
    """Raise FingerprintMismatch if the source that a folder keeps is not what its model was exported from."""
    if (folder.path / SOURCE).is_dir() and not is_source_of(SourceModel.read(folder.path / SOURCE), folder):
        raise FingerprintMismatch(
            f"{folder.path / SOURCE} is not what {folder.path.name} was exported from; export or train it again."
        )


def is_source_of(source: SourceModel, folder: ModelFolder) -> bool:
    """Whether a model, or its base if it only maps queries, was exported from this source. Reads its weights."""
    recipe = folder.manifest.recipe
    return source.recipe(recipe.precision).fingerprint == recipe.passage_fingerprint


def source_of(folder: ModelFolder) -> Path:
    """Return what a model was exported from: its own copy, or where it was found then, if that has not changed.

    Raises ModelError saying what to do when it is nowhere to be found.
    """
    check_source(folder)
    if (folder.path / SOURCE).is_dir():
        return folder.path / SOURCE
    manifest, tried = folder.manifest, []
    for find, name in ((_read_source, manifest.source), (_find_source, manifest.name)):
        try:
            if is_source_of(source := find(name), folder):
                return source.path
            tried.append(f"{source.path} holds another model.")
        except ModelError as error:
            tried.append(str(error))
    raise ModelError(
        f"What {folder.path.name!r} was exported from is not here. {' '.join(tried)} `tandem models add FOLDER` the "
        "sentence-transformers folder again, and keep it."
    )


def _read_source(path: str) -> SourceModel:
    return SourceModel.read(Path(path))


def _find_source(name: str) -> SourceModel:
    return find_source(hub_id(name))


def base_of(trained: TrainedModel, folders: Iterable[ModelFolder], precision: Precision) -> ModelFolder:
    """Return the model that an adapter maps the queries of; raises ModelError if it is not among these, or unfit."""
    base = next((folder for folder in folders if folder.manifest.fingerprint == trained.base_fingerprint), None)
    if base is None:
        raise ModelError(
            f"{trained.path} maps the queries of {trained.base_name} (fingerprint {trained.base_fingerprint}), which "
            "this home does not have: `tandem models add` that model first."
        )
    has = base.manifest.recipe.precision
    if base.manifest.recipe.query_map:
        raise ModelError(f"{trained.path} was trained over {base.path.name}, an adapter itself; train over a model.")
    if precision is not Precision.FLOAT32 and precision is not has:
        raise ModelError(f"{trained.path} maps the queries of a model of {has}; leave out --{precision.value}.")
    return base


def lay_over(base: ModelFolder, trained: TrainedModel, target: Path) -> None:
    """Put an adapter over its base: the base's files, linked, and the map beside them.

    Raises ModelError if the map is none for this base, or makes nothing of a query.
    """
    for name in base.manifest.files:
        _link(base.path / name, target / name)
    if (base.path / SOURCE).is_dir():
        for name in SourceModel.read(base.path / SOURCE).files():
            _link(base.path / SOURCE / name, target / SOURCE / name)
    shutil.copyfile(trained.path / QUERY_MAP, target / QUERY_MAP)
    read_query_map(target / QUERY_MAP, base.manifest.dimensions)
    recipe = replace(base.manifest.recipe, query_map=sha256_of(target / QUERY_MAP))
    manifest = replace(
        base.manifest,
        recipe=recipe,
        fingerprint=recipe.fingerprint,
        files=_with_map(base.manifest.files, target),
        exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
        provenance=trained.provenance,
    )
    write_manifest(target, manifest)
    OnnxEncoder.load(target, threads=1).encode_queries(["a first query"])


def _with_map(files: Mapping[str, FileRecord], target: Path) -> Mapping[str, FileRecord]:
    return {**files, QUERY_MAP: file_records(target)[QUERY_MAP]}


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(file)
    except OSError:  # a file system without them
        shutil.copyfile(file, target)


def export_to(folder: ModelFolder, target: Path) -> None:
    """Copy a whole model to a folder that is not there yet or empty: it is there whole or not at all.

    Raises ModelError for a folder that holds something.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ModelError(f"{target} is there already; name a folder that is not.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary(target.parent) as draft:
            copy_export(folder, draft)
            flush(draft)
            draft.rename(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}; name another place.") from error


@contextmanager
def temporary(parent: Path) -> Iterator[Path]:
    """A new folder to fill and rename; removed at the end, and so are those that a killed process left long ago."""
    parent.mkdir(parents=True, exist_ok=True)
    for stale in parent.glob(f"{TEMPORARY}*"):
        if time.time() - stale.stat().st_mtime > _STALE_AFTER_S:
            shutil.rmtree(stale, ignore_errors=True)
    target = parent / f"{TEMPORARY}{uuid.uuid4().hex}"
    target.mkdir()
    try:
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)


def flush(folder: Path) -> None:
    """Return once the files survive a power cut."""
    for file in (*folder.rglob("*"), folder):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
