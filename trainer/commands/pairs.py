"""tandem pairs mine|import|export|stats|delete"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.pairs import MINED, Pair
from retrieval.console import (
    DEFAULT,
    CollectionOption,
    HomeOption,
    JsonOption,
    note,
    opened,
    print_json,
    print_line,
    table,
)
from retrieval.errors import NotFound, UsageError
from retrieval.types import JsonValue
from trainer.commands.pairs_export import export
from trainer.commands.training_progress import told

if TYPE_CHECKING:
    from trainer.pairs.files import ReadPairs
    from trainer.pairs.vectors import OnProgress

pairs = typer.Typer(
    help="Queries with the passages that answer them: what a model is trained on.", no_args_is_help=True
)

pairs.command()(export)

_EXAMPLES = 3
_PASSAGE_CHARS = 120


@pairs.command()
def mine(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Which ones, where a document offers more than are taken.")] = 0,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Make pairs from the collection itself, in place of those mined before; pairs from elsewhere stay."""
    from trainer.mining import keep, mine_pairs

    with opened(context, home) as opened_home, _progress() as on_progress:
        target = opened_home.catalog.collections.get(collection)
        found = mine_pairs(opened_home, target, seed=seed, on_progress=on_progress)
        keep(opened_home, target, found)
    if as_json:
        print_json(found.summary())
        return
    print_line(f"{len(found.pairs)} pairs ({_counted(found.sources)})")
    for reason, count in _by_count(found.dropped):
        note(f"Left out {count}: {reason}")
    note("Read some before you train on them: `tandem pairs stats --samples 20`.")


@pairs.command("import")
def import_pairs(
    context: typer.Context,
    queries: Annotated[
        Path | None, typer.Option("--queries", metavar="JSONL", help='A line a query: {"_id", "text"}.')
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", metavar="FILE", help="What answers them: BEIR's TSV or TREC qrels.")
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option("--jsonl", metavar="FILE", help='A line a pair: {"query", "document"}.')
    ] = None,
    source: Annotated[
        str, typer.Option(help="Where pairs come from that do not say so: human, click, log, ...")
    ] = "human",
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Bring pairs from files; each gets the passage of its document that keywords and embedding like best."""
    from trainer.pairs.brought import placed

    read = _read(queries, qrels, jsonl, source)
    for why in read.refused[:_EXAMPLES]:
        note(f"Warning: left out: {why}.")
    if len(read.refused) > _EXAMPLES:
        note(f"Warning: {len(read.refused)} lines or queries are left out in all.")
    with opened(context, home) as opened_home, _progress() as on_progress:
        catalog = opened_home.catalog
        target = catalog.collections.get(collection)
        found = placed(opened_home, target, read.pairs, on_progress=on_progress)
        if not found.pairs:
            raise UsageError(
                f"None of the {len(found.unknown)} documents (such as {found.unknown[0]!r}) is in collection "
                f"{collection!r}; ingest the documents first, or give the collection that has them."
            )
        catalog.pairs.add(target, found.pairs)
        counts = catalog.pairs.counts(target)
    if found.unknown:
        note(f"Warning: {len(found.unknown)} documents are not in the collection: {_few(found.unknown)}")
    if as_json:
        body = {"imported": len(found.pairs), "refused": list(read.refused), "unknown_documents": list(found.unknown)}
        print_json({**body, "sources": counts})
    else:
        print_line(f"Imported {len(found.pairs)} pairs; there are now {_counted(counts)}.")


@pairs.command()
def stats(
    context: typer.Context,
    samples: Annotated[int, typer.Option(min=0, max=1000, help="Pairs shown of each source.")] = _EXAMPLES,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Count pairs by source, show some of each, and say what the last mining dropped and why."""
    from trainer.mining import SETTING

    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        target = catalog.collections.get(collection)
        known = catalog.pairs.list(target)
        mining = catalog.collections.setting(target, SETTING)
        by_source = _by_source(known)
        shown = {name: _drawn(own, samples) for name, own in by_source.items()}
        passages = _passages(catalog, target, [pair for own in shown.values() for pair in own])
    if as_json:
        print_json(_stats_body(by_source, shown, passages, mining))
        return
    rows = [
        [name, str(len(own)), f"{sum(pair.weight for pair in own) / len(own):g}"] for name, own in by_source.items()
    ]
    table(rows, ["SOURCE", "PAIRS", "WEIGHT"])
    if any(shown.values()):
        print_line()
        _print_samples(shown, passages)
    if mining:
        print_line()
        dropped = [
            [str(count), reason, _few(mining["examples"][reason])] for reason, count in _by_count(mining["dropped"])
        ]
        table(dropped, ["DROPPED", "WHY", "SUCH AS"])
    if not known:
        note("No pairs yet: `tandem pairs mine` makes some from the collection, `tandem pairs import` brings some.")


@pairs.command()
def delete(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Only pairs of this source. [all]")] = None,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Remove the pairs of a source, or all pairs."""
    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        target = catalog.collections.get(collection)
        counts = catalog.pairs.counts(target)
        if source is not None and source not in counts:
            raise NotFound(
                f"Collection {collection!r} has no pairs of the source {source!r} (there are: "
                f"{_counted(counts) or 'none yet'})."
            )
        deleted = catalog.pairs.delete(target, source)
    if as_json:
        print_json({"deleted": deleted})
    else:
        print_line(f"Removed {deleted} pairs.")
        if source is None or source.startswith(MINED):
            print_line(
                "The next mining brings mined ones back, and `tandem train` mines; its --sources leaves some out."
            )


@contextmanager
def _progress() -> "Iterator[OnProgress]":
    """Show on stderr how far embedding is."""
    with told() as telling:
        yield telling.pairs


def _read(queries: Path | None, qrels: Path | None, jsonl: Path | None, source: str) -> "ReadPairs":
    from trainer.pairs.files import checked_source, read_jsonl, read_judged

    checked_source(source)
    if jsonl is not None and queries is None and qrels is None:
        return read_jsonl(jsonl, source=source)
    if jsonl is None and queries is not None and qrels is not None:
        return read_judged(queries, qrels, source=source)
    raise UsageError("Give either --jsonl, or --queries and --qrels.")


def _stats_body(
    by_source: Mapping[str, Sequence[Pair]],
    shown: Mapping[str, Sequence[Pair]],
    passages: Mapping[Pair, str],
    mining: JsonValue,
) -> dict[str, JsonValue]:
    return {
        "pairs": sum(map(len, by_source.values())),
        "sources": {name: len(own) for name, own in by_source.items()},
        "samples": {
            name: [
                {
                    "query": pair.query,
                    "document": pair.document,
                    "position": pair.position,
                    "passage": passages.get(pair),
                }
                for pair in own
            ]
            for name, own in shown.items()
        },
        "mining": mining,
    }


def _passages(catalog: Catalog, collection: Collection, pairs: Sequence[Pair]) -> dict[Pair, str]:
    """Return the passages of pairs as a model reads them; those that are gone are left out."""
    from trainer.pairs.passages import passage_of

    wanted = {(pair.document, pair.position) for pair in pairs}
    texts = {
        place: text
        for batch in (catalog.chunks.all_texts(collection) if wanted else ())
        for text in batch
        if (place := (text.document_id, text.chunk.position)) in wanted
    }
    return {
        pair: passage_of(texts[place], pair.strings).text
        for pair in pairs
        if (place := (pair.document, pair.position)) in texts
    }


def _begun(passage: str) -> str:
    """Return the beginning of a passage on one line."""
    text = " ".join(passage.split())
    return text if len(text) <= _PASSAGE_CHARS else f"{text[: _PASSAGE_CHARS - 1]}…"


def _by_source(known: Sequence[Pair]) -> dict[str, list[Pair]]:
    return {name: [pair for pair in known if pair.source == name] for name in sorted({p.source for p in known})}


def _print_samples(shown: Mapping[str, Sequence[Pair]], passages: Mapping[Pair, str]) -> None:
    cells = [
        [pair.query, name, f"{pair.document} #{pair.position}", _begun(passages.get(pair, ""))]
        for name in shown
        for pair in shown[name]
    ]
    table(cells, ["QUERY", "SOURCE", "DOCUMENT", "PASSAGE"])


def _drawn(own: Sequence[Pair], samples: int) -> list[Pair]:
    chance = random.Random(0)  # noqa: S311 - a sample, no secret
    return chance.sample(own, min(samples, len(own)))


def _by_count(dropped: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(dropped.items(), key=lambda item: (-item[1], item[0]))


def _counted(sources: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {source}" for source, count in sources.items())


def _few(items: Sequence[str]) -> str:
    return ", ".join(items[:_EXAMPLES]) + (", ..." if len(items) > _EXAMPLES else "")
