"""Suggestions of a service: a collection's completions, made when first asked for and again when it has changed."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.analysis.folding import fold
from retrieval.analysis.stopwords import stopwords
from retrieval.catalog import Catalog, Collection
from retrieval.completion import Completion, Completions

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = 5.0
"""Between two looks at whether a collection has changed; for a large one, REST times as long as reading it takes."""
REST = 20
KEPT = 16
"""Collections whose completions are kept; those read longest ago go."""


@dataclass(slots=True)
class _Made:
    """The completions of a collection as of a change of it, when to look for another, and how long reading it took."""

    collection: int
    seq: int
    completions: Completions
    look_at: float
    took_s: float
    is_renewed: bool = False


class Suggesting:
    """Completes what is typed. Thread-safe; a collection that changes is read again beside those who ask."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._made: dict[str, _Made] = {}
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def complete(self, collection: str, prefix: str, limit: int) -> Sequence[Completion]:
        """Return what a prefix may become; raises NotFound for a collection that is not there."""
        return self._completions(collection).of(prefix, limit)

    def forget(self, collection: str) -> None:
        """Forget what a collection held that was deleted."""
        with self._lock:
            self._made.pop(collection, None)

    def _completions(self, name: str) -> Completions:
        made = self._made.get(name)
        if made is not None and time.monotonic() < made.look_at:
            return made.completions
        collection = self._catalog.collections.get(name)
        if made is None or made.collection != collection.id:
            with self._making:  # several who ask first wait for one reading
                made = self._made.get(name)
                return (made if made and made.collection == collection.id else self._make(collection)).completions
        self._renew(made, collection)
        return made.completions

    def _renew(self, made: _Made, collection: Collection) -> None:
        """Begin to read a collection again if it has changed, unless somebody has begun."""
        made.look_at = _next_look(made.took_s)
        if self._catalog.changes.last_seq(collection) == made.seq:
            return
        with self._lock:
            if made.is_renewed:
                return
            made.is_renewed = True
        threading.Thread(target=self._made_again, args=(made, collection), name="read-names", daemon=True).start()

    def _made_again(self, made: _Made, collection: Collection) -> None:
        try:
            self._make(collection)
        except Exception:  # the old ones are better than none; the next look tries again
            logger.exception("The names of %r could not be read again.", collection.name)
            made.is_renewed = False

    def _make(self, collection: Collection) -> _Made:
        catalog, began = self._catalog, time.monotonic()
        seq = catalog.changes.last_seq(collection)  # before reading: what comes in between is read again
        with catalog.database.read():
            titles, headings = catalog.reading.titles(collection), catalog.reading.headings(collection)
            vocabulary = catalog.vocabulary.all(collection)
        left_out = frozenset(map(fold, stopwords(collection.config.language)))
        completions = Completions(titles, headings, vocabulary, stopwords=left_out)
        took_s = time.monotonic() - began
        made = _Made(collection.id, seq, completions, _next_look(took_s), took_s)
        with self._lock:
            self._made.pop(collection.name, None)
            self._made[collection.name] = made
            while len(self._made) > KEPT:
                del self._made[next(iter(self._made))]
        return made


def _next_look(took_s: float) -> float:
    return time.monotonic() + max(LOOK_AGAIN_S, REST * took_s)
