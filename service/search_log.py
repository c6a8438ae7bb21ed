"""The log of searches: written by a thread of its own, in batches; a search never waits for it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from retrieval.catalog import Catalog
from retrieval.catalog.database import now
from retrieval.catalog.searches import LoggedSearch, Origin
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.types import LegScore, Mode

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000
"""Searches that wait to be written; those that come when so many do are not logged."""
MAX_SHOWN = 100
"""Of an answer, so many documents are noted: feedback is taken on these."""
AT_ONCE = 500
GATHER_S = 0.5
"""A batch is written so long after its first search came."""
CLEAN_S = 3_600.0
STOP_WITHIN_S = 3.0
"""Within the 10 s in which a service ends, its indexes have to be flushed as well (see ending.py)."""


class SearchLog:
    """Keeps searches in the catalog for some days. Thread-safe; `start` it, and `stop` it, which writes what waits."""

    def __init__(self, catalog: Catalog, *, days: int) -> None:
        """`days` 0 keeps them for good."""
        self._catalog = catalog
        self._days = days
        self._waiting: deque[LoggedSearch] = deque()
        self._changed = threading.Condition()
        self._taken = self._done = self._dropped = 0
        self._is_hurried = self._is_stopping = False
        self._clean_at = 0.0
        self._thread = threading.Thread(target=self._run, name="log-searches", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)

    @property
    def dropped(self) -> int:
        """How many searches were not logged: too many waited, or the catalog did not take them."""
        return self._dropped

    def add(self, logged: LoggedSearch) -> None:
        """Have a search written soon; it is dropped where too many wait."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                self._dropped += 1
                return
            self._waiting.append(logged)
            self._taken += 1
            self._changed.notify_all()

    def settle(self, timeout_s: float = 5.0) -> None:
        """Return once the searches so far are written, or when that takes too long."""
        with self._changed:
            upto = self._taken
            self._is_hurried = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._done >= upto or not self._thread.is_alive(), timeout_s)

    def _run(self) -> None:
        while True:
            if time.monotonic() >= self._clean_at:
                self._clean_at = time.monotonic() + CLEAN_S
                self._clean()
            batch = self._batch()
            if batch:
                self._write(batch)
            elif self._is_stopping:
                return

    def _batch(self) -> list[LoggedSearch]:
        """Return what is to be written next, once something is or the time to clean has come."""
        with self._changed:
            until_clean = max(0.0, self._clean_at - time.monotonic())
            self._changed.wait_for(lambda: self._waiting or self._is_stopping, until_clean)
            if self._waiting:
                self._changed.wait_for(lambda: self._is_hurried or self._is_stopping, GATHER_S)
            self._is_hurried = False
            return [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]

    def _write(self, batch: Sequence[LoggedSearch]) -> None:
        failed = 0
        try:
            self._catalog.searches.put(batch)
        except Exception:  # whatever the catalog has against it, searching goes on
            logger.exception("%d searches could not be logged.", len(batch))
            failed = len(batch)
        with self._changed:
            self._done += len(batch)
            self._dropped += failed
            self._changed.notify_all()

    def _clean(self) -> None:
        if not self._days:
            return
        before = datetime.now(UTC) - timedelta(days=self._days)
        try:
            self._catalog.searches.forget(before.isoformat(timespec="seconds"))
        except Exception:  # the next hour tries again
            logger.exception("Searches that are older than %d days could not be dropped.", self._days)


def logged(query_id: str, collection: str, query: Query, result: SearchResult, *, origin: Origin) -> LoggedSearch:
    """Return what is kept of a search. NUL, which not every database takes in a text, is replaced."""
    return LoggedSearch(
        id=query_id,
        collection=collection,
        text=result.query.replace("\0", "\ufffd"),
        mode=query.mode,
        arm=result.arm,
        origin=origin,
        k=query.k,
        first=query.offset + 1,
        hits=len(result.hits),
        shown=tuple(hit.document_id for hit in result.hits[:MAX_SHOWN]),
        agreed=_agreed(query, result),
        at=now(),
    )


def _agreed(query: Query, result: SearchResult) -> bool | None:
    """Tell whether both legs put the first document first; None where that cannot be told of this page."""
    if query.mode is not Mode.HYBRID or not result.hits or query.offset:
        return None
    nowhere = LegScore(0, 0.0)
    return any(
        all(hit.legs.get(leg, nowhere).rank == 1 for leg in (Mode.KEYWORD, Mode.EMBEDDING)) for hit in result.hits
    )
