"""The trainer's sub-commands of `tandem`."""

import typer

from trainer.commands.evaluate import evaluate


def add_commands(app: typer.Typer) -> None:
    """Add the sub-commands to the `tandem` command."""
    app.command()(evaluate)
