"""Embedding beside the rest of an ingest: batches of prepared documents in line for a thread of its own."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from indexer.pipeline import Pipeline
from retrieval.catalog import DocumentRecord

FIRST_BATCH_TEXTS = 32
"""The first batch is small, for nothing is embedded while it is parsed; each later one may be twice the one before."""
BATCH_TEXTS = 256
BATCH_DOCUMENTS = 500
IN_LINE = 3
"""Batches prepared and not yet committed, one of them being embedded: a document long to parse holds up none."""


@dataclass(slots=True)
class Prepared:
    """Documents of one source to be embedded and committed together, with the hashes of the items they came from."""

    root: str
    records: list[DocumentRecord] = field(default_factory=list)
    items: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def texts(self) -> int:
        """How many chunks these documents have."""
        return sum(len(record.chunks) for record in self.records)

    def taken(self) -> "Prepared | None":
        """Return what the batch holds, None for nothing, and empty it."""
        full = Prepared(self.root, self.records, self.items, self.size_bytes)
        self.records, self.items, self.size_bytes = [], {}, 0
        return full if full.records or full.items else None


class Embedding:
    """Embeds batch after batch in a thread of its own; on leaving, what is under way ends after its slice."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._queue: deque[tuple[Prepared, Future[int]]] = deque()
        self._wanted_texts = FIRST_BATCH_TEXTS

    def __enter__(self) -> None:
        self._stop = Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedding")

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.shutdown(cancel_futures=True)

    def wants(self, batch: Prepared) -> bool:
        """Tell whether a batch is large enough to be embedded."""
        return batch.texts >= self._wanted_texts or len(batch.records) >= BATCH_DOCUMENTS

    def put(self, batch: Prepared) -> None:
        """Put a batch in line."""
        self._wanted_texts = min(BATCH_TEXTS, 2 * self._wanted_texts)
        self._queue.append((batch, self._thread.submit(self._embed, batch.records)))

    def done(self) -> Iterator[tuple[Prepared, int]]:
        """Yield what is done, each batch with the texts embedded for it, waiting while the line is too long.

        Raises what embedding raised.
        """
        while self._queue and (len(self._queue) > IN_LINE or self._queue[0][1].done()):
            yield self._taken()

    def rest(self) -> Iterator[tuple[Prepared, int]]:
        """Yield every batch left in line, as `done` does."""
        while self._queue:
            yield self._taken()

    def _taken(self) -> tuple[Prepared, int]:
        batch, embedded = self._queue[0]
        texts = embedded.result()
        self._queue.popleft()
        return batch, texts

    def _embed(self, records: Sequence[DocumentRecord]) -> int:
        missing = self._pipeline.missing(records)
        self._pipeline.embed(missing, stop=self._stop)
        return len(missing)
