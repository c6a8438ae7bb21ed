"""Searches that a service answers: page by page, counted, and logged under an id that feedback refers to."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from retrieval.catalog.searches import LoggedSearch, Origin
from retrieval.home import Home
from retrieval.query import Query
from retrieval.results import SearchResult
from service.cursors import Cursors, Place
from service.monitoring import Metrics
from service.search_log import SearchLog, logged
from service.serving import Serving

MOVED = "What was found has changed since the pages before this one: a document may be shown twice, or on none of them."


class Counted:
    """Searches of a service that are counted and never kept: those of language models."""

    def __init__(self, serving: Serving, metrics: Metrics) -> None:
        self._serving = serving
        self._metrics = metrics

    @property
    def home(self) -> Home:
        """The home that is searched."""
        return self._serving.home

    def search(self, name: str, query: Query) -> SearchResult:
        """Return the best hits of a collection; raises what a search raises."""
        result = self._serving.search(name, query)
        self._metrics.searched(query.mode, result)
        return result


class Searching:
    """Answers searches of a service. Thread-safe; `running` writes the log meanwhile."""

    def __init__(self, serving: Serving, metrics: Metrics) -> None:
        settings, catalog = serving.home.settings, serving.home.catalog
        self._serving = serving
        self._counted = Counted(serving, metrics)
        self._cursors = Cursors(settings.home)
        self.log = SearchLog(catalog, days=settings.search_log_days) if settings.search_log else None
        metrics.count_unlogged(lambda: self.log.dropped if self.log else 0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write the log until the block ends."""
        if self.log is None:
            yield
            return
        self.log.start()
        try:
            yield
        finally:
            self.log.stop()

    def search(self, collection: str, query: Query, *, cursor: str = "", origin: Origin = Origin.API) -> SearchResult:
        """Return the best hits, or those of the page that a cursor points to; raises what a search raises.

        Raises UsageError for a cursor of another search.
        """
        place = self._cursors.read(cursor, collection, query) if cursor else None
        if place:
            query = replace(query, offset=place.offset)
        result = self._counted.search(collection, query)
        return self._told(collection, query, result, place, origin)

    def logged(self, query_id: str) -> LoggedSearch | None:
        """Return a search by its id, even one that waits to be logged; None for one not known, or not any more."""
        if self.log is None:
            return None
        searches = self._serving.home.catalog.searches
        if (found := searches.get(query_id)) is not None:
            return found
        self.log.settle()
        return searches.get(query_id)

    def _told(
        self, collection: str, query: Query, result: SearchResult, place: Place | None, origin: Origin
    ) -> SearchResult:
        moved = (MOVED,) if place and not place.is_after(result.found) else ()
        query_id = secrets.token_urlsafe(16) if self.log else None
        if self.log and query_id:
            self.log.add(logged(query_id, collection, query, result, origin=origin))
        following = self._cursors.after(collection, query, result.found)
        return replace(result, query_id=query_id, next=following, notes=(*result.notes, *moved))
