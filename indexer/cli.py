"""The indexer's sub-commands of `tandem`."""

import typer

from indexer.commands.collections import collections
from indexer.commands.documents import documents
from indexer.commands.ingest import ingest
from indexer.commands.models import models
from indexer.commands.upkeep import audit, doctor, migrate, reindex, status


def add_commands(app: typer.Typer) -> None:
    """Add the sub-commands to the `tandem` command."""
    for command in (ingest, status, doctor, audit, reindex, migrate):
        app.command()(command)
    app.add_typer(documents, name="documents")
    app.add_typer(collections, name="collections")
    app.add_typer(models, name="models")
