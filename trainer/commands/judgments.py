"""tandem judgments import|export|mine|pool|judge|stats|delete"""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from retrieval.catalog.judgments import DEFAULT_JUDGMENTS, JudgedQuery, JudgmentSet
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
from retrieval.errors import UsageError
from retrieval.types import JsonValue
from trainer.arms import DEFAULT_ARMS, parse_arms

judgments = typer.Typer(
    help="Queries with the documents that answer them: what arms are measured by.", no_args_is_help=True
)

NameOption = Annotated[str, typer.Option("--name", metavar="NAME", help="The judgment set.")]
QueriesOption = Annotated[Path, typer.Option("--queries", metavar="JSONL", help='A line a query: {"_id", "text"}.')]
_EXAMPLES = 3


class Style(StrEnum):
    """How judgments are written."""

    BEIR = "beir"
    TREC = "trec"


@judgments.command("import")
def import_judgments(
    context: typer.Context,
    queries: QueriesOption,
    qrels: Annotated[
        Path | None,
        typer.Option("--qrels", metavar="FILE", help="BEIR's TSV or TREC qrels; without it, queries to be judged."),
    ] = None,
    name: NameOption = DEFAULT_JUDGMENTS,
    source: Annotated[
        str | None, typer.Option(help="Where queries come from that do not say so: human, log, click, ... [human]")
    ] = None,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Bring judged queries from files; one that is known keeps the grades for which the files have no other."""
    from trainer.brought import checked_source, known_documents
    from trainer.judgments import read_judgments

    brought, unasked = read_judgments(queries, qrels, source=checked_source(source))
    if unasked:
        note(f"Warning: {len(unasked)} judged queries are left out, having no text: {_few(unasked)}")
    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        target = catalog.collections.get(collection)
        judged, unknown = known_documents(catalog, target, brought)
        if unknown:
            note(f"Warning: {len(unknown)} of {judged} judged documents are not in the collection: {_few(unknown)}")
        catalog.judgments.put(target, name, brought)
        _report(_named(catalog.judgments.list(target), name), as_json=as_json)


@judgments.command()
def export(
    context: typer.Context,
    queries: Annotated[Path, typer.Option("--queries", metavar="JSONL", help="Where the queries go.")],
    qrels: Annotated[Path, typer.Option("--qrels", metavar="FILE", help="Where the judgments go.")],
    name: NameOption = DEFAULT_JUDGMENTS,
    style: Annotated[Style, typer.Option("--format", help="How judgments are written.")] = Style.BEIR,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Write a judgment set to files that other tools read; pooled documents without a grade are left out."""
    from trainer.judgments import exported

    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        judged = catalog.judgments.get(catalog.collections.get(collection), name)
    records, graded = exported(judged, style=style)
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    for path, text in ((queries, lines), (qrels, graded)):
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror}); give the path of a file.") from None
    if as_json:
        print_json({"name": name, "queries": len(records), "files": [str(queries), str(qrels)]})
    else:
        print_line(f"Wrote {len(records)} queries to {queries} and their judgments to {qrels}.")


@judgments.command()
def mine(
    context: typer.Context,
    name: NameOption = "mined",
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Queries at the most.")] = None,
    seed: Annotated[int, typer.Option(help="Which ones, where there are more.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Drop the set of this name with its judgments.")] = False,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Make known-item queries from the collection itself: titles, questions, anchors of links, docstrings."""
    from trainer.judgments import mined

    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        target = catalog.collections.get(collection)
        if not replace and any(known.name == name for known in catalog.judgments.list(target)):
            raise UsageError(
                f"Collection {collection!r} has a judgment set {name!r}; give another --name, or --replace to drop it "
                "with its judgments."
            )
        queries, found = mined(catalog, target, limit=limit, seed=seed)
        if not queries:
            raise UsageError(
                f"Nothing in collection {collection!r} makes a query: its documents have no telling title, question, "
                "link or docstring. Write queries and judge them: `tandem judgments import --queries FILE`."
            )
        catalog.judgments.put(target, name, queries, replace=replace)
        for reason, count in sorted(found.dropped.items(), key=lambda item: (-item[1], item[0])):
            note(f"Left out {count}: {reason}")
        _report(_named(catalog.judgments.list(target), name), as_json=as_json)
    note(f"Read some before you trust them: `tandem judgments show --name {name}`.")


@judgments.command()
def pool(
    context: typer.Context,
    name: NameOption = DEFAULT_JUDGMENTS,
    arms: Annotated[str, typer.Option(metavar="ARM,...", help="Whose documents.")] = DEFAULT_ARMS,
    depth: Annotated[int, typer.Option(min=1, max=100, help="How many of each arm's first documents.")] = 10,
    every_query: Annotated[
        bool, typer.Option("--every-query", help="Queries that have judgments too, not only those without.")
    ] = False,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Collect what every arm ranks first, to be judged, so that no arm is punished for holes in the judgments."""
    from trainer.judgments import pool as pool_documents

    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        compared = parse_arms(arms, target.config.model)
        documents, queries = pool_documents(opened_home, target, name, compared, depth=depth, every_query=every_query)
    if as_json:
        print_json({"name": name, "documents": documents, "queries": queries})
        return
    print_line(f"{documents} documents of {queries} queries are new to be judged.")
    if documents:
        note(f"Judge them: `tandem judgments judge --name {name}`.")
    elif not every_query:
        note("Queries that have a judgment are pooled with --every-query.")


@judgments.command()
def judge(
    context: typer.Context,
    name: NameOption = DEFAULT_JUDGMENTS,
    queries: Annotated[int | None, typer.Option(min=1, metavar="N", help="Queries at the most, this time.")] = None,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
) -> None:
    """Judge pooled documents in the terminal, arms hidden: 0 to 3, skip, undo; it resumes where you left."""
    from trainer.judge_terminal import judge as run_session

    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        run_session(catalog, catalog.collections.get(collection), name, queries=queries)


@judgments.command()
def show(
    context: typer.Context,
    name: NameOption = DEFAULT_JUDGMENTS,
    limit: Annotated[int, typer.Option(min=1, help="Queries at the most.")] = 40,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show queries of a set, evenly over it, with the documents that answer them."""
    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        judged = catalog.judgments.get(catalog.collections.get(collection), name)
    shown = judged[:: max(1, -(-len(judged) // limit))]
    if as_json:
        print_json({"name": name, "queries": [_query_body(query) for query in shown], "count": len(judged)})
        return
    table([[query.text, query.source, _few(_relevant(query)) or "-"] for query in shown], ["QUERY", "SOURCE", "ANSWER"])


@judgments.command()
def stats(
    context: typer.Context, home: HomeOption = None, collection: CollectionOption = DEFAULT, as_json: JsonOption = False
) -> None:
    """List the judgment sets of a collection: their queries by source, and what is judged."""
    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        known = catalog.judgments.list(catalog.collections.get(collection))
    if as_json:
        print_json({"judgments": [_set_body(one) for one in known]})
        return
    rows = [[one.name, str(one.queries), _sources(one), str(one.judged), str(one.pooled)] for one in known]
    table(rows, ["NAME", "QUERIES", "SOURCES", "JUDGED", "TO JUDGE"])
    if not known:
        note("No judgment set yet: `tandem judgments mine` makes one from the collection itself.")


@judgments.command()
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The judgment set.")],
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Remove a judgment set with its judgments."""
    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        catalog.judgments.delete(catalog.collections.get(collection), name)
    if as_json:
        print_json({"deleted": name})
    else:
        print_line(f"Removed the judgment set {name!r}.")


def _named(known: Sequence[JudgmentSet], name: str) -> JudgmentSet:
    return next(one for one in known if one.name == name)


def _report(one: JudgmentSet, *, as_json: bool) -> None:
    if as_json:
        print_json(_set_body(one))
    else:
        print_line(f"{one.name}: {one.queries} queries ({_sources(one)}), {one.judged} judgments")


def _set_body(one: JudgmentSet) -> dict[str, JsonValue]:
    return {
        "name": one.name,
        "queries": one.queries,
        "sources": dict(one.sources),
        "judged": one.judged,
        "to_judge": one.pooled,
        "created_at": one.created_at,
    }


def _query_body(query: JudgedQuery) -> dict[str, JsonValue]:
    return {"id": query.id, "text": query.text, "source": query.source, "grades": dict(query.grades)}


def _sources(one: JudgmentSet) -> str:
    return ", ".join(f"{count} {source}" for source, count in one.sources.items()) or "none"


def _relevant(query: JudgedQuery) -> list[str]:
    return [document for document, grade in query.grades.items() if grade]


def _few(items: Sequence[str]) -> str:
    return ", ".join(items[:_EXAMPLES]) + (", ..." if len(items) > _EXAMPLES else "")
