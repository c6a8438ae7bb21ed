"""The models of one home folder: found by name, exported once, listed and verified.

A name is a version in the home's models folder, a folder, or a hub id. The first use exports; every later one loads.
"""

import logging
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from retrieval.encoder import OnnxEncoder
from retrieval.errors import ModelError, UnknownName
from retrieval.model_copies import (
    TEMPORARY,
    base_of,
    check_source,
    copy_export,
    export_to,
    flush,
    keep_source,
    lay_over,
    source_of,
    temporary,
)
from retrieval.model_finding import find_source, found_by_name, hub_id
from retrieval.model_folder import MANIFEST, ModelFolder, Precision, sha256_of, write_manifest
from retrieval.model_source import SourceModel
from retrieval.query_map import QUERY_MAP
from retrieval.settings import Settings
from retrieval.trained_model import PROVENANCE, TrainedModel
from retrieval.types import JsonValue

logger = logging.getLogger(__name__)

VERSION_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_VERSION = re.compile(VERSION_PATTERN)


class Exporter(Protocol):
    """Exports the sentence-transformers model in `source` into the empty folder `target`; raises ModelError."""

    def __call__(self, source: Path, target: Path, *, precision: Precision) -> None:
        """Write model.onnx, tokenizer.json and tandem.json into `target`."""
        ...


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What `tandem models list` and `show` print."""

    version: str
    name: str
    fingerprint: str
    passage_fingerprint: str
    dimensions: int
    max_tokens: int
    pooling: str
    precision: str
    size_bytes: int
    path: Path
    source: str
    exported_at: str
    parity: float | None
    provenance: Mapping[str, JsonValue] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: ModelFolder) -> "ModelInfo":
        """Describe an exported folder."""
        manifest, recipe = folder.manifest, folder.manifest.recipe
        return cls(
            version=folder.path.name,
            name=manifest.name,
            fingerprint=manifest.fingerprint,
            passage_fingerprint=recipe.passage_fingerprint,
            dimensions=manifest.dimensions,
            max_tokens=recipe.max_tokens,
            pooling=recipe.pooling,
            precision=recipe.precision.value,
            size_bytes=folder.size_bytes,
            path=folder.path,
            source=manifest.source,
            exported_at=manifest.exported_at,
            parity=manifest.parity,
            provenance=manifest.provenance,
        )


class ModelStore:
    """The exported models of a home folder. Several processes may use it at once."""

    def __init__(self, settings: Settings, exporter: Exporter | None = None) -> None:
        """`exporter` makes the one-time export; without it only models that are exported already can be used."""
        self._settings = settings
        self._exporter = exporter

    def encoder(self, name: str | None = None) -> OnnxEncoder:
        """Load a model (the settings' by default), exporting it first if this is its first use."""
        return OnnxEncoder(self.folder(name), threads=self._settings.threads)

    def folder(self, name: str | None = None) -> ModelFolder:
        """Find a model's exported folder, exporting it first if need be. Raises ModelError."""
        name = name or self._settings.model
        if _is_path(name):
            return self._local_folder(Path(name).expanduser())
        version = version_of(name)
        return self._exported(version) or self._export(find_source(hub_id(name)), name=hub_id(name), version=version)

    def list_models(self) -> list[ModelInfo]:
        """Every exported model of the home, by version; what cannot be read is logged and left out."""
        return [ModelInfo.of(folder) for folder in self._folders()]

    def model(self, version: str) -> ModelInfo:
        """Describe one version. Raises NotFound."""
        return ModelInfo.of(self._existing(version))

    def verify(self, version: str) -> None:
        """Compare every byte of a version with its manifest. Raises NotFound or FingerprintMismatch."""
        folder = self._existing(version)
        folder.verify()
        check_source(folder)

    def source(self, version: str) -> Path:
        """Return the sentence-transformers folder that a version, or the base of an adapter, was exported from.

        Raises NotFound for no such version, ModelError saying what to do when its source is nowhere to be found.
        """
        return source_of(self._existing(version))

    def export_model(self, version: str, folder: Path) -> None:
        """Copy a version to a folder that `add_model` takes on another machine. Raises NotFound, or ModelError."""
        self.verify(version)
        export_to(self._existing(version), folder.expanduser())

    def add_model(
        self, name_or_folder: str | Path, version: str | None = None, *, precision: Precision = Precision.FLOAT32
    ) -> ModelInfo:
        """Make a model a version of this home: export it, or copy the folder if it is exported already.

        A folder may also be what a training left; an adapter is put over its base, which the home must have. Adding the
        same model under the same version again changes nothing. Raises ModelError if the version is taken by another
        model, or if an exported folder has another precision than the one asked for.
        """
        name = str(name_or_folder)
        suffix = "" if precision is Precision.FLOAT32 else f"-{precision.value}"
        if not isinstance(name_or_folder, Path) and not _is_path(name):
            version, source = version or version_of(name) + suffix, found_by_name(name)
            return ModelInfo.of(self._added(source, hub_id(name), version, precision=precision))
        local = Path(name).expanduser().resolve()
        plain = version or _folder_version(local)
        if (local / MANIFEST).is_file():
            return ModelInfo.of(self._copy(ModelFolder.read(local), plain, precision))
        trained = TrainedModel.read(local) if (local / PROVENANCE).is_file() else None
        if trained is not None and trained.is_adapter:
            return ModelInfo.of(self._adapted(trained, plain, precision))
        version, source = version or plain + suffix, SourceModel.read(local)
        return ModelInfo.of(self._added(source, str(local), version, precision=precision, trained=trained))

    def _added(
        self, source: SourceModel, name: str, version: str, *, precision: Precision, trained: TrainedModel | None = None
    ) -> ModelFolder:
        if (taken := self._exported(_slug(version))) is not None:
            return _same(taken, source.recipe(precision).fingerprint)
        return self._export(source, name=name, version=version, precision=precision, trained=trained)

    def _adapted(self, trained: TrainedModel, version: str, precision: Precision) -> ModelFolder:
        base = base_of(trained, self._folders(), precision)
        if (taken := self._exported(version)) is not None:
            recipe = replace(base.manifest.recipe, query_map=sha256_of(trained.path / QUERY_MAP))
            return _same(taken, recipe.fingerprint)
        return self._install(version, lambda target: lay_over(base, trained, target))

    def remove_model(self, version: str) -> None:
        """Delete a version's files, also if they are broken. Raises NotFound."""
        folder = self._settings.models_dir / _slug(version)
        if not folder.is_dir():
            raise self._not_found(version)
        # Out of sight first, so that a reader finds the whole folder or none.
        doomed = folder.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
        folder.rename(doomed)
        shutil.rmtree(doomed)

    def _folders(self) -> Iterator[ModelFolder]:
        root = self._settings.models_dir
        for path in sorted(root.iterdir()) if root.is_dir() else []:
            if path.name.startswith(TEMPORARY) or not path.is_dir():
                continue
            try:
                yield ModelFolder.read(path)
            except ModelError as error:
                logger.warning("Left out a model: %s", error)

    def _existing(self, version: str) -> ModelFolder:
        if (folder := self._exported(version)) is None:
            raise self._not_found(version)
        return folder

    def _not_found(self, version: str) -> UnknownName:
        known = [info.version for info in self.list_models()]
        return UnknownName(f"model version {version!r}", known, "`tandem models add` adds one.")

    def _exported(self, version: str) -> ModelFolder | None:
        path = self._settings.models_dir / _slug(version)
        return ModelFolder.read(path) if path.is_dir() else None

    def _local_folder(self, path: Path) -> ModelFolder:
        if (path / MANIFEST).is_file():
            return ModelFolder.read(path)
        source = SourceModel.read(path.resolve())
        name, stamp = str(source.path), source.stamp()
        for folder in self._folders():
            if (folder.manifest.source, folder.manifest.stamp) == (name, stamp):
                return folder
        version = f"{_folder_version(source.path)}-{source.recipe().fingerprint[:8]}"
        return self._exported(version) or self._export(source, name=name, version=version)

    def _export(
        self,
        source: SourceModel,
        *,
        name: str,
        version: str,
        precision: Precision = Precision.FLOAT32,
        trained: TrainedModel | None = None,
    ) -> ModelFolder:
        exporter = self._exporter
        if exporter is None:
            raise ModelError(f"The model {name} has not been exported yet; run `tandem models add {name}` once.")
        logger.info("Exporting %s to ONNX; this happens once.", name)

        def fill(target: Path) -> None:
            try:
                exporter(source.path, target, precision=precision)
            except ModelError as error:  # it may name the folder that is being filled, which means nothing to anybody
                raise ModelError(str(error).replace(str(target), str(source.path))) from error
            manifest = ModelFolder.read(target).manifest
            manifest = replace(manifest, name=name, source=str(source.path), stamp=source.stamp())
            if trained is not None:
                keep_source(source, target)
                manifest = replace(manifest, provenance=trained.provenance)
            write_manifest(target, manifest)

        return self._install(version, fill)

    def _copy(self, folder: ModelFolder, version: str, precision: Precision) -> ModelFolder:
        if (has := folder.manifest.recipe.precision) is not precision and precision is not Precision.FLOAT32:
            raise ModelError(f"{folder.path} is exported as {has}; add the folder it was made from as {precision}.")
        if (taken := self._exported(version)) is not None:
            return _same(taken, folder.manifest.fingerprint)
        folder.verify()
        check_source(folder)
        return self._install(version, lambda target: copy_export(folder, target))

    def _install(self, version: str, fill: Callable[[Path], None]) -> ModelFolder:
        """Fill a temporary folder, then rename it into place: it is there whole or not at all."""
        final = self._settings.models_dir / _slug(version)
        with temporary(self._settings.models_dir) as target:
            fill(target)
            ModelFolder.read(target)
            flush(target)
            try:
                target.rename(final)
            except OSError:
                if not final.is_dir():
                    raise
                logger.info("Another process exported %s first; its export is used.", version)
        return ModelFolder.read(final)


def version_of(name: str) -> str:
    """The version name that a hub id or bare name gets; sentence-transformers' own models go by their short name."""
    return _slug(name.removeprefix("sentence-transformers/").replace("/", "--"))


def _slug(version: str) -> str:
    if not _VERSION.fullmatch(version):
        raise ModelError(f"{version!r} is not a version: use letters, digits, '.', '_' and '-', at most 100.")
    return version


def _folder_version(path: Path) -> str:
    """A version name for a folder of any name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.name)[:80].lstrip("._-") or "model"


def _is_path(name: str) -> bool:
    """A path looks like one, so that a folder in the current directory cannot pose as a model of a bare name."""
    return name.startswith((".", "~", "/")) or Path(name).is_absolute() or ("/" in name and Path(name).is_dir())


def _same(folder: ModelFolder, fingerprint: str) -> ModelFolder:
    if folder.manifest.fingerprint != fingerprint:
        raise ModelError(
            f"The version {folder.path.name} is another model (fingerprint {folder.manifest.fingerprint}, not "
            f"{fingerprint}); choose another version name."
        )
    return folder
