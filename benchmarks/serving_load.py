"""How does a service answer under load, while nothing else runs and while another shell ingests?

A service of its own process over a made-up collection (see benchmarks/synthetic.py), with the real encoder. Clients on
loopback, in a process of their own, each keep one connection and send the next hybrid query when the last is answered;
none is asked twice. Then `tandem ingest` of real posts into the same collection runs in a third process meanwhile: its
encoder and the service's share the machine's cores, which the stage `encode` shows.

    python -m benchmarks.serving_load [--chunks 20000] [--clients 1,4,16] [--seconds 20]
"""

import http.client
import json
import multiprocessing
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.harness import SHARED_DATA, Report, parser, percentile, progress, table, target, timed
from benchmarks.homes import COLLECTION, fresh_home
from benchmarks.services import TANDEM, served
from benchmarks.synthetic import Writing, grow
from indexer.apply import open_index
from retrieval.home import Home

NAME = "serving_load"
POSTS = SHARED_DATA / "rust-blog"
ANSWER_WITHIN_S = 30.0
WARM_UP_S = 3.0
P99_GROWS_AT_MOST = 3.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered query: how long the client waited, and what of it two stages took; and what failed, if it did."""

    waited_ms: float
    encode_ms: float = 0.0
    index_ms: float = 0.0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """What so many clients got in so many seconds."""

    clients: int
    seconds: float
    answers: Sequence[Answer]

    @property
    def failures(self) -> list[str]:
        """Return what failed."""
        return [answer.failure for answer in self.answers if answer.failure]

    @property
    def p99_ms(self) -> float:
        """Return the 99th percentile of what the clients waited."""
        return percentile([answer.waited_ms for answer in self.answers], 0.99)

    def row(self, name: str) -> list[str]:
        """Return the line of the table."""

        def spread(values: list[float]) -> str:
            return f"{percentile(values, 0.5):.1f} / {percentile(values, 0.99):.1f}"

        fine = [answer for answer in self.answers if not answer.failure]
        return [
            f"{self.clients}, {name}",
            f"{len(fine) / self.seconds:.0f}",
            spread([answer.waited_ms for answer in self.answers]),
            spread([answer.encode_ms for answer in fine]),
            spread([answer.index_ms for answer in fine]),
            str(len(self.failures)),
        ]


def ask(connection: http.client.HTTPConnection, query: str) -> Answer:
    """Send one query over a connection that is kept."""
    began = time.perf_counter()
    try:
        connection.request("GET", f"/v1/search?q={quote(query)}")
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Answer((time.perf_counter() - began) * 1000, failure=repr(error))
    waited_ms = (time.perf_counter() - began) * 1000
    if response.status != http.client.OK:
        return Answer(waited_ms, failure=f"{response.status} {body[:200]!r}")
    stages = json.loads(body)["timings_ms"]
    return Answer(waited_ms, stages["encode"], stages["index"])


def clients(port: int, count: int, seconds: float, queries: Sequence[str]) -> list[Answer]:
    """Be so many clients for so long; run in a process of its own."""
    answers: list[list[Answer]] = [[] for _ in range(count)]
    until = time.monotonic() + seconds

    def client(own: list[Answer], asked: Iterator[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S)
        while time.monotonic() < until and (query := next(asked, None)) is not None:
            own.append(ask(connection, query))
        connection.close()

    threads = [
        threading.Thread(target=client, args=(own, iter(queries[place::count]))) for place, own in enumerate(answers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for own in answers for answer in own]


@dataclass(slots=True)
class Clients:
    """Asks a service, each query once."""

    port: int
    queries: Iterator[str]
    at_most_a_second: int = 1000

    def load(self, count: int, seconds: float) -> Load:
        """Be so many clients for so long."""
        queries = [next(self.queries) for _ in range(int(seconds * self.at_most_a_second))]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            began = time.perf_counter()
            answers = pool.apply(clients, (self.port, count, seconds, queries))
            return Load(count, min(seconds, time.perf_counter() - began), answers)


@contextmanager
def ingesting(home: Path) -> Iterator[None]:
    """Ingest real posts meanwhile, in another process; raises RuntimeError if that ends before the load does."""
    command = [*TANDEM, "ingest", str(POSTS), "--home", str(home), "--collection", COLLECTION]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"The ingest ended with {process.returncode} before the load did: use fewer --seconds.")
    finally:
        process.terminate()
        process.wait(60)


def grown(home: Home, writing: Writing, chunks: int) -> None:
    """Fill the home's collection with this many chunks, as after an ingest."""
    collection = home.catalog.collections.get(COLLECTION)
    fingerprint = home.encoder(collection).passage_fingerprint
    with open_index(home.settings, home.catalog, collection) as index:
        progress(f"{chunks} chunks written in {timed(lambda: grow(index, writing, fingerprint, chunks)):.0f} s")
        index.store.compact()


def measured(asking: Clients, counts: Sequence[int], seconds: float, name: str) -> list[Load]:
    """Load the service with each number of clients."""
    asking.load(max(counts), WARM_UP_S)
    loads = []
    for count in counts:
        loads.append(asking.load(count, seconds))
        progress(f"{name}: {loads[-1].row(name)}")
    return loads


def main() -> None:
    """Measure, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--chunks", type=int, default=20_000)
    options.add_argument("--clients", default="1,4,16")
    options.add_argument("--seconds", type=float, default=20.0)
    given = options.parse_args()
    counts = [int(count) for count in given.clients.split(",")]
    if not POSTS.is_dir():
        raise SystemExit("The posts to ingest are not there: this benchmark needs ../shared/data/rust-blog.")
    with fresh_home() as home:
        _, encoder = home.prepared(COLLECTION)
        writing = Writing(encoder)
        grown(home, writing, given.chunks)
        queries = iter(writing.query, "")
        folder = home.settings.home
        os.environ["TANDEM_MODEL"] = home.settings.model
        with served(folder) as service:
            asking = Clients(service.port, queries)
            idle = measured(asking, counts, given.seconds, "idle")
            with ingesting(folder):
                time.sleep(WARM_UP_S)
                busy = measured(asking, counts, given.seconds, "ingesting")
    rows = [load.row(name) for name, loads in (("idle", idle), ("ingesting", busy)) for load in loads]
    failed = [failure for load in (*idle, *busy) for failure in load.failures]
    header = ["clients", "requests/s", "p50 / p99 ms", "encode, p50 / p99 ms", "index, p50 / p99 ms", "failed"]
    targets = [
        target(f"p99 while ingesting over p99 while idle, {quiet.clients} clients", ratio, P99_GROWS_AT_MOST)
        for quiet, loud in zip(idle, busy, strict=True)
        for ratio in [loud.p99_ms / quiet.p99_ms]
    ]
    targets.append(target("Failed requests", len(failed), 0))
    what = (
        f"{given.chunks:,} chunks, hybrid queries of two to five words, ten hits each, {given.seconds:.0f} s a line. "
        "Clients, service and ingest share the machine."
    )
    Report(NAME, "A service under load", [what, table(header, rows), "\n".join(targets), *failed[:5]]).write(given.out)


if __name__ == "__main__":
    main()
