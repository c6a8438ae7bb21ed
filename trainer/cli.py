"""The trainer's sub-commands of `tandem`."""

import typer

from retrieval.lazy_commands import add_lazily


def add_commands(app: typer.Typer) -> None:
    """Add the sub-commands to the `tandem` command."""
    add_lazily(
        app,
        "evaluate",
        "trainer.commands.evaluate:evaluate",
        help="Measure how well each way to search ranks the documents that judged queries want.",
    )
