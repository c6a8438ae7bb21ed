"""tandem models list|add|show"""

from dataclasses import asdict
from typing import Annotated

import typer

from retrieval.console import HomeOption, JsonOption, opened, print_json, print_line, table
from retrieval.model_folder import Precision
from retrieval.models import ModelInfo

models = typer.Typer(help="List, add and show embedding models.", no_args_is_help=True)


@models.command("list")
def list_models(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the models of this home, and which collections use them."""
    with opened(context, home) as opened_home:
        infos = opened_home.models.list_models()
        users: dict[str, list[str]] = {}
        for collection in opened_home.catalog.collections.list():
            users.setdefault(collection.config.model, []).append(collection.name)
    if as_json:
        print_json({"models": [{**asdict(info), "active_in": users.get(info.version, [])} for info in infos]})
        return
    rows = [
        [i.version, i.fingerprint, str(i.dimensions), i.precision, ", ".join(users.get(i.version, []))] for i in infos
    ]
    table(rows, ["VERSION", "FINGERPRINT", "DIMENSIONS", "PRECISION", "ACTIVE IN"])


@models.command()
def add(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="NAME|FOLDER", help="A hub id, a folder, or all-MiniLM-L6-v2.")],
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
    _print(info, as_json)


@models.command()
def show(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="The model, as `tandem models list` names it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one model, its files verified byte by byte."""
    with opened(context, home) as opened_home:
        info = opened_home.models.model(version)
        opened_home.models.verify(version)
    _print(info, as_json)


def _print(info: ModelInfo, as_json: bool) -> None:
    if as_json:
        print_json(asdict(info))
        return
    for name, value in asdict(info).items():
        print_line(f"{name.replace('_', ' ')}: {value}")
