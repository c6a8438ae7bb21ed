"""The index owner: pending changes -> store -> flush -> marked indexed.

Exactly one process owns an index. Whatever order it is killed in, the catalog still says what is missing: applying a
change twice does no harm, and a change is marked only after the store has flushed.

A flush stops the whole process for as long as the disk takes (see docs/architecture.md), so who serves puts it off.
"""

import logging
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager

from indexer.candidates import wanted_vectors
from indexer.carrying import CARRIED, Carrier, CatalogLedger, Ledger, MemoryLedger, as_json, complete
from indexer.identity import identity, new_identity
from indexer.moments import record_moments
from indexer.pace import AT_ONCE
from indexer.points import fill, points, recipe
from retrieval.catalog import Catalog, Change, Collection
from retrieval.settings import Settings
from retrieval.stores import open_store, remove_store
from retrieval.stores.base import Store
from retrieval.types import JsonValue

logger = logging.getLogger(__name__)

DRIFT_WHILE_BUSY = 0.10
DRIFT_WHEN_DONE = 0.01
COMPACT_FROM_POINTS = 20_000
COMPACT_SHARE = 0.10

OnProgress = Callable[[int, int], None]
"""Called with (changes applied, changes still pending)."""


class IndexOwner:
    """Applies the catalog's changes to the one index of a collection. Not thread-safe: one caller at a time."""

    def __init__(
        self,
        catalog: Catalog,
        collection: Collection,
        store: Store,
        *,
        cursor: int | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """`cursor` is for an index that each process has its own copy of: the last change its copy holds.

        `ledger` knows which models' vectors such a copy holds; of an index on disk, the catalog does.
        """
        self.catalog = catalog
        self.collection = collection
        self.store = store
        self.carrier = Carrier(catalog, collection, store, ledger or CatalogLedger(catalog, collection))
        self.pace = AT_ONCE
        self.touched: set[int] | None = None
        """Chunks written since the index began to be made anew beside; None while it is not."""
        self._cursor = cursor
        self._unflushed: list[int] = []
        self._is_measured = False  # of what another process left, nothing is known yet

    def apply_pending(
        self,
        on_progress: OnProgress | None = None,
        *,
        more_to_come: bool = False,
        carry: bool = True,
        flush: bool = True,
    ) -> int:
        """Apply every pending change, oldest first, and return how many; each batch is flushed, then marked.

        Without `flush`, that is left to `flush()`: searches see the changes, and a kill has them applied once more.
        With `more_to_come`, chunks are not weighed again for a mean length that is still changing a little, and moments
        are taken again only when their chunks have doubled. With `carry`, the index then carries what it is to carry;
        while more is to come, a batch of that.
        """
        applied = 0
        is_busy = more_to_come or bool(self._next())
        self._settle_length(DRIFT_WHILE_BUSY if is_busy else DRIFT_WHEN_DONE)
        while changes := self._next():
            self._apply(changes, flush=flush)
            applied += len(changes)
            if on_progress:
                on_progress(applied, self.catalog.changes.count_pending(self.collection))
            if not more_to_come and not self._next():
                self._settle_length(DRIFT_WHEN_DONE)
        if applied:
            self._add_uncompacted(applied)
        if applied or not self._is_measured:
            self._measure(applied, more_to_come=more_to_come)
            self._is_measured = not more_to_come
        if carry:
            self.carry_some() if more_to_come else self.carry()
        return applied

    def carry(self, on_put: Callable[[int], None] = lambda _: None) -> None:
        """Make the index carry the vectors it is to carry, and no others; `on_put` hears of each batch put."""
        while (put := self.carry_some()) is not None:
            on_put(put)

    def carry_some(self, limit: int | None = None, *, flush: bool = True) -> int | None:
        """Do a batch of that, of `limit` chunks, and return how many vectors it put; None for nothing left to do.

        Without `flush`, what was put is flushed when nothing is left to do, or by `flush()`.
        """
        put = self.carrier.step(limit, self.pace)
        if put:
            self._add_uncompacted(put)
        if self.carrier.is_ahead and (flush or put is None):
            self.flush()
        return put

    def flush(self) -> None:
        """Flush what was done without, then mark and record it; nothing happens when there was nothing."""
        if self._unflushed or self.carrier.is_ahead:
            self.store.flush()
            self.record_flushed()

    def record_flushed(self) -> None:
        """Mark and record what was done without a flush: the store has flushed since."""
        self.catalog.changes.mark_indexed(self.collection, self._unflushed)
        self._unflushed = []
        self.carrier.record()

    def _next(self) -> list[Change]:
        if self._cursor is None:
            return self.catalog.changes.pending(self.collection, self.pace.changes)
        return self.catalog.changes.since(self.collection, self._cursor, self.pace.changes)

    def _apply(self, changes: Sequence[Change], *, flush: bool) -> None:
        chunks = {change.chunk_id for change in changes}
        if self.touched is not None:
            self.touched |= chunks
        self.bring(chunks, self.store, self.carrier)
        self._unflushed.extend(change.seq for change in changes)
        if flush:
            self.flush()
        else:
            self.catalog.changes.mark_applied(self.collection, [change.seq for change in changes])
        if self._cursor is not None:
            self._cursor = changes[-1].seq

    def bring(self, chunks: Set[int], store: Store, carrier: Carrier) -> None:
        """Make the points of these chunks in a store what the catalog says: those whose chunk is gone are deleted."""
        present = self.catalog.chunks.stored(self.collection, chunks)
        made = points(self.catalog, recipe(self.catalog, self.collection, store), present)
        for gone in self.pace.steps(sorted(chunks - {chunk.id for chunk in present})):
            store.delete(gone)
        for step in self.pace.steps(made):
            store.upsert(step)
        carrier.note_missing(made)

    def _settle_length(self, tolerated_drift: float) -> None:
        """Weigh every chunk again when the mean chunk length has drifted from the one the index was weighed with."""
        _, mean = self.catalog.chunks.lengths(self.collection)
        recorded = self.catalog.collections.setting(self.collection, "average_length")
        if not mean or (recorded and abs(mean / recorded - 1) <= tolerated_drift):
            return
        logger.info("Weighing every chunk for a mean length of %.1f terms (was %s).", mean, recorded)
        if recorded:
            self.catalog.changes.redo_all(self.collection)  # first: killed before the other, it is merely done again
        self.catalog.collections.put_setting(self.collection, "average_length", mean)

    def _measure(self, applied: int, *, more_to_come: bool) -> None:
        settings = self.catalog.collections
        before = settings.setting(self.collection, "unmeasured") or 0  # by whom an ingest ended does not matter
        changed = before + applied
        if changed and record_moments(self.catalog, self.collection, changed, more_to_come=more_to_come):
            changed = 0
        if changed != before:
            settings.put_setting(self.collection, "unmeasured", changed)

    def rebuild(self, on_progress: OnProgress | None = None) -> int:
        """Empty the index and fill it from the catalog; return how many chunks it now holds."""
        self.catalog.changes.redo_all(self.collection)  # first: an emptied index must not pass for a complete one
        self.store.clear()
        self.store.flush()
        self.catalog.collections.put_setting(self.collection, CARRIED, _carried_by_empty(self))
        self.apply_pending(on_progress)
        return self.store.count()

    def _add_uncompacted(self, applied: int) -> None:
        total = (self.catalog.collections.setting(self.collection, "uncompacted") or 0) + applied
        self.catalog.collections.put_setting(self.collection, "uncompacted", total)

    def is_compaction_due(self) -> bool:
        """Whether enough has changed since the approximate index was built."""
        points_held = self.store.count()
        uncompacted = self.catalog.collections.setting(self.collection, "uncompacted") or 0
        return points_held >= COMPACT_FROM_POINTS and uncompacted >= COMPACT_SHARE * points_held

    def compact_if_due(self) -> bool:
        """Build the approximate index when enough has changed; it blocks the whole process, so never while serving."""
        if not self.is_compaction_due():
            return False
        self.store.compact()
        self.record_compacted()
        return True

    def record_compacted(self, since: int = 0) -> None:
        """Record that the approximate index was built, and how many points have changed since."""
        self.catalog.collections.put_setting(self.collection, "uncompacted", since)


@contextmanager
def open_index(settings: Settings, catalog: Catalog, collection: Collection) -> Iterator[IndexOwner]:
    """Open the collection's index as its owner, rebuilt if it is not the one the catalog knows; close it at the end.

    Raises IndexBusy, naming the holder, when another process owns it.
    """
    store = open_store(settings, collection.name)
    try:
        owner = _owner(settings, catalog, collection, store)
        recipe(catalog, collection, store)  # room for the model's vectors, so that an empty index can be searched too
        yield owner
    finally:
        store.close()


@contextmanager
def open_emptied_index(settings: Settings, catalog: Catalog, collection: Collection) -> Iterator[IndexOwner]:
    """Open a new, empty index in place of the collection's, which may be damaged; the caller rebuilds it.

    Left early, it is rebuilt by whoever opens it next. Raises IndexBusy when another process owns the index.
    """
    remove_store(settings, collection.name)
    catalog.collections.put_setting(collection, "index", {})
    store = open_store(settings, collection.name)
    try:
        owner = IndexOwner(catalog, collection, store)
        yield owner
        catalog.collections.put_setting(collection, "index", _fresh(settings, owner))
    finally:
        store.close()


def _owner(settings: Settings, catalog: Catalog, collection: Collection, store: Store) -> IndexOwner:
    if settings.store != "memory":
        owner = IndexOwner(catalog, collection, store)
        catalog.changes.doubt_applied(collection)
        _make_current(settings, owner)
        return owner
    cursor = catalog.changes.last_seq(collection)  # first: a change made while filling is applied again, harmlessly
    ledger = MemoryLedger(fill(catalog, collection, store))
    owner = IndexOwner(catalog, collection, store, cursor=cursor, ledger=ledger)
    if catalog.collections.setting(collection, "index") != _fresh(settings, owner):
        catalog.collections.put_setting(collection, "index", _fresh(settings, owner))
    return owner


def _make_current(settings: Settings, owner: IndexOwner) -> None:
    """Rebuild an index that is new, was deleted, belongs to another catalog, or was made with other parameters."""
    expected = owner.catalog.collections.setting(owner.collection, "index")
    found = {**_parameters(owner), "identity": identity(settings, owner.collection)}
    if expected == found:
        return
    fresh = _fresh(settings, owner)
    settings_of = owner.catalog.collections
    if expected is not None or owner.store.count():
        owner.rebuild()
        settings_of.put_setting(owner.collection, "index", fresh)
    else:
        settings_of.put_settings(owner.collection, {"index": fresh, CARRIED: _carried_by_empty(owner)})


def _carried_by_empty(owner: IndexOwner) -> JsonValue:
    """Return the states of the vectors of an index without a point: every point has each of them."""
    return as_json(complete(wanted_vectors(owner.catalog, owner.collection)))


def _fresh(settings: Settings, owner: IndexOwner) -> dict[str, JsonValue]:
    """Return what the catalog records of an index just made, giving it an identity of its own."""
    if settings.store == "memory":
        return {"identity": "memory"}
    return {**_parameters(owner), "identity": new_identity(settings, owner.collection)}


def _parameters(owner: IndexOwner) -> dict[str, JsonValue]:
    config = owner.collection.config
    return {"k1": config.k1, "b": config.b}
