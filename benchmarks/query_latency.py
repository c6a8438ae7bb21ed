"""How long does a hybrid search take in a process that is up, by stage and by size of the collection?

The query's text is encoded by the real model; the collection is made up (see benchmarks/synthetic.py). The edge store
is compacted before it is measured, as it is after an ingest; the memory store is exact. Other queries come first, until
the process has met most words, as one that is up has. The same queries are then searched in several rounds, and the
quietest one, by its median, is shown with the range of all: on a shared machine the others measure the neighbours too.

    python -m benchmarks.query_latency [--sizes 20000,100000,200000] [--queries 220] [--rounds 8]
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.harness import Report, parser, percentile, progress, table, target, timed
from benchmarks.homes import COLLECTION, fresh_home
from benchmarks.synthetic import Writing, grow
from indexer.apply import open_index
from indexer.points import fill
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Searcher
from retrieval.stores.memory import MemoryStore

NAME = "query_latency"
SIZES = (20_000, 100_000, 200_000)
STAGES = ("analyse", "encode", "index", "fuse", "present", "total")
WARM_UP = 200
TOTAL_AT_20K_MS, INDEX_AT_100K_MS = 8.0, 4.0

Timings = dict[str, list[float]]
"""Milliseconds of every query of one round, by stage."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is searched: each query in each of the rounds, after the warm-up."""

    warm_up: Sequence[str]
    queries: Sequence[str]
    rounds: int


def measured(searcher: Searcher, asked: Asked) -> list[Timings]:
    """Search every query in every round; the quietest round comes first."""
    for text in asked.warm_up:
        searcher.search(Query(text))
    rounds: list[Timings] = []
    for _ in range(asked.rounds):
        results = [searcher.search(Query(text)) for text in asked.queries]
        rounds.append({stage: [result.timings_ms[stage] for result in results] for stage in STAGES})
    return sorted(rounds, key=lambda ms: percentile(ms["total"], 0.5))


def on_edge(home: Home, writing: Writing, sizes: Sequence[int], asked: Asked) -> dict[str, list[Timings]]:
    """Grow one collection to each size, compact its index, and measure."""
    collection = home.catalog.collections.get(COLLECTION)
    encoder = home.encoder(collection)
    found: dict[str, list[Timings]] = {}
    for size in sorted(sizes):
        with open_index(home.settings, home.catalog, collection) as index:
            grown = timed(lambda index=index, size=size: grow(index, writing, encoder.fingerprint, size))  # type: ignore[misc]  # bound now
            progress(f"{size} chunks written and indexed in {grown:.0f} s; compacting")
            progress(f"compacted in {timed(index.store.compact):.0f} s")
        with open_index(home.settings, home.catalog, collection) as index:
            index.store.warm()
            searcher = Searcher(home.catalog, collection, index.store, lambda: encoder)
            found[f"edge, {size:,} chunks"] = measured(searcher, asked)
    return found


def in_memory(home: Home, asked: Asked) -> list[Timings]:
    """Measure the exact store over what the catalog has."""
    collection = home.catalog.collections.get(COLLECTION)
    store = MemoryStore()
    fill(home.catalog, collection, store)
    return measured(Searcher(home.catalog, collection, store, lambda: home.encoder(collection)), asked)


def _row(name: str, rounds: Sequence[Timings]) -> list[str]:
    quietest, busiest = rounds[0], rounds[-1]
    stages = [f"{percentile(quietest[stage], 0.5):.1f} / {percentile(quietest[stage], 0.99):.1f}" for stage in STAGES]
    return [name, *stages, " to ".join(f"{percentile(ms['total'], 0.5):.1f}" for ms in (quietest, busiest))]


def main() -> None:
    """Measure, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--sizes", default=",".join(map(str, SIZES)), help="chunks, separated by commas")
    options.add_argument("--queries", type=int, default=220)
    options.add_argument("--rounds", type=int, default=8)
    given = options.parse_args()
    sizes = sorted(int(size) for size in given.sizes.split(","))
    with fresh_home() as home:
        _, encoder = home.prepared(COLLECTION)
        writing = Writing(encoder)
        queries = [writing.query() for _ in range(WARM_UP + given.queries)]
        asked = Asked(queries[:WARM_UP], queries[WARM_UP:], given.rounds)
        found = on_edge(home, writing, sizes[:1], asked)
        found[f"memory, {sizes[0]:,} chunks"] = in_memory(home, asked)
        found |= on_edge(home, writing, sizes[1:], asked)
    targets = []
    if (at := f"edge, {20_000:,} chunks") in found:
        total = percentile(found[at][0]["total"], 0.5)
        targets.append(target("p50 of the whole at 20,000 chunks, ms", total, TOTAL_AT_20K_MS))
    if (at := f"edge, {100_000:,} chunks") in found:
        index = percentile(found[at][0]["index"], 0.5)
        targets.append(target("p50 of the index alone at 100,000 chunks, ms", index, INDEX_AT_100K_MS))
    what = (
        f"{given.queries} hybrid queries of two to five words, one after the other, ten hits each; p50 / p99 in ms of "
    )
    what += f"the quietest of {given.rounds} rounds, and the p50 of the whole in the quietest and the busiest."
    rows = [_row(name, rounds) for name, rounds in found.items()]
    parts = [what, table(["store", *STAGES, "all rounds"], rows), *(["\n".join(targets)] if targets else [])]
    Report(NAME, "Latency of a search, by stage", parts).write(given.out)


if __name__ == "__main__":
    main()
