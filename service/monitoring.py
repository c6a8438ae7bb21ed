"""What a service tells those who watch over it: metrics for Prometheus, a request id, a line in the log a request."""

import logging
import re
import time
import uuid
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval.catalog.job import JobState
from retrieval.home import Home
from retrieval.results import SearchResult
from retrieval.types import Mode

access_log = logging.getLogger("tandem.access")

BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
REQUEST_ID = b"x-request-id"
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Metrics:
    """Counts and measures of one running service."""

    def __init__(self, home: Home) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "tandem_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self.request_seconds = Histogram(
            "tandem_request_seconds", "How long requests took.", ["route"], buckets=BUCKETS, registry=self._registry
        )
        self.searches = Counter(
            "tandem_searches",
            "Searches, and whether they found anything.",
            ["mode", "arm", "found"],
            registry=self._registry,
        )
        self.stage_seconds = Histogram(
            "tandem_search_stage_seconds",
            "How long the stages of searches took.",
            ["mode", "arm", "stage"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.overlap = Histogram(
            "tandem_search_leg_overlap",
            "What share of the documents found both legs found.",
            ["arm"],
            buckets=SHARES,
            registry=self._registry,
        )
        self._registry.register(_Now(home))

    def searched(self, mode: Mode, result: SearchResult) -> None:
        """Count a search."""
        self.searches.labels(mode.value, result.arm, "yes" if result.hits else "no").inc()
        for stage, took_ms in result.timings_ms.items():
            self.stage_seconds.labels(mode.value, result.arm, stage).observe(took_ms / 1_000)
        if mode is Mode.HYBRID and result.hits:
            self.overlap.labels(result.arm).observe(sum(len(hit.legs) > 1 for hit in result.hits) / len(result.hits))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests.labels(method, route, str(status)).inc()
        self.request_seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' format."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is read from the catalog when somebody asks."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def describe(self) -> list[GaugeMetricFamily]:
        """Name nothing beforehand: the catalog need not be read to make this."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read changes that wait, and jobs by state."""
        catalog = self._home.catalog
        pending = GaugeMetricFamily("tandem_pending_changes", "Changes that wait for the index.", labels=["collection"])
        for collection in catalog.collections.list():
            pending.add_metric([collection.name], catalog.changes.count_pending(collection))
        yield pending
        jobs = GaugeMetricFamily("tandem_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        for (kind, state), count in catalog.jobs.counts().items():
            jobs.add_metric([kind, JobState(state).value], count)
        yield jobs


class Watched:
    """Gives every request an id, measures it, and writes a line about it into the log."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own, began, status = _id_of(scope), time.perf_counter(), 500

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (REQUEST_ID, own)]}
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            took = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(scope["method"] if route != "other" else "other", route, status, took)
            access_log.info(
                "%s %s %d %.1f ms %s", scope["method"], _shown(scope["path"]), status, took * 1_000, own.decode()
            )


def _id_of(scope: Scope) -> bytes:
    """Return the id that a proxy gave the request, if it is one, or a new one."""
    given = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")
    return given if _GIVEN.fullmatch(given) else uuid.uuid4().hex.encode()


def _shown(path: str) -> str:
    """Return a path without what would break a line; queries are not logged: they are what people look for."""
    return "".join(c if c.isprintable() else "\ufffd" for c in path[:500])
