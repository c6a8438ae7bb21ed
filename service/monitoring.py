"""What a service tells those who watch over it, for Prometheus. No label has values that strangers can make up."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.process_collector import ProcessCollector

from retrieval.batches import Batch
from retrieval.home import Home
from retrieval.results import SearchResult
from retrieval.types import Mode
from service.catalog_metrics import EndedJobs, Now

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64)
TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Counts and measures of one running service."""

    def __init__(self, home: Home) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # series that say when each other series began
        self._registry = CollectorRegistry()
        self.requests = self._counter("tandem_requests", "Requests answered.", "method", "route", "status")
        self.request_seconds = self._histogram("tandem_request_seconds", "How long they took.", SECONDS, "route")
        self.searches = self._counter(
            "tandem_searches", "Searches, and whether they found anything.", "mode", "arm", "found"
        )
        self.stage_seconds = self._histogram(
            "tandem_search_stage_seconds", "How long the stages of searches took.", SECONDS, "mode", "arm", "stage"
        )
        self.overlap = self._histogram(
            "tandem_search_leg_overlap", "What share of the documents found both legs found.", SHARES, "arm"
        )
        self.batch_texts = self._histogram(
            "tandem_encoder_batch_texts", "Texts that the encoder took at once.", TEXTS, "kind"
        )
        self.batch_tokens = self._histogram(
            "tandem_encoder_batch_tokens", "Tokens of a batch, padding included.", TOKENS, "kind"
        )
        self._registry.register(Now(home.catalog))
        self._registry.register(EndedJobs(home.catalog))
        ProcessCollector(registry=self._registry)
        home.on_batch = self.encoded

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self._registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, about, labels, buckets=buckets, registry=self._registry)

    def count_unlogged(self, count: Callable[[], int]) -> None:
        """Tell how many searches were not logged, as `count` says when somebody asks."""
        gauge = Gauge("tandem_searches_not_logged", "Searches that were answered, not logged.", registry=self._registry)
        gauge.set_function(count)

    def searched(self, mode: Mode, result: SearchResult) -> None:
        """Count a search."""
        self.searches.labels(mode.value, result.arm, "yes" if result.hits else "no").inc()
        for stage, took_ms in result.timings_ms.items():
            self.stage_seconds.labels(mode.value, result.arm, stage).observe(took_ms / 1_000)
        if mode is Mode.HYBRID and result.hits:
            self.overlap.labels(result.arm).observe(sum(len(hit.legs) > 1 for hit in result.hits) / len(result.hits))

    def encoded(self, batch: Batch) -> None:
        """Measure a batch of the encoder."""
        self.batch_texts.labels(batch.kind).observe(batch.texts)
        self.batch_tokens.labels(batch.kind).observe(batch.tokens)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests.labels(method, route, str(status)).inc()
        self.request_seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' format."""
        return generate_latest(self._registry)
