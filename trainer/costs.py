"""What an arm costs on this machine: encoding, embedding the corpus, memory, and the time of a query by stage."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from retrieval.encoder import Encoder
from retrieval.query import Query
from retrieval.search import Stopwatch
from retrieval.types import Mode
from trainer.arms import Arm
from trainer.findings import Cost
from trainer.runs import Runner

SAMPLED_QUERIES = 30
SAMPLED_CHUNKS = 64
TERM_BYTES, NUMBER_BYTES = 8, 4
"""What the index holds of a term (its id and weight) and of a dimension."""
_LEGS = {Mode.KEYWORD: (Mode.KEYWORD,), Mode.EMBEDDING: (Mode.EMBEDDING,), Mode.HYBRID: (Mode.KEYWORD, Mode.EMBEDDING)}


@dataclass(frozen=True, slots=True)
class _Sample:
    """Queries and chunks that stand for all: `terms` is the mean number of terms a chunk has."""

    queries: Sequence[str]
    texts: Sequence[str]
    terms: float
    chunks: int


def costs_of(runner: Runner, arms: Sequence[Arm], queries: Sequence[str]) -> list[Cost]:
    """Measure each arm that is a search of Tandem's, on a sample of the queries and of the chunks.

    Times are medians on the exact index that evaluation uses, each query encoded alone as a search does.
    """
    sample = _sampled(runner, queries)
    return [_cost(runner, arm, mode, sample) for arm in arms if (mode := arm.mode) is not None]


def _sampled(runner: Runner, queries: Sequence[str]) -> _Sample:
    catalog, collection = runner.home.catalog, runner.collection
    chunks = next(iter(catalog.chunks.all_texts(collection)), [])
    stored = next(iter(catalog.chunks.all_stored(collection)), [])
    return _Sample(
        queries=queries[:: max(1, len(queries) // SAMPLED_QUERIES)][:SAMPLED_QUERIES],
        texts=[text.chunk.embedding_text(text.title) for text in islice(chunks, 0, None, _step(len(chunks)))],
        terms=sum(len(chunk.terms.indices) for chunk in stored) / max(1, len(stored)),
        chunks=catalog.chunks.lengths(collection)[0],
    )


def _step(count: int) -> int:
    return max(1, count // SAMPLED_CHUNKS)


def _cost(runner: Runner, arm: Arm, mode: Mode, sample: _Sample) -> Cost:
    size = sample.terms * TERM_BYTES if mode is not Mode.EMBEDDING else 0.0
    ms = {str(leg): _rank_ms(runner, arm, leg, sample.queries)["index"] for leg in _LEGS[mode]}
    ranked = _rank_ms(runner, arm, mode, sample.queries)
    ms["fuse"] = ranked["fuse"]
    if mode is Mode.KEYWORD:
        return Cost(str(arm), None, None, size, {**ms, "total": sum(ranked.values())})
    config = replace(runner.collection.config, model=arm.version)
    encoder = runner.home.encoder(replace(runner.collection, config=config))
    encoder.encode_queries(["warm up"])
    encode_ms = statistics.median(_seconds(encoder, query) for query in sample.queries) * 1000
    started = time.perf_counter()
    encoder.encode_passages(sample.texts)
    chunk_s = (time.perf_counter() - started) / max(1, len(sample.texts))
    ms = {"encode": encode_ms, **ms, "total": sum(ranked.values()) - ranked["encode"] + encode_ms}
    return Cost(str(arm), 1000 * chunk_s, sample.chunks * chunk_s, size + encoder.dimensions * NUMBER_BYTES, ms)


def _seconds(encoder: Encoder, query: str) -> float:
    started = time.perf_counter()
    encoder.encode_queries([query])
    return time.perf_counter() - started


def _rank_ms(runner: Runner, arm: Arm, mode: Mode, queries: Sequence[str]) -> dict[str, float]:
    """Return the median milliseconds of each stage of ranking."""
    searcher = runner.searcher(arm)
    taken: dict[str, list[float]] = {"analyse": [], "encode": [], "index": [], "fuse": []}
    for query in [queries[0], *queries]:  # the first warms up
        watch = Stopwatch()
        searcher.rank(Query(query, mode=mode), watch)
        for stage, ms in watch.ms.items():
            taken[stage].append(ms)
    return {stage: statistics.median(ms[1:]) for stage, ms in taken.items()}
