"""The collections a service has open: it owns their indexes, applies every process's changes, and searches them."""

import logging
import threading
from contextlib import ExitStack
from dataclasses import dataclass

from indexer.apply import IndexOwner, open_index
from indexer.pipeline import Pipeline
from indexer.reindex import check_analyzer
from retrieval.errors import TandemError
from retrieval.home import Home
from retrieval.search import Searcher

logger = logging.getLogger(__name__)

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Served:
    """One open collection."""

    owner: IndexOwner
    searcher: Searcher
    writing: threading.Lock


class Serving:
    """Opens collections when they are first asked for and keeps them until the end. Thread-safe."""

    def __init__(self, home: Home, *, address: str = "") -> None:
        """`address` is where this service answers, announced to other processes that want the index."""
        self.home = home
        self._address = address
        self._served: dict[str, Served] = {}
        self._opening = threading.Lock()
        self._stack = ExitStack()
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="apply-changes", daemon=True)

    def start(self) -> None:
        """Open every collection there is, and begin to watch for changes that other processes commit."""
        for collection in self.home.catalog.collections.list():
            self.of(collection.name)
        self._poller.start()

    def stop(self) -> None:
        """Stop watching; flush and close every index."""
        self._stopping.set()
        if self._poller.is_alive():
            self._poller.join()
        self._stack.close()

    def of(self, name: str) -> Served:
        """Return an open collection; raises NotFound for one that the catalog does not have."""
        with self._opening:
            if name not in self._served:
                self._served[name] = self._opened(name)
            return self._served[name]

    def _opened(self, name: str) -> Served:
        collection = self.home.catalog.collections.get(name)
        check_analyzer(self.home.catalog, collection)
        owner = self._stack.enter_context(open_index(self.home.settings, self.home.catalog, collection))
        owner.store.announce(self._address)
        owner.apply_pending()
        if collection.config.model:
            self.home.encoder_soon(collection)
        searcher = Searcher(self.home.catalog, collection, owner.store, lambda: self.home.encoder(collection))
        return Served(owner, searcher, threading.Lock())

    def writer(self, name: str) -> tuple[Served, Pipeline]:
        """Return a collection ready to be written, made if it is not there."""
        collection, encoder = self.home.prepared(name)
        served = self.of(name)
        if served.searcher.collection.config != collection.config:  # its first model was just chosen
            served = self._renewed(name, served)
        return served, Pipeline.of(self.home.catalog, collection, encoder)

    def _renewed(self, name: str, served: Served) -> Served:
        collection = self.home.catalog.collections.get(name)
        served.owner.collection = collection
        searcher = Searcher(self.home.catalog, collection, served.owner.store, lambda: self.home.encoder(collection))
        with self._opening:
            self._served[name] = Served(served.owner, searcher, served.writing)
            return self._served[name]

    def apply(self, served: Served) -> int:
        """Apply what is pending, one thread at a time, and let the searcher see it."""
        with served.writing:
            applied = served.owner.apply_pending()
        if applied:
            served.searcher.refresh()
        return applied

    def _poll(self) -> None:
        while not self._stopping.wait(POLL_S):
            for name, served in list(self._served.items()):
                try:
                    self._follow(name, served)
                except TandemError:
                    logger.exception("Changes of %s could not be applied; trying again.", name)

    def _follow(self, name: str, served: Served) -> None:
        collection = self.home.catalog.collections.get(name)
        if collection.config != served.searcher.collection.config:
            served = self._renewed(name, served)
        self.apply(served)
