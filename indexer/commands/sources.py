"""tandem sources list|forget"""

from typing import Annotated

import typer

from indexer.sources import lasting
from retrieval.catalog.sources import KeptOptions
from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, opened, print_json, print_line, table

sources = typer.Typer(help="What was ingested, and is ingested again by `tandem nightly`.", no_args_is_help=True)


@sources.command("list")
def list_sources(
    context: typer.Context, home: HomeOption = None, collection: CollectionOption = DEFAULT, as_json: JsonOption = False
) -> None:
    """List what was ingested into a collection, each with how it was done last."""
    with opened(context, home) as opened_home:
        found = opened_home.catalog.sources.list(opened_home.catalog.collections.get(collection))
    if as_json:
        print_json({"sources": [source.to_json() for source in found]})
        return
    rows = [[source.location, source.ingested_at, " ".join(_words(source.options))] for source in found]
    table(rows, ["SOURCE", "INGESTED", "OPTIONS"])


@sources.command("forget")
def forget(
    context: typer.Context,
    location: Annotated[str, typer.Argument(metavar="PATH|URL|pydoc:PKG", help="The source, as it was ingested.")],
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Ingest a source no more by itself; its documents stay."""
    with opened(context, home) as opened_home:
        kept = opened_home.catalog.sources
        kept.forget(opened_home.catalog.collections.get(collection), lasting(location))
    if as_json:
        print_json({"forgotten": lasting(location)})
    else:
        print_line(f"{lasting(location)} is not ingested again; its documents stay: `tandem documents delete`.")


def _words(options: KeptOptions) -> list[str]:
    """Return the options as they would be typed."""
    given = [("format", options.format), ("base-url", options.base_url), ("id-prefix", options.id_prefix)]
    return [
        *(f"--{name}={value}" for name, value in given if value and value != "auto"),
        *(f"--meta={name}={value}" for name, value in options.metadata.items()),
        *(["--prune"] if options.prune else []),
        *(["--allow-private"] if options.allow_private else []),
    ]
