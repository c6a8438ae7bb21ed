"""One open collection: this process owns its index, applies every process's changes to it, and searches it."""

import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict

from indexer.apply import IndexOwner, open_index
from indexer.carrying import ask_again
from indexer.pace import BESIDE_SEARCHES
from indexer.points import recipe
from indexer.reindex import check_analyzer
from retrieval.catalog import Collection
from retrieval.encoder import OnnxEncoder
from retrieval.errors import IndexBusy, ModelError, StoreError
from retrieval.filters import Filter
from retrieval.home import Home
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.search import Searcher
from retrieval.stores.base import FacetCount
from retrieval.types import JsonValue
from service.other_models import OtherModels
from service.postponed import Postponed
from service.renewing import Renewing

CARRY_S = 0.3
"""For how long a poll brings a candidate's vectors into the index, before it looks after other things."""
CARRY_CHUNKS = 200
"""Chunks whose vectors are put before whoever has changes to apply gets a turn."""
FLUSH = 5.0, 30.0
"""A flush holds searches up for as long as the disk takes: after changes have paused for so long, or at the latest."""
MEASURE = 3.0, 60.0
"""The same for what takes the processor for a second at 20,000 chunks: the moments, and a mean length that drifts."""
SMALL = 500
"""Chunks of which that takes so little that it is done after every change."""
QUICK_S, SHARE_OF_TIME = 0.02, 0.05
"""Statistics that are read as quickly are read after every change, others take this share of the time at most."""
RETRY_S = 10.0
"""Between two attempts to load a model that could not be used."""
TRIAL = "a first query"


class Stopping(IndexBusy):
    """The service is stopping; changes that are not applied yet are applied when the index is next opened."""

    headers = {"Retry-After": "5"}  # noqa: RUF012  # never changed

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
        self._is_open, self._is_leaving = True, False
        self._seen = -1
        self._next: tuple[str, Future[OnnxEncoder]] | None = None
        self._retry_at = 0.0
        self._flush, self._measure = Postponed(*FLUSH), Postponed(*MEASURE)
        self._is_stale, self._refresh_at = True, 0.0
        self._read_at = -1
        self._is_carrying = False
        check_analyzer(home.catalog, collection)
        if collection.config.model:
            home.encoder_soon(collection)  # loads while the index opens
        with ExitStack() as stack:
            self._owner: IndexOwner = stack.enter_context(open_index(home.settings, home.catalog, collection))
            self._owner.store.announce(address)
            self._searcher = self._new_searcher(collection)
            self._others = OtherModels(home, self._owner)
            self._renewing = Renewing(home, self._owner, self._turn)
            self._hold_vectors()
            self._seen = home.catalog.changes.last_seq(collection)
            self._owner.apply_pending(self._continue, carry=False)
            self._read_at = self._seen
            self._owner.store.warm()
            self._searcher.statistics()
            self._owner.pace = BESIDE_SEARCHES
            self._closing = stack.pop_all()

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed."""
        return self._is_open

    @property
    def state(self) -> list[JsonValue]:
        """What searches depend on: the collection, its config, the last change that they see, and the statistics.

        The last change that those know of is told too, as words that are suggested follow changes with them.
        """
        collection, digest = self.collection, self._searcher.statistics().digest
        return [collection.id, asdict(collection.config), self._seen, self._read_at, digest]

    def search(self, query: Query) -> SearchResult:
        """Return the best hits; raises what `Searcher.search` raises, and StoreError once closed."""
        searcher = self._searcher
        is_own = query.suits(searcher.collection.config.model)
        return searcher.search(query) if is_own else self._others.search(query)

    def facet(self, field: str, where: Filter | None, limit: int) -> list[FacetCount]:
        """Count documents by value of a metadata field; raises StoreError once closed."""
        return self._owner.store.facet(field, where, limit)

    def apply(self) -> None:
        """Apply what is pending; when this returns, searches see it. Raises Stopping when the service is stopping."""
        with self._turn:
            if not self._is_open:
                raise self._closed()
            if self._home.catalog.changes.last_seq(self.collection) == self._seen:
                return
            try:
                self._apply(more_to_come=not self._is_small)
            finally:
                self._refresh()  # inside the turn: whoever waited for it sees what was applied

    @property
    def _is_small(self) -> bool:
        terms = self._searcher.statistics().terms
        return terms is None or terms.points <= SMALL

    def _apply(self, *, more_to_come: bool) -> None:
        newest = self._home.catalog.changes.last_seq(self.collection)
        self._flush.note()
        self._measure.note()
        self._renewing.note_change()
        self._is_stale = True
        self._owner.apply_pending(self._continue, more_to_come=more_to_come, carry=False, flush=False)
        self._seen = newest
        if not more_to_come:
            self._measure.done()

    def _refresh(self) -> None:
        """Read the statistics anew, unless that was done a moment ago and takes long."""
        began = time.monotonic()
        if not self._is_stale or began < self._refresh_at:
            return
        self._is_stale = False
        self._searcher.refresh()
        self._others.refresh()
        self._read_at = self._seen
        took = time.monotonic() - began
        self._refresh_at = began if took <= QUICK_S else began + took / SHARE_OF_TIME

    def settle(self) -> None:
        """Do what was put off while changes came in, if it is due now; searches go on meanwhile."""
        with self._turn:
            if not self._is_open:
                return
            if self._measure.is_due():
                self._apply(more_to_come=False)
            self._refresh()
            if self._flush.is_due():
                self._owner.flush()
                self._flush.done()

    def carry(self) -> None:
        """Bring vectors of candidates into the index for a moment, and let go of those that nobody wants any more.

        Between two batches, whoever has changes to apply gets a turn.
        """
        until = time.monotonic() + CARRY_S
        while time.monotonic() < until and not self._stopping.is_set():
            with self._turn:
                put = self._owner.carry_some(CARRY_CHUNKS, flush=False) if self._is_open else None
                self._is_carrying = put is not None
                if not self._is_carrying:
                    return
                self._renewing.give_up()  # whoever promotes waits for the vectors
                self._flush.note()

    @property
    def is_renewing(self) -> bool:
        """Whether another process makes the index anew."""
        return self._renewing.is_at_work

    def renew(self, *, alone: bool) -> None:
        """Have the index made anew if it was asked for or is due, and go over to it; begin only when `alone`."""
        if self._is_open:
            self._renewing.step(may_begin=alone and not self._is_carrying)

    def follow(self, collection: Collection) -> bool:
        """Take over a config that has changed, and tell whether searches are as the collection's config says.

        Another model takes over once it is loaded, has encoded something and has its vectors in the index; until then
        searches go on as they are. Raises ModelError, now and then, for one that cannot be used.
        """
        with self._turn:
            if not self._is_open or collection.config == self.collection.config:
                return True
            now = self._home.catalog.collections.get(self.collection.name)  # a writer's may be out of date
            if now.id != self.collection.id or now.config == self.collection.config:
                return True
            if self.collection.config.model not in ("", now.config.model):
                if (encoder := self._ready(now.config.model)) is None:
                    return False
                self._take_over(now, encoder)
            else:
                self._take_over(now)
            return True

    def _ready(self, version: str) -> OnnxEncoder | None:
        """Return the model's encoder once everything is there to search with it; begin to load it before."""
        if self._next is None or self._next[0] != version:
            self._next, self._retry_at = None, 0.0
        if time.monotonic() < self._retry_at:
            return None
        if self._next is None:
            self._next = version, self._home.soon(version)
        if not self._next[1].done():
            return None
        try:
            encoder = self._next[1].result()
            encoder.encode_queries([TRIAL])
        except Exception as error:  # whatever is wrong with the folder, searches go on with the model there is
            self._next, self._retry_at = None, time.monotonic() + RETRY_S
            raise ModelError(
                f"{self.collection.name!r} is still searched with {self.collection.config.model!r}, because "
                f"{version!r} cannot be used: {error}"
            ) from error
        return encoder if self._owner.carrier.state(encoder.passage_fingerprint).is_put else None

    def _take_over(self, collection: Collection, encoder: OnnxEncoder | None = None) -> None:
        self._renewing.give_up()
        recipe(self._home.catalog, collection, self._owner.store)  # room for the new model's vectors
        searcher = self._new_searcher(collection, encoder)
        if encoder is not None:
            searcher.statistics()  # read before the first search waits for them
            ask_again(self._owner.carrier.ledger, encoder.passage_fingerprint)
        self._searcher = searcher  # before what `state` tells of it: a search is never older than that
        self.collection = self._owner.collection = collection
        self._others.refresh()
        self._is_stale, self._refresh_at = True, 0.0
        self._next = None
        self._hold_vectors()
        self._seen = -1

    def _hold_vectors(self) -> None:
        """Keep the vectors that searches use, whatever becomes of their model in the catalog."""
        version = self.collection.config.model
        names = [self._home.catalog.models.get(version).passage_fingerprint] if version else []
        self._owner.carrier.in_use = frozenset(names)

    def close(self) -> None:
        """Flush and release the index, after the change in hand; harmless when closed."""
        self._is_leaving = True
        with self._turn:
            if self._is_open:
                self._is_open = False
                with self._closing:
                    self._renewing.give_up()
                    self._owner.flush()

    def _new_searcher(self, collection: Collection, encoder: OnnxEncoder | None = None) -> Searcher:
        home = self._home
        load = (lambda: encoder) if encoder is not None else (lambda: home.encoder(collection))
        return Searcher(home.catalog, collection, self._owner.store, load)

    def _continue(self, _applied: int, left: int) -> None:
        if left and self._stopping.is_set():
            raise Stopping
        if left and self._is_leaving:
            raise self._closed()

    def _closed(self) -> StoreError:
        return StoreError(f"The index of {self.collection.name!r} was closed; ask again.")
