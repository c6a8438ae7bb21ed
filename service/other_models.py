"""Search with another model than the collection's own: what is looked at before a promotion."""

import threading
from collections import OrderedDict
from dataclasses import replace

from indexer.apply import IndexOwner
from retrieval.encoder import OnnxEncoder
from retrieval.errors import ModelError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.search import Searcher

KEPT = 2
"""Models of one collection that stay loaded beside its own: the last that were asked for."""


class OtherModels:
    """The searches of one open index by other models than its collection's. Thread-safe."""

    def __init__(self, home: Home, index: IndexOwner) -> None:
        self._home = home
        self._index = index
        self._encoders: OrderedDict[str, OnnxEncoder] = OrderedDict()
        self._searchers: dict[str, Searcher] = {}
        self._lock = threading.Lock()

    def search(self, query: Query) -> SearchResult:
        """Search by the query's model.

        Raises NotFound for a model that there is not, ModelError for one whose vectors the index does not all hold.
        """
        self._check(query.model)
        return self._searcher(query.model).search(query)

    def refresh(self) -> None:
        """Forget what was read of the index: it has changed."""
        with self._lock:
            self._searchers.clear()

    def _check(self, version: str) -> None:
        record = self._home.catalog.models.get(version)
        state, name = self._index.carrier.state(record.passage_fingerprint), self._index.collection.name
        if not (state.is_put and state.whole):
            raise ModelError(
                f"The index of {name!r} does not hold all vectors of {version!r}. `tandem models embed {version} "
                f"-c {name} --searchable` computes them, and brings them there."
            )

    def _searcher(self, version: str) -> Searcher:
        with self._lock:
            if version not in self._searchers:
                encoder, own = self._encoder(version), self._index.collection
                collection = replace(own, config=replace(own.config, model=version))
                self._searchers[version] = Searcher(self._home.catalog, collection, self._index.store, lambda: encoder)
            return self._searchers[version]

    def _encoder(self, version: str) -> OnnxEncoder:
        if version not in self._encoders:
            self._encoders[version] = self._home.loaded(version)
        self._encoders.move_to_end(version)
        while len(self._encoders) > KEPT:
            forgotten, _ = self._encoders.popitem(last=False)
            self._searchers.pop(forgotten, None)
        return self._encoders[version]
