"""A home: one catalog, its models, and the collections in them. What every command and the service open first."""

import threading
from collections.abc import Set
from concurrent.futures import Future, wait
from dataclasses import replace

from retrieval.batches import OnBatch, ignore
from retrieval.catalog import Catalog, Collection, CollectionConfig, ModelRecord
from retrieval.catalog.collections import ConfigChanged
from retrieval.encoder import OnnxEncoder
from retrieval.errors import FingerprintMismatch
from retrieval.models import Exporter, ModelInfo, ModelStore
from retrieval.settings import Settings


class Home:
    """Everything under one TANDEM_HOME. Thread-safe."""

    def __init__(self, settings: Settings, catalog: Catalog, exporter: Exporter | None = None) -> None:
        self.settings = settings
        self.catalog = catalog
        self.models = ModelStore(settings, exporter)
        self.on_batch: OnBatch = ignore
        """Told of every batch that an encoder of this home has taken, those loaded before included."""
        self._encoders: dict[str, Future[OnnxEncoder]] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, settings: Settings, exporter: Exporter | None = None) -> "Home":
        """Open the home, making it if it is not there."""
        return cls(settings, Catalog.open(settings.resolved_catalog_url), exporter)

    def close(self) -> None:
        """Release the catalog, after models that are being loaded: a process must not end in the middle of that."""
        with self._lock:
            loading = list(self._encoders.values())
        wait(loading)
        self.catalog.close()

    def prepared(self, name: str, config: CollectionConfig | None = None) -> tuple[Collection, OnnxEncoder]:
        """Return a collection ready to be written, made if it is not there, and its encoder.

        A collection without a model gets the settings' model, which is then its own: another setting changes nothing.
        """
        collection = self.catalog.collections.ensure(name, config or CollectionConfig())
        if collection.config.model:
            return collection, self.encoder(collection)
        record = self.register(self._default_model())
        try:
            chosen = replace(collection.config, model=record.version)
            collection = self.catalog.collections.configure(collection, chosen)
        except ConfigChanged:  # by another process that chose a model first
            return self.prepared(name, config)
        return collection, self.encoder(collection)

    def _default_model(self) -> ModelInfo:
        folder = self.models.folder(self.settings.model)
        if folder.path.parent == self.settings.models_dir:
            return ModelInfo.of(folder)
        return self.models.add_model(folder.path)  # a copy: the collection must outlive the folder it was given

    def register(self, info: ModelInfo) -> ModelRecord:
        """Record a model of the models folder in the catalog."""
        provenance = {
            "source": info.source,
            "exported_at": info.exported_at,
            "precision": info.precision,
            **({"training": info.provenance} if info.provenance else {}),
        }
        record = ModelRecord(
            version=info.version,
            fingerprint=info.fingerprint,
            passage_fingerprint=info.passage_fingerprint,
            dimensions=info.dimensions,
            path=str(info.path),
            provenance=provenance,
        )
        return self.catalog.models.register(record)

    def registered(self, version: str) -> ModelRecord:
        """Return a version's record, made now for a folder whose adding was interrupted before; raises NotFound."""
        known = {record.version: record for record in self.catalog.models.list()}
        return known.get(version) or self.register(self.models.model(version))

    def encoder(self, collection: Collection) -> OnnxEncoder:
        """Load the collection's encoder, once; raises FingerprintMismatch if its files are another model's."""
        return self.encoder_of(collection.config.model)

    def encoder_of(self, version: str) -> OnnxEncoder:
        """Load a version's encoder, once, as `encoder` does."""
        return self.soon(version).result()

    def encoder_soon(self, collection: Collection) -> "Future[OnnxEncoder]":
        """Begin to load the collection's encoder in the background."""
        return self.soon(collection.config.model)

    def keep_encoders(self, versions: Set[str]) -> None:
        """Let go of loaded encoders of other versions; whoever uses one goes on, and the next caller loads it again."""
        with self._lock:
            for version in self._encoders.keys() - versions:
                if self._encoders[version].done():
                    del self._encoders[version]

    def soon(self, version: str) -> "Future[OnnxEncoder]":
        """Begin to load a version's encoder in the background."""
        with self._lock:
            if version not in self._encoders:
                future: Future[OnnxEncoder] = Future()
                self._encoders[version] = future
                threading.Thread(target=self._load, args=(version, future), daemon=True).start()
            return self._encoders[version]

    def _load(self, version: str, future: "Future[OnnxEncoder]") -> None:
        try:
            future.set_result(self.loaded(version))
        except BaseException as error:  # the waiting thread raises it
            with self._lock:
                self._encoders.pop(version, None)  # so that the next caller tries again
            future.set_exception(error)

    def loaded(self, version: str) -> OnnxEncoder:
        """Load a version's encoder for the caller alone; raises FingerprintMismatch as `encoder` does."""
        record = self.catalog.models.get(version)
        encoder = self.models.encoder(version)
        if encoder.fingerprint != record.fingerprint:
            raise FingerprintMismatch(
                f"The collection's vectors were made by {version!r} with fingerprint {record.fingerprint}, but the "
                f"model found under that name has {encoder.fingerprint}. Restore the model's folder in "
                f"{self.settings.models_dir}, or ingest into a new collection."
            )
        encoder.on_batch = lambda batch: self.on_batch(batch)
        return encoder
