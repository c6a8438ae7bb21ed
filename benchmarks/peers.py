"""Tandem against txtai and LanceDB: the same chunks, the same vectors, the same judged queries, one run.

What differs is the engine: its index, its keyword search and its fusion. Peers are given Tandem's chunks, ready made,
and vectors of its encoder (all-MiniLM-L6-v2), which also encodes the queries of all; their hits are documents in the
order of their best chunks. Needs `pip install -r benchmarks/requirements.txt`; an engine that is not installed is left
out.

    python -m benchmarks.peers [--corpora claude-docs,scifact-dev] [--queries N]
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.engines import Peer, Piece, installed
from benchmarks.harness import SHARED_DATA, Report, parser, percentile, progress, table, timed
from benchmarks.homes import COLLECTION, fresh_home, ingest, opened_searcher
from indexer.sources import SourceOptions, open_source
from retrieval.home import Home
from retrieval.query import Query
from trainer.evaluation_set import EvaluationSet
from trainer.measures import measured

NAME = "peers"
CORPORA = "claude-docs,scifact-dev"
TOP = 10
WARM_UP = 10

Search = Callable[[str], Sequence[str]]
"""From a query to documents, best first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an engine did with the queries: the milliseconds of each, and nDCG@10."""

    ms: Sequence[float]
    ndcg: float


def ask(search: Search, judged: EvaluationSet, queries: Mapping[str, str]) -> Asked:
    """Ask every query once, after a warm-up."""
    for text in islice(queries.values(), WARM_UP):
        search(text)
    ms: list[float] = []
    run: dict[str, dict[str, float]] = {}
    for query, text in queries.items():
        started = time.perf_counter()
        documents = search(text)[:TOP]
        ms.append((time.perf_counter() - started) * 1000)
        run[query] = {document: float(TOP - place) for place, document in enumerate(documents)}
    qrels = {query: grades for query, grades in judged.qrels.items() if query in queries}
    return Asked(ms, measured(qrels, run).means["ndcg@10"])


def pieces_of(home: Home) -> list[Piece]:
    """Return every chunk of the home's collection with its vector."""
    collection = home.catalog.collections.get(COLLECTION)
    fingerprint = home.encoder(collection).fingerprint
    pieces: list[Piece] = []
    for texts in home.catalog.chunks.all_texts(collection):
        vectors = home.catalog.embeddings.get(fingerprint, {text.text_hash for text in texts})
        pieces += [Piece(t.document_id, t.chunk.embedding_text(t.title), vectors[t.text_hash]) for t in texts]
    return pieces


def compared(folder: Path, limit: int | None) -> tuple[str, list[list[str]]]:
    """Compare on one corpus in BEIR's layout; return what it is, and a row an engine."""
    judged = EvaluationSet.read(folder / "queries.jsonl", folder / "qrels" / "test.tsv")
    queries = dict(islice(judged.queries.items(), limit))
    with fresh_home() as home:
        progress(f"Ingesting {folder.name}")
        took = timed(lambda: ingest(home, open_source(str(folder / "corpus.jsonl"), SourceOptions())))
        pieces = pieces_of(home)
        encoder = home.encoder(home.catalog.collections.get(COLLECTION))
        encoding = timed(lambda: encoder.encode_passages([piece.text for piece in pieces]))
        with opened_searcher(home) as (searcher, _):
            progress("Asking Tandem")

            def search(text: str) -> list[str]:
                return [hit.document_id for hit in searcher.search(Query(text, TOP)).hits]

            rows = [_row("Tandem", took, ask(search, judged, queries))]
        for made in installed():
            peer: Peer = made(lambda text: encoder.encode_queries([text])[0])
            progress(f"Indexing and asking {peer.package}")
            indexing = timed(lambda peer=peer: peer.index(pieces))  # type: ignore[misc]  # bound now
            rows.append(_row(peer.package, encoding + indexing, ask(peer.search, judged, queries)))
    what = (
        f"{len(pieces):,} chunks, {len(queries)} queries. Encoding the chunks takes {encoding:.1f} s of every ingest."
    )
    return what, rows


def _row(name: str, ingest_s: float, asked: Asked) -> list[str]:
    latency = f"{percentile(asked.ms, 0.5):.1f} / {percentile(asked.ms, 0.99):.1f}"
    return [name, f"{ingest_s:.1f}", latency, f"{asked.ndcg:.3f}"]


def main() -> int:
    """Measure, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--corpora", default=CORPORA, help="folders of ../shared/data, in BEIR's layout")
    options.add_argument("--queries", type=int, help="only so many queries of each")
    given = options.parse_args()
    folders = [SHARED_DATA / name for name in given.corpora.split(",") if (SHARED_DATA / name).is_dir()]
    if not installed():
        print("No peer is installed here: pip install -r benchmarks/requirements.txt", file=sys.stderr)
        return 0
    if not folders:
        print(f"None of {given.corpora} is in {SHARED_DATA.name}/, so there is nothing to compare on.", file=sys.stderr)
        return 1
    parts = [
        "The same chunks, vectors (all-MiniLM-L6-v2 by Tandem's encoder) and queries for all; only the engine differs. "
        "Tandem's ingest is whole, from the file to a durable catalog and index; a peer's is encoding and indexing of "
        "chunks made before. A query's time includes its encoding, and for Tandem texts and highlights of ten hits."
    ]
    header = ["", "ingest, s", "hybrid query p50 / p99, ms", "nDCG@10"]
    for folder in folders:
        what, rows = compared(folder, given.queries)
        parts += [f"## {folder.name}", what, table(header, rows)]
    Report(NAME, "Against other engines", parts, ["txtai", "faiss-cpu", "lancedb"]).write(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
