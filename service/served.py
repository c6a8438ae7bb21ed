"""One open collection: this process owns its index, applies every process's changes to it, and searches it."""

import threading
from contextlib import ExitStack

from indexer.apply import IndexOwner, open_index, recipe
from indexer.reindex import check_analyzer
from retrieval.catalog import Collection
from retrieval.errors import IndexBusy, StoreError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.search import Searcher


class Stopping(IndexBusy):
    """The service is stopping; changes that are not applied yet are applied when the index is next opened."""

    def __init__(self) -> None:
        super().__init__("The service is stopping; ask again when it is back.")


class Served:
    """An open collection. Thread-safe: searches run beside each other, changes are applied by one thread at a time."""

    def __init__(self, home: Home, collection: Collection, *, address: str, stopping: threading.Event) -> None:
        """Open the index, announcing `address`, and apply what is pending; raises IndexBusy when another has it."""
        self.collection = collection
        self._home = home
        self._stopping = stopping
        self._turn = threading.Lock()
        self._is_open = True
        self._seen = -1
        check_analyzer(home.catalog, collection)
        if collection.config.model:
            home.encoder_soon(collection)  # loads while the index opens
        with ExitStack() as stack:
            self._owner: IndexOwner = stack.enter_context(open_index(home.settings, home.catalog, collection))
            self._owner.store.announce(address)
            self._searcher = self._new_searcher()
            self.apply()
            self._owner.store.warm()
            self._searcher.statistics()
            self._closing = stack.pop_all()

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed."""
        return self._is_open

    def search(self, query: Query) -> SearchResult:
        """Return the best hits; raises what `Searcher.search` raises, and StoreError once closed."""
        return self._searcher.search(query)

    def apply(self) -> None:
        """Apply what is pending; when this returns, searches see it. Raises Stopping when the service is stopping."""
        with self._turn:
            if not self._is_open:
                raise StoreError(f"The index of {self.collection.name!r} was closed; ask again.")
            newest = self._home.catalog.changes.last_seq(self.collection)
            if newest == self._seen:
                return
            try:
                self._owner.apply_pending(self._continue)
            finally:
                self._searcher.refresh()  # inside the turn: whoever waited for it sees what was applied
            self._seen = newest

    def follow(self, collection: Collection) -> None:
        """Take over a config that has changed, such as a first model that was just chosen."""
        with self._turn:
            if not self._is_open or collection.config == self.collection.config:
                return
            self.collection = self._owner.collection = collection
            recipe(self._home.catalog, collection, self._owner.store)  # room for the new model's vectors
            self._searcher = self._new_searcher()
            self._seen = -1

    def close(self) -> None:
        """Flush and release the index, after the change in hand; harmless when closed."""
        with self._turn:
            if self._is_open:
                self._is_open = False
                self._closing.close()

    def _new_searcher(self) -> Searcher:
        home, collection = self._home, self.collection
        return Searcher(home.catalog, collection, self._owner.store, lambda: home.encoder(collection))

    def _continue(self, _applied: int, left: int) -> None:
        if left and self._stopping.is_set():
            raise Stopping
