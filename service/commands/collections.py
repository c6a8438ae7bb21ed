"""tandem collections list|create|delete"""

from dataclasses import asdict
from typing import Annotated

import typer

from indexer.collection_deletion import delete_collection
from retrieval.analysis import LANGUAGES
from retrieval.catalog import CollectionConfig
from retrieval.console import HomeOption, JsonOption, finite, note, opened, print_json, print_line, table
from retrieval.errors import UsageError
from retrieval.home import Home
from retrieval.stores import index_folder
from retrieval.stores.lock import read_owner

collections = typer.Typer(help="List, create and delete collections.", no_args_is_help=True)


@collections.command("list")
def list_collections(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the collections of this home."""
    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        found = [(c, catalog.documents.count(c), catalog.chunks.lengths(c)[0]) for c in catalog.collections.list()]
    if as_json:
        bodies = [{"name": c.name, "documents": d, "chunks": n, **asdict(c.config)} for c, d, n in found]
        print_json({"collections": bodies})
        return
    rows = [[c.name, str(d), str(n), c.config.model or "-", c.config.language] for c, d, n in found]
    table(rows, ["NAME", "DOCUMENTS", "CHUNKS", "MODEL", "LANGUAGE"])


@collections.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits, '-' and '_'.")],
    language: Annotated[str, typer.Option(help=f"Stems and stop words: {', '.join(LANGUAGES)}.")] = "english",
    chunk_tokens: Annotated[int, typer.Option(min=16, max=4096, help="Tokens of a chunk at the most.")] = 200,
    k1: Annotated[
        float, typer.Option(min=0.0, max=10.0, callback=finite, help="BM25: how soon repetition saturates.")
    ] = 1.2,
    b: Annotated[
        float, typer.Option(min=0.0, max=1.0, callback=finite, help="BM25: how much long chunks are discounted.")
    ] = 0.75,
    fusion: Annotated[str, typer.Option(help="calibrated or rrf.")] = "calibrated",
    embedding_weight: Annotated[
        float, typer.Option(min=0.0, max=1.0, callback=finite, help="The embedding leg's share.")
    ] = 0.75,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a collection with settings of its own; `tandem ingest --collection NAME` makes one with the defaults."""
    if language not in LANGUAGES:
        raise UsageError(f"There is no language {language!r}; choose one of {', '.join(LANGUAGES)}.")
    if fusion not in ("calibrated", "rrf"):
        raise UsageError(f"There is no fusion {fusion!r}; choose calibrated or rrf.")
    config = CollectionConfig(
        language=language, chunk_tokens=chunk_tokens, k1=k1, b=b, fusion=fusion, embedding_weight=embedding_weight
    )
    with opened(context, home) as opened_home:
        created = opened_home.catalog.collections.create(name, config)
    if as_json:
        print_json({"name": created.name, **asdict(created.config)})
    else:
        print_line(f"Collection {created.name!r} is ready: tandem ingest PATH --collection {created.name}")


@collections.command()
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The collection, as `tandem collections list` names it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a collection with its documents and its index: by the service that owns the index, if there is one."""
    with opened(context, home) as opened_home:
        opened_home.catalog.collections.get(name)
        if not _deleted_by_its_owner(opened_home, name):
            delete_collection(opened_home, name)
    if as_json:
        print_json({"deleted": name})
    else:
        print_line(f"Collection {name!r} is deleted.")


def _deleted_by_its_owner(home: Home, name: str) -> bool:
    """Ask the service that owns the index to delete a collection; False where there is none, or it does not answer."""
    owner = read_owner(index_folder(home.settings, name))
    if owner is None or not owner.address:
        return False
    from service import remote
    from service.errors import NoAnswer

    try:
        remote.delete_collection(owner.address, name, token=remote.read_local_token(home.settings.home))
    except NoAnswer as error:  # it may be stopping: then the index is free in a moment
        note(str(error))
        return False
    return True
