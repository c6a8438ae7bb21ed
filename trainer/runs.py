"""Arms x queries -> runs, without the index's lock: an exact index in memory, made from the catalog."""

import json
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import asdict, replace
from functools import cached_property
from hashlib import blake2b

from indexer.moments import moments_of, term_moments_of
from indexer.points import Recipe, points, recipe
from indexer.reindex import check_analyzer
from retrieval.analysis import ANALYZER_VERSION
from retrieval.catalog import Collection, ModelRecord, TermMoments
from retrieval.encoder import Encoder
from retrieval.errors import ModelError, NotFound, UsageError
from retrieval.fusion import Sizes
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Findings, Searcher, Statistics
from retrieval.stores.base import Point
from retrieval.types import Mode, Run
from trainer.arms import REFERENCE, Arm
from trainer.evaluation_set import EvaluationSet
from trainer.masking import MaskedStore, MaskedText, MaskedTexts, embed_masked, masked_points
from trainer.query_vectors import BatchedQueries
from trainer.reference import ReferenceBm25

DEPTH = 100
"""Documents ranked for a query: what recall@100 needs."""
_VERSION = "2"
"""Part of a kept run's key: to be changed with anything here that changes a run."""


class Runner:
    """Runs arms over one collection and one set of queries; what arms share is made once. Not thread-safe."""

    def __init__(
        self,
        home: Home,
        collection: Collection,
        arms: Sequence[Arm],
        judged: EvaluationSet,
        *,
        masked: MaskedTexts | None = None,
    ) -> None:
        """Check that every arm can be run. The collection's config counts, be it another than the catalog's.

        `masked` are the set's masked texts, where another runner has made them already.

        Raises UsageError for a collection without documents, StoreError for terms of another analyzer, and ModelError
        for a model that is unknown or has not embedded every chunk.
        """
        self.home = home
        self.collection = collection
        self._judged = judged
        self._queries = {key: Query(text, DEPTH).checked() for key, text in judged.queries.items()}
        self._masked = masked or MaskedTexts(home.catalog, collection, judged.masks)
        self._encoders: dict[str, Encoder] = {}
        self._made: dict[str, Statistics] = {}
        if not home.catalog.documents.count(collection):
            raise UsageError(f"Collection {collection.name!r} has no document yet; `tandem ingest PATH` brings some.")
        if any(arm.kind != REFERENCE for arm in arms):
            check_analyzer(home.catalog, collection)
        self._models = {arm.version: self._model(arm.version) for arm in arms if arm.version}
        self._state = {  # read once: what arms share is made once too, whatever is ingested meanwhile
            "changes": home.catalog.changes.last_seq(collection),
            "documents": home.catalog.documents.count(collection),
            "average_length": self._recipe.bm25.average_length,
        }

    def key(self, arm: Arm) -> str:
        """Return a digest of what the arm's run depends on: queries, masks, the catalog's state, settings, model."""
        judged = self._judged
        circumstances = {
            "version": _VERSION,
            "queries": [[key, text, judged.masks.get(key, {})] for key, text in judged.queries.items()],
            "arm": str(arm),
            "model": self._models[arm.version].fingerprint if arm.version else "",
            "config": {**asdict(self.collection.config), "model": ""},
            "analyzer": ANALYZER_VERSION,
            **self._state,
        }
        return blake2b(json.dumps(circumstances, sort_keys=True).encode(), digest_size=32).hexdigest()

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
        reference = ReferenceBm25(self.home.catalog.documents.all(self.collection))
        masks = self._judged.masks
        return {key: reference.rank(query.text, DEPTH, masks.get(key, {})) for key, query in self._queries.items()}

    def _searched(self, arm: Arm, mode: Mode) -> dict[str, list[str]]:
        rows = {key: found.ranking().order[:DEPTH] for key, found in self._findings(arm, mode)}
        # A document deleted since the index was made is no longer shown, and leaves its run.
        shown = self.home.catalog.documents.shown({row for found in rows.values() for row in found})
        return {key: [shown[row].id for row in found if row in shown] for key, found in rows.items()}

    def findings(self, arm: Arm) -> dict[str, Findings]:
        """Return what the legs of an arm find for each query; raises UsageError for one that is no search."""
        if arm.mode is None:
            raise UsageError(f"The arm {arm} has no legs.")
        return dict(self._findings(arm, arm.mode))

    def _findings(self, arm: Arm, mode: Mode) -> Iterator[tuple[str, Findings]]:
        searcher = self.searcher(arm)
        for key, query in self._queries.items():
            points_of, texts = self._hidden.get(key, ((), ()))
            self._store.hide(points_of, {text.document: text.title for text in texts})
            yield key, searcher.findings(replace(query, mode=mode))
        self._store.hide(())

    def searcher(self, arm: Arm) -> Searcher:
        """Return a searcher of the exact index with the arm's model."""
        version = arm.version or self.collection.config.model
        searched = replace(self.collection, config=replace(self.collection.config, model=version))
        return Searcher(
            self.home.catalog,
            searched,
            self._store,
            lambda: self._encoder(searched),
            statistics=self._statistics(version),
            titles=self._titles,
        )

    def _titles(self, rows: Set[int]) -> dict[int, str]:
        shown = self.home.catalog.documents.shown(rows)
        return {row: self._store.titles.get(row, document.title) for row, document in shown.items()}

    def _statistics(self, version: str) -> Statistics:
        """Return what calibrates an arm, made from what the store holds: the catalog's may be of another moment."""
        if version not in self._made:
            vectors = (
                moments_of(self.home.catalog, self.collection, self._models[version].passage_fingerprint)
                if (version in self._models)
                else None
            )
            sizes = Sizes.of(self.home.catalog.chunks.sizes(self.collection))
            self._made[version] = Statistics(self._term_moments, vectors, sizes)
        return self._made[version]

    @cached_property
    def _recipe(self) -> Recipe:
        config = self.collection.config
        fingerprints = dict.fromkeys(model.passage_fingerprint for model in self._models.values())
        found = recipe(self.home.catalog, self.collection, MaskedStore())
        return Recipe(replace(found.bm25, k1=config.k1, b=config.b), tuple(fingerprints))

    @cached_property
    def _term_moments(self) -> TermMoments:
        return term_moments_of(self.home.catalog, self.collection, self._recipe.bm25)

    @cached_property
    def _store(self) -> MaskedStore:
        catalog, store = self.home.catalog, MaskedStore()
        for model in self._models.values():
            store.add_vector(model.passage_fingerprint, model.dimensions)
        for chunks in catalog.chunks.all_stored(self.collection):
            store.upsert(points(catalog, self._recipe, chunks))
        return store

    @cached_property
    def _hidden(self) -> dict[str, tuple[list[Point], list[MaskedText]]]:
        """The points that stand in for masked documents, and what they were made of, by query."""
        catalog, hidden = self.home.catalog, self._masked.by_query
        for version in self._models:
            embed_masked(catalog, self.home.encoder_of(version), _embedded(hidden.values()))
        how = self._recipe
        return {
            key: (masked_points(catalog, found, how.bm25, how.fingerprints), found) for key, found in hidden.items()
        }

    def _encoder(self, collection: Collection) -> Encoder:
        version = collection.config.model
        if version not in self._encoders:
            texts = [query.text for query in self._queries.values()]
            self._encoders[version] = BatchedQueries(self.home.encoder(collection), texts)
        return self._encoders[version]

    def _model(self, version: str) -> ModelRecord:
        catalog, collection = self.home.catalog, self.collection
        try:
            record = catalog.models.get(version)
        except NotFound as error:
            raise ModelError(str(error)) from None
        hashes = set(catalog.chunks.text_hashes(collection))
        if missing := len(hashes - catalog.embeddings.known(record.passage_fingerprint, hashes)):
            raise ModelError(
                f"Model {version!r} has not embedded {missing} of the {len(hashes)} texts in {collection.name!r}. "
                + _remedy(version, collection)
            )
        return record


def _embedded(hidden: Iterable[Sequence[MaskedText]]) -> Iterator[str]:
    return (text.embedding_text for texts in hidden for text in texts)


def _remedy(version: str, collection: Collection) -> str:
    if version == collection.config.model:
        return "`tandem doctor --repair` embeds them."
    return f"`tandem models embed {version} -c {collection.name}` embeds them."
