"""Metrics that are read from the catalog when somebody asks: what waits, and what became of jobs."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from retrieval.catalog import Catalog
from retrieval.catalog.job import Ended, JobState

LATE_S = 60.0
"""How long after its end a job may stand in the catalog: clocks of workers differ, and writers wait for each other."""
JOB_SECONDS = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 43_200)


class Now(Collector):
    """What waits now."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def describe(self) -> list[Metric]:
        """Name nothing beforehand: the catalog need not be read to make this."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read changes that wait, and jobs by state."""
        yield self._pending()
        jobs = GaugeMetricFamily("tandem_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        for (kind, state), count in self._catalog.jobs.counts().items():
            jobs.add_metric([kind, JobState(state).value], count)
        yield jobs
        depth, waits_s = self._catalog.jobs.queue()
        yield GaugeMetricFamily("tandem_queue_depth", "Jobs that wait for a worker.", value=depth)
        yield GaugeMetricFamily("tandem_queue_oldest_seconds", "How long the oldest of them has waited.", value=waits_s)

    def _pending(self) -> Metric:
        pending = GaugeMetricFamily("tandem_pending_changes", "Changes that wait for the index.", labels=["collection"])
        for collection in self._catalog.collections.list():
            pending.add_metric([collection.name], self._catalog.changes.count_pending(collection))
        return pending


class EndedJobs(Collector):
    """What became of jobs since the service began, and how long they took."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._reading = threading.Lock()
        self._since = self._began = datetime.now(UTC).replace(microsecond=0)
        self._counted: set[Ended] = set()
        own = CollectorRegistry()
        labels = ["kind", "outcome"]
        self._ended = Counter("tandem_jobs_ended", "Jobs that are over.", labels, registry=own)
        self._seconds = Histogram(
            "tandem_job_seconds", "How long jobs took.", labels, buckets=JOB_SECONDS, registry=own
        )

    def describe(self) -> list[Metric]:
        """Name nothing beforehand: the catalog need not be read to make this."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Count the jobs that have ended since the last time."""
        with self._reading:
            self._count()
        yield from self._ended.collect()
        yield from self._seconds.collect()

    def _count(self) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        found = set(self._catalog.jobs.ended(since=self._since.isoformat()))
        for job in found - self._counted:
            self._ended.labels(job.kind, job.state).inc()
            if job.started_at:
                self._seconds.labels(job.kind, job.state).observe(_took_s(job))
        self._since = max(self._began, now - timedelta(seconds=LATE_S))
        self._counted = {job for job in found if job.ended_at >= self._since.isoformat()}


def _took_s(job: Ended) -> float:
    began, ended = (datetime.fromisoformat(written) for written in (job.started_at, job.ended_at))
    return max(0.0, (ended - began).total_seconds())
