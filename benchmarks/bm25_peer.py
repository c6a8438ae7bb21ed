"""The keyword leg against rank-bm25's Okapi, on the same tokens: how fast, and does it give the same ten?

Okapi's idf is another (it can be negative, and is then replaced); so agreement is shown twice: with the idf it ships,
and with ours put into it, where the ten best must be the same but for ties.

    python -m benchmarks.bm25_peer [--documents 5200] [--queries 200]
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]  # it ships no types

from benchmarks.harness import SHARED_DATA, Report, parser, percentile, progress, table, target
from indexer.sources import Item, SourceOptions, open_source
from retrieval.analysis import Analyzer
from retrieval.keyword import Bm25, length, sparse
from retrieval.stores.base import KeywordLeg, Point, Store
from retrieval.stores.edge import EdgeStore
from retrieval.stores.exact import idf
from retrieval.stores.memory import MemoryStore
from retrieval.types import Document

NAME = "bm25_peer"
K1, B = 1.2, 0.75
TOP = 10
SCIFACT = SHARED_DATA / "scifact-dev"
TIE = 1e-4
"""Scores closer than this share of the best one are a tie: our stores keep float32."""

Ranker = Callable[[list[str]], Sequence[tuple[int, float]]]
"""From a query's tokens to the best ten (document, score)."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Token lists of documents and of queries."""

    name: str
    documents: list[list[str]]
    queries: list[list[str]]


def corpus(documents: int, queries: int) -> Corpus:
    """Read SciFact's abstracts and claims where they are there, else Python's documentation and its own titles."""
    if SCIFACT.is_dir():
        records = [json.loads(line) for line in _lines(SCIFACT / "corpus.jsonl", documents)]
        asked = [json.loads(line)["text"] for line in _lines(SCIFACT / "queries.jsonl", queries)]
        return _tokens("SciFact's abstracts and claims", [f"{r['title']}\n{r['text']}" for r in records], asked)
    pages = list(islice(_pydoc("asyncio,os,json,logging,subprocess,socket,email,pathlib"), documents))
    titles = [page.title.replace(".", " ").replace("_", " ") for page in pages[:: max(1, len(pages) // queries)]]
    return _tokens("Python's documentation and its titles", [page.text for page in pages], titles[:queries])


def _lines(path: Path, count: int) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[:count]


def _pydoc(modules: str) -> Iterator[Document]:
    for source in open_source(f"pydoc:{modules}", SourceOptions()):
        for item in source.items():
            if isinstance(item, Item):
                parsed = source.parse(item, source.read(item))
                yield from (found for found in parsed if isinstance(found, Document))


def _tokens(name: str, texts: Sequence[str], queries: Sequence[str]) -> Corpus:
    analyzer = Analyzer()
    documents = [list(analyzer.terms(text).elements()) for text in texts]
    return Corpus(name, documents, [list(analyzer.query_terms(query)) for query in queries])


def okapi_ranker(okapi: BM25Okapi) -> Ranker:
    """Rank with rank-bm25's scores."""

    def rank(query: list[str]) -> list[tuple[int, float]]:
        scores: NDArray[np.float64] = okapi.get_scores(query)
        best = np.argsort(-scores, kind="stable")[:TOP]
        return [(int(place), float(scores[place])) for place in best if scores[place] != 0]

    return rank


def store_ranker(store: Store) -> Ranker:
    """Rank with a store's keyword leg."""

    def rank(query: list[str]) -> list[tuple[int, float]]:
        [found] = store.search([KeywordLeg(sparse(dict.fromkeys(query, 1.0)))], TOP)
        return [(candidate.id, candidate.score) for candidate in found]

    return rank


def fill(store: Store, documents: Sequence[Sequence[str]]) -> None:
    """Put token lists into a store as BM25 weights."""
    vectors = []
    for tokens in documents:
        counts: dict[str, float] = {}
        for token in tokens:
            counts[token] = counts.get(token, 0.0) + 1
        vectors.append(sparse(counts))
    bm25 = Bm25(sum(map(length, vectors)) / len(vectors), K1, B)
    store.upsert([Point(place, place, bm25.weights(vector), {}) for place, vector in enumerate(vectors)])
    store.flush()
    store.warm()


def with_our_idf(okapi: BM25Okapi, documents: Sequence[Sequence[str]]) -> None:
    """Put our idf into an Okapi index."""
    frequencies: dict[str, int] = {}
    for tokens in documents:
        for token in set(tokens):
            frequencies[token] = frequencies.get(token, 0) + 1
    okapi.idf = {token: idf(len(documents), frequency) for token, frequency in frequencies.items()}


def agreement(one: Ranker, other: Ranker, queries: Sequence[list[str]]) -> float:
    """Return the share of queries with the same ten best, but for ties at equal scores."""
    same = 0
    for query in queries:
        first, second = one(query), other(query)
        documents = {place for place, _ in first} ^ {place for place, _ in second}
        cut = min((score for _, score in [*first, *second]), default=0.0)
        best = max((score for _, score in [*first, *second]), default=0.0)
        tied = {place for place, score in [*first, *second] if abs(score - cut) <= TIE * best}
        same += documents <= tied
    return same / len(queries)


def timings(rank: Ranker, queries: Sequence[list[str]]) -> list[float]:
    """Return the milliseconds of every query, after a warm-up."""
    for query in queries[:20]:
        rank(query)
    found: list[float] = []
    for query in queries:
        started = time.perf_counter()
        rank(query)
        found.append((time.perf_counter() - started) * 1000)
    return found


def speed(ms: Sequence[float]) -> tuple[str, str]:
    """Return queries a second, and the p50 / p99 of their milliseconds."""
    return f"{1000 * len(ms) / sum(ms):,.0f}", f"{percentile(ms, 0.5):.2f} / {percentile(ms, 0.99):.2f}"


def main() -> None:
    """Measure, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--documents", type=int, default=5_200)
    options.add_argument("--queries", type=int, default=200)
    given = options.parse_args()
    data = corpus(given.documents, given.queries)
    progress(f"{len(data.documents)} documents, {len(data.queries)} queries")
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        okapi = BM25Okapi(data.documents, k1=K1, b=B)
        built = {"rank-bm25": time.perf_counter() - started}
        rankers = {"rank-bm25": okapi_ranker(okapi)}
        stores: dict[str, Store] = {"memory": MemoryStore(), "edge": EdgeStore(Path(folder) / "index")}
        for name, store in stores.items():
            started = time.perf_counter()
            fill(store, data.documents)
            built[name], rankers[name] = time.perf_counter() - started, store_ranker(store)
        ms = {name: timings(rank, data.queries) for name, rank in rankers.items()}
        shipped = {name: agreement(rankers["rank-bm25"], rankers[name], data.queries) for name in stores}
        with_our_idf(okapi, data.documents)
        given_idf = {name: agreement(rankers["rank-bm25"], rankers[name], data.queries) for name in stores}
        for store in stores.values():
            store.close()
    rows = [
        [
            name,
            f"{built[name]:.2f}",
            *speed(found),
            *(f"{same[name]:.1%}" if name in same else "" for same in (shipped, given_idf)),
        ]
        for name, found in ms.items()
    ]
    header = ["", "index, s", "queries/s", "p50 / p99, ms", "same ten, idf as shipped", "same ten, our idf"]
    what = f"{data.name}: {len(data.documents):,} documents, {len(data.queries)} queries, our tokens for all; ten hits."
    least = target(
        "Least share of queries with the same ten, given the same idf", min(given_idf.values()), 1, at_least=True
    )
    Report(NAME, "The keyword leg against rank-bm25", [what, table(header, rows), least], ["rank-bm25"]).write(
        given.out
    )


if __name__ == "__main__":
    main()
