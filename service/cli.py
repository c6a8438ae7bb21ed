"""The `tandem` command: every package's sub-commands, one place where errors become one line."""

import gc
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli import add_commands as add_indexer_commands
from retrieval.errors import TandemError, UsageError
from retrieval.lazy_commands import add_lazily
from retrieval.status_line import is_read_by_a_program
from service.logs import TextLines, one_line
from trainer.cli import add_commands as add_trainer_commands

if TYPE_CHECKING:
    from retrieval.model_folder import Precision

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="tandem",
    help="Hybrid search over your own writing, with fine-tuning that has to prove itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(is_asked: bool) -> None:  # as Typer calls it
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"tandem {version('tandem-search')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  # it is shown, and the command ends
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show which Tandem this is.")
    ] = False,
) -> None:
    context.obj = _export


def _export(source: Path, target: Path, *, precision: "Precision") -> None:
    from trainer.export import export_in_subprocess

    export_in_subprocess(source, target, precision=precision)


add_indexer_commands(app)
add_lazily(app, "collections", "service.commands.collections:collections", help="List, create and delete collections.")
add_lazily(
    app,
    "search",
    "service.commands.search:search",
    help="Search a collection: keywords and meaning together, exact identifiers first.",
)
add_trainer_commands(app)
add_lazily(
    app,
    "serve",
    "service.commands.serve:serve",
    help="Answer searches and take documents over HTTP; own the index while running.",
)
add_lazily(
    app,
    "mcp",
    "service.commands.mcp:mcp",
    help="Answer a language model's client over stdin and stdout, by the Model Context Protocol.",
)
add_lazily(
    app, "keys", "service.commands.keys:keys", help="Keys of the API: who may ask a service for what, until when."
)
add_lazily(
    app,
    "jobs",
    "service.commands.jobs:jobs",
    help="Work that takes long: ask for it, follow it, cancel it; `tandem worker` does it.",
)
add_lazily(
    app,
    "schedules",
    "service.commands.schedules:schedules",
    help="Work that is asked for again and again, such as every night; `tandem worker` does it.",
)
add_lazily(
    app,
    "worker",
    "service.commands.worker:worker",
    help="Do the jobs that were asked for, one at a time, until Ctrl-C; a job that is stopped so goes on later.",
)


def main() -> None:
    """Run the command line: exit 0 when done, 1 when the work failed, 2 for wrong usage."""
    level = os.environ.get("TANDEM_LOG_LEVEL", "WARNING").upper()
    gc.set_threshold(100_000, 20, 100)  # imports and parsers make many objects that live; a tenth of parsing is saved
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextLines("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger().setLevel(level if level in logging.getLevelNamesMapping() else "WARNING")
    try:
        app(prog_name="tandem")
    except UsageError as error:
        _say(error)
        sys.exit(WRONG_USAGE)
    except TandemError as error:
        _say(error)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        gc.freeze()  # an interpreter that ends would look for garbage once more, among everything


def _say(error: TandemError) -> None:
    """Print an error as one line; what it quotes may hold line breaks or what a terminal would obey.

    What a job says is read by whoever may see the job, and they may not see everything.
    """
    told = str(error) if is_read_by_a_program() else error.in_full
    typer.echo("tandem: " + one_line(told), err=True)


if __name__ == "__main__":
    main()
