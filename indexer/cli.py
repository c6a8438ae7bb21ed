"""The indexer's sub-commands of `tandem`."""

import typer

from retrieval.lazy_commands import add_lazily

COMMANDS = {
    "ingest": (
        "indexer.commands.ingest:ingest",
        "Bring writing into a collection: folders, files, sites, feeds, or documentation of Python packages.",
    ),
    "sources": ("indexer.commands.sources:sources", "What was ingested, and is ingested again by `tandem nightly`."),
    "status": (
        "indexer.commands.upkeep:status",
        "Say what is here: collections, models, and whether every change is searchable.",
    ),
    "doctor": (
        "indexer.commands.upkeep:doctor",
        "Prove, point by point, that the index holds what the catalog says on both legs.",
    ),
    "audit": ("indexer.commands.upkeep:audit", "Report what to clean in the writing before thinking of models."),
    "reindex": (
        "indexer.commands.upkeep:reindex",
        "Throw the index away and make it again from the catalog, without parsing a source.",
    ),
    "migrate": (
        "indexer.commands.upkeep:migrate",
        "Bring the catalog's schema to this version of Tandem; back the catalog up first.",
    ),
    "documents": ("indexer.commands.documents:documents", "List, show and delete documents."),
    "models": ("indexer.commands.models:models", "List, add, compare, promote, roll back and delete embedding models."),
}


def add_commands(app: typer.Typer) -> None:
    """Add the sub-commands to the `tandem` command."""
    for name, (target, line) in COMMANDS.items():
        add_lazily(app, name, target, help=line)
