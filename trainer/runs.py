"""Arms x queries -> runs, without the index's lock: an exact index in memory, made from the catalog."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from indexer.apply import points, recipe
from indexer.moments import moments_of
from indexer.reindex import check_analyzer
from retrieval.catalog import Collection, ModelRecord
from retrieval.encoder import Encoder
from retrieval.errors import ModelError, NotFound, UsageError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Searcher, Stopwatch
from retrieval.stores.memory import MemoryStore
from retrieval.types import Mode, Run
from trainer.arms import REFERENCE, Arm
from trainer.qrels import Queries
from trainer.query_vectors import BatchedQueries
from trainer.reference import ReferenceBm25

DEPTH = 100
"""Documents ranked for a query: what recall@100 needs."""


class Runner:
    """Runs arms over one collection and one set of queries; what arms share is made once. Not thread-safe."""

    def __init__(self, home: Home, collection: Collection, arms: Sequence[Arm], queries: Queries) -> None:
        """Check that every arm can be run.

        Raises UsageError for a collection without documents, StoreError for terms of another analyzer, and ModelError
        for a model that is unknown or has not embedded every chunk.
        """
        self._home = home
        self._collection = collection
        self._queries = {key: Query(text, DEPTH).checked() for key, text in queries.items()}
        self._encoders: dict[str, Encoder] = {}
        if not home.catalog.documents.count(collection):
            raise UsageError(f"Collection {collection.name!r} has no document yet; `tandem ingest PATH` brings some.")
        if any(arm.kind != REFERENCE for arm in arms):
            check_analyzer(home.catalog, collection)
        self._models = {arm.version: self._model(arm.version) for arm in arms if arm.version}

    def run(self, arm: Arm) -> Run:
        """Return the arm's best documents for each query that it answers, best first: the k-th of n scores n + 1 - k.

        Scores are ranks turned over, because a search may put exact identifiers before higher scores.
        """
        ranked = self._reference() if arm.mode is None else self._searched(arm, arm.mode)
        return {
            query: {document: float(len(documents) - place) for place, document in enumerate(documents)}
            for query, documents in ranked.items()
            if documents
        }

    def _reference(self) -> dict[str, list[str]]:
        reference = ReferenceBm25(self._home.catalog.documents.all(self._collection))
        return {key: reference.rank(query.text, DEPTH) for key, query in self._queries.items()}

    def _searched(self, arm: Arm, mode: Mode) -> dict[str, list[str]]:
        version = arm.version or self._collection.config.model
        searched = replace(self._collection, config=replace(self._collection.config, model=version))
        searcher = Searcher(self._home.catalog, searched, self._store, lambda: self._encoder(searched))
        rows = {
            key: searcher.rank(replace(query, mode=mode), Stopwatch()).order[:DEPTH]
            for key, query in self._queries.items()
        }
        # A document deleted since the index was made is no longer shown, and leaves its run.
        shown = self._home.catalog.documents.shown({row for found in rows.values() for row in found})
        return {key: [shown[row].id for row in found if row in shown] for key, found in rows.items()}

    @cached_property
    def _store(self) -> MemoryStore:
        catalog, store = self._home.catalog, MemoryStore()
        fingerprints = {model.fingerprint: model.dimensions for model in self._models.values()}
        how = replace(recipe(catalog, self._collection, store), fingerprints=tuple(fingerprints))
        for name, size in fingerprints.items():
            store.add_vector(name, size)
        for chunks in catalog.chunks.all_stored(self._collection):
            store.upsert(points(catalog, how, chunks))
        return store

    def _encoder(self, collection: Collection) -> Encoder:
        version = collection.config.model
        if version not in self._encoders:
            texts = [query.text for query in self._queries.values()]
            self._encoders[version] = BatchedQueries(self._home.encoder(collection), texts)
        return self._encoders[version]

    def _model(self, version: str) -> ModelRecord:
        catalog, collection = self._home.catalog, self._collection
        try:
            record = catalog.models.get(version)
        except NotFound as error:
            raise ModelError(str(error)) from None
        hashes = set(catalog.chunks.text_hashes(collection))
        if missing := len(hashes - catalog.embeddings.known(record.fingerprint, hashes)):
            raise ModelError(
                f"Model {version!r} has not embedded {missing} of the {len(hashes)} texts in {collection.name!r}. "
                + _remedy(version, is_active=version == collection.config.model)
            )
        self._calibrate(record)
        return record

    def _calibrate(self, model: ModelRecord) -> None:
        """Record a candidate model's moments, which ingest keeps for the active one only: both get equal treatment."""
        catalog, collection = self._home.catalog, self._collection
        if model.version == collection.config.model:
            return
        if moments := moments_of(catalog, collection, model.fingerprint):
            catalog.moments.put(collection, model.fingerprint, moments)


def _remedy(version: str, *, is_active: bool) -> str:
    if is_active:
        return "`tandem doctor --repair` embeds them."
    return f"Embeddings are shared by all collections: `TANDEM_MODEL={version} tandem ingest PATH -c OTHER` makes them."
