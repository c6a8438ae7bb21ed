"""tandem models list|add|show|embed|withdraw|promote|rollback|delete|export"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from indexer.model_uses import Use, uses_of
from retrieval.console import (
    DEFAULT,
    CollectionOption,
    HomeOption,
    JsonOption,
    opened,
    print_json,
    print_line,
    table,
)
from retrieval.model_folder import Precision
from retrieval.models import ModelInfo
from retrieval.status_line import StatusLine
from retrieval.types import JsonValue

models = typer.Typer(help="List, add, compare, promote, roll back and delete embedding models.", no_args_is_help=True)

SHOWN_CHARS = 200
"""Of a value of a model's provenance; --json shows all of it."""

VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="The model, as `tandem models list` names it.")]


@models.command("list")
def list_models(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the models of this home, what each collection uses them for, and what was last said of them."""
    with opened(context, home) as opened_home:
        infos = opened_home.models.list_models()
        uses = uses_of(opened_home.catalog, [info.version for info in infos])
    if as_json:
        print_json({"models": [{**asdict(info), **uses[info.version].to_json()} for info in infos]})
        return
    rows = [
        [i.version, i.fingerprint, str(i.dimensions), i.precision, uses[i.version].words, uses[i.version].said]
        for i in infos
    ]
    table(rows, ["VERSION", "FINGERPRINT", "DIMENSIONS", "PRECISION", "USE", "LAST VERDICT"])


@models.command()
def add(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FOLDER", help="A hub id, all-MiniLM-L6-v2, or a folder: a model, an export, or a training."
        ),
    ],
    version: Annotated[str | None, typer.Option(help="Call it this; by default a name made from the model's.")] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise the weights: smaller and faster, slightly less exact.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a model to this home, exporting it to ONNX once."""
    with opened(context, home) as opened_home:
        precision = Precision.INT8 if int8 else Precision.FLOAT32
        info = opened_home.models.add_model(model, version, precision=precision)
        opened_home.register(info)
    _print(info, Use(), as_json)


@models.command()
def show(
    context: typer.Context, version: VersionArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Show one model, where it came from and what was said of it; its files are verified byte by byte."""
    with opened(context, home) as opened_home:
        info = opened_home.models.model(version)
        opened_home.models.verify(version)
        use = uses_of(opened_home.catalog, [version])[version]
    _print(info, use, as_json)


@models.command()
def embed(
    context: typer.Context,
    version: VersionArgument,
    searchable: Annotated[
        bool,
        typer.Option("--searchable", help="Let the index carry them too: `tandem search --model` searches by them."),
    ] = False,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Compute a model's vectors of a collection, so that it can be compared; searches are left as they are."""
    from indexer.candidate_vectors import apply_if_free, carry
    from indexer.promotion import embed as run_embed

    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        with _steps() as tell:
            embedded = run_embed(opened_home, target, version, partial(tell, "embedding"))
            if searchable and version != target.config.model:
                carry(opened_home, target, version, partial(tell, "carrying"))
        apply_if_free(opened_home, target)  # an active model's missing vectors are wanted there
        active = target.config.model
    if as_json:
        print_json({"version": version, "collection": collection, "embedded": embedded, "searchable": searchable})
        return
    print_line(f"{embedded} texts embedded; every chunk of {collection!r} has a vector of {version!r} now.")
    if searchable:
        print_line(f"Try it: tandem search --model {version} -c {collection} TEXT")
    if active not in ("", version):
        print_line(f"Next: tandem compare hybrid@{active} hybrid@{version} -c {collection}")


@models.command()
def withdraw(
    context: typer.Context,
    version: VersionArgument,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Have a collection's index carry a model's vectors no longer; the catalog keeps them."""
    from indexer.candidate_vectors import forget

    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        opened_home.catalog.models.get(version)
        forget(opened_home, target, version)
    if as_json:
        print_json({"withdrawn": version, "collection": collection})
        return
    print_line(f"The index of {collection!r} carries no vectors of {version!r} any more; nothing was deleted.")


@models.command()
def promote(
    context: typer.Context,
    version: VersionArgument,
    force: Annotated[
        str | None, typer.Option(metavar="REASON", help="Promote it without a verdict `better`; the reason is kept.")
    ] = None,
    waive_canary: Annotated[
        str | None, typer.Option(metavar="REASON", help="Promote it in spite of the canary; the reason is kept.")
    ] = None,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Make a model the one that a collection searches with, if a verdict says that it is better.

    Searches go on meanwhile, and a service that runs switches over by itself. Stopped at any moment, the same command
    goes on where it was.
    """
    from indexer.promotion import promote as run_promote

    with opened(context, home) as opened_home, _steps() as tell:
        target = opened_home.catalog.collections.get(collection)
        promotion = run_promote(opened_home, target, version, force=force, waive_canary=waive_canary, tell=tell)
    if as_json:
        print_json({"collection": collection, **promotion.to_json()})
        return
    print_line(f"{collection!r} searches with {promotion.after!r} now, with {promotion.before!r} before.")
    print_line(f"`tandem models rollback -c {collection}` goes back at once.")


@models.command()
def rollback(
    context: typer.Context, home: HomeOption = None, collection: CollectionOption = DEFAULT, as_json: JsonOption = False
) -> None:
    """Go back to the model that a collection searched with before the last promotion."""
    from indexer.promotion import rollback as run_rollback

    with opened(context, home) as opened_home, _steps() as tell:
        target = opened_home.catalog.collections.get(collection)
        done = run_rollback(opened_home, target, tell)
    if as_json:
        print_json({"collection": collection, **done.promotion.to_json(), "unembedded": done.unembedded})
        return
    print_line(
        f"{collection!r} searches with {done.promotion.after!r} again, no longer with {done.promotion.before!r}."
    )
    if done.unembedded:
        print_line(
            f"{done.unembedded} texts came in meanwhile and are found by their words only: "
            f"`tandem models embed {done.promotion.after} -c {collection}` gives them vectors."
        )


@models.command()
def delete(
    context: typer.Context,
    version: VersionArgument,
    force: Annotated[bool, typer.Option("--force", help="Delete it even if a rollback would go back to it.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a model that no collection searches with: its files, and its vectors wherever they are."""
    from indexer.model_deletion import delete_model

    with opened(context, home) as opened_home:
        deleted = delete_model(opened_home, version, force=force)
    if as_json:
        print_json({"deleted": version, "embeddings": deleted.embeddings, "waiting": deleted.waiting})
        return
    print_line(f"Model {version!r} is deleted, with {deleted.embeddings} embeddings.")
    if deleted.waiting:
        print_line(f"Whoever holds the index of {', '.join(deleted.waiting)} drops its vectors there in a moment.")


@models.command()
def export(
    context: typer.Context,
    version: VersionArgument,
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a model to a folder that `tandem models add` takes on another machine."""
    with opened(context, home) as opened_home:
        opened_home.models.export_model(version, folder)
        info = opened_home.models.model(version)
    if as_json:
        print_json({"version": version, "fingerprint": info.fingerprint, "folder": str(folder.absolute())})
    else:
        print_line(f"Model {version!r} ({info.fingerprint}) is in {folder}: tandem models add {folder}")


@contextmanager
def _steps() -> Iterator[Callable[[str, int, int], None]]:
    """Tell on stderr what is being done, and how far it is."""
    line, doing = StatusLine(), ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal doing
        if what != doing:
            doing = what
            line.step(f"{what}: {done} of {total}")
        line.show(f"{what}: {done} of {total}", share=_share(done, total))

    try:
        yield show
    finally:
        line.close()


def _share(done: int, total: int) -> float | None:
    return done / total if total else None


def _print(info: ModelInfo, use: Use, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(info), **use.to_json()})
        return
    told: dict[str, JsonValue] = {**asdict(info), "used as": use.words or "nothing yet"}
    told.pop("provenance")
    told.update({f"trained: {name}": _short(value) for name, value in info.provenance.items()})
    told.update({f"verdict in {said.collection}": said.words for said in use.verdicts})
    first, *rows = [[name.replace("_", " "), str(value)] for name, value in told.items()]
    table(rows, first)


def _short(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]} ..."
