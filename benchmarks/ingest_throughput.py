"""How much of the encoder's own speed is left in a whole ingest?

A run of `tandem ingest` (plan, parse, chunk, analyse, embed, commit, index) over a product's documentation, where it is
there, and a little of Python's, into a fresh home, against the encoder alone over exactly the same texts, in turn: A B
A B.

    python -m benchmarks.ingest_throughput [--modules asyncio,os] [--posts FOLDER] [--repeats 2]
"""

from pathlib import Path

from benchmarks.harness import SHARED_DATA, Report, Spread, interleaved, parser, progress, table, target, timed
from benchmarks.homes import COLLECTION, fresh_home, ingest, writing
from indexer.sources import Source
from retrieval.encoder import OnnxEncoder
from retrieval.home import Home

NAME = "ingest_throughput"
TARGET = 0.9
MODULES = "json,subprocess"
POSTS = SHARED_DATA / "fastapi-docs"


def texts_of(home: Home) -> list[str]:
    """Return every text that the model embedded."""
    collection = home.catalog.collections.get(COLLECTION)
    texts = {
        text.text_hash: text.chunk.embedding_text(text.title)
        for batch in home.catalog.chunks.all_texts(collection)
        for text in batch
    }
    return list(texts.values())


def ingested(sources: list[Source]) -> tuple[float, list[str], OnnxEncoder]:
    """Ingest into a fresh home; return the seconds it took, the texts embedded, and the encoder."""
    with fresh_home() as home:
        _, encoder = home.prepared(COLLECTION)
        encoder.encode_queries(["warm up"])
        return timed(lambda: ingest(home, sources)), texts_of(home), encoder


def main() -> None:
    """Measure, and write the result."""
    options = parser(__doc__ or "")
    options.add_argument("--modules", default=MODULES, help="Python modules whose documentation is ingested")
    options.add_argument("--posts", type=Path, default=POSTS, help="a folder that is ingested too, where it is there")
    options.add_argument("--repeats", type=int, default=2)
    given = options.parse_args()
    sources = writing(given.modules, given.posts)
    progress("Ingesting once to warm up and to learn the texts")
    _, texts, encoder = ingested(sources)
    progress(f"{len(texts)} texts; measuring in turn")
    whole, alone = interleaved(
        given.repeats,
        lambda: len(texts) / ingested(sources)[0],
        lambda: len(texts) / timed(lambda: encoder.encode_passages(texts)),
    )
    tokens = sum(encoder.count_tokens(texts)) / len(texts)
    ratio = Spread.of([a / b for a, b in zip(whole, alone, strict=True)])
    rows = [
        ["whole ingest", Spread.of(whole).shown(1)],
        ["encoder alone", Spread.of(alone).shown(1)],
        ["share", ratio.shown(2)],
    ]
    what = f"{len(texts)} different texts of {tokens:.0f} tokens in the mean, from the documentation of {given.modules}"
    what += f" and the posts in {given.posts.parent.name}/{given.posts.name}" if given.posts.is_dir() else ""
    parts = [f"{what}; {given.repeats} runs of each, in turn.", table(["", "chunks/s"], rows)]
    parts.append(target("Share of the encoder's own throughput", ratio.median, TARGET, at_least=True))
    Report(NAME, "Ingest against the encoder alone", parts).write(given.out)


if __name__ == "__main__":
    main()
