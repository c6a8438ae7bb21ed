"""tandem documents list|show|delete"""

from typing import Annotated

import typer

from indexer.apply import open_index
from indexer.documents import delete_documents, document_json
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
from retrieval.errors import IndexBusy

documents = typer.Typer(help="List, show and delete documents.", no_args_is_help=True)


@documents.command("list")
def list_documents(
    context: typer.Context,
    after: Annotated[str, typer.Option(help="Begin after this document id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at the most.")] = 100,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """List documents by id."""
    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        target = catalog.collections.get(collection)
        shown = catalog.documents.listed(target, after=after, limit=limit)
        count = catalog.documents.count(target)
    if as_json:
        listed = [{"id": d.id, "title": d.title, "url": d.url, "metadata": dict(d.metadata)} for d in shown]
        print_json({"documents": listed, "count": count})
        return
    table([[d.id, d.title] for d in shown], ["ID", "TITLE"])
    if len(shown) == limit:
        note(f"{count} documents in all; --after {shown[-1].id!r} shows the next ones.")


@documents.command()
def show(
    context: typer.Context,
    document_id: Annotated[
        str, typer.Argument(metavar="ID", help="The document, as `tandem documents list` names it.")
    ],
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show a document as it was understood: title, metadata, links, text."""
    with opened(context, home) as opened_home:
        document = opened_home.catalog.documents.get(opened_home.catalog.collections.get(collection), document_id)
    if as_json:
        print_json(document_json(document))
        return
    body = document_json(document)
    for name in ("id", "title", "url", "created", "updated", "tags", "metadata"):
        if body[name]:
            print_line(f"{name}: {body[name]}")
    for link in document.links:
        print_line(f"link: {link.target} ({link.anchor})")
    print_line()
    print_line(document.text)


@documents.command()
def delete(
    context: typer.Context,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID ...", help="The documents, as `tandem documents list` names them.")
    ],
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Delete documents; they come back with the next ingest of their source if it still has them."""
    with opened(context, home) as opened_home:
        catalog = opened_home.catalog
        target = catalog.collections.get(collection)
        deleted = delete_documents(catalog, target, ids)
        try:
            with open_index(opened_home.settings, catalog, target) as owner:
                owner.apply_pending()
        except IndexBusy as error:
            note(f"{error.held} It applies the deletion.")
    if as_json:
        print_json({"deleted": deleted})
    else:
        print_line(f"{deleted} documents deleted.")
