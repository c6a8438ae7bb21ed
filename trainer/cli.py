"""The trainer's sub-commands of `tandem`."""

import typer

from retrieval.lazy_commands import add_lazily

COMMANDS = (
    (
        "evaluate",
        "trainer.commands.evaluate:evaluate",
        "Measure how well each way to search ranks the documents that judged queries want.",
    ),
    (
        "compare",
        "trainer.commands.compare:compare",
        "Say whether arm B is better than arm A, worse, no different, or whether nobody can tell yet.",
    ),
    (
        "tune",
        "trainer.commands.tune:tune",
        "Choose the fusion and BM25's parameters by judged queries, and adopt only what proves better.",
    ),
    (
        "judgments",
        "trainer.commands.judgments:judgments",
        "Queries with the documents that answer them: what arms are measured by.",
    ),
    (
        "pairs",
        "trainer.commands.pairs:pairs",
        "Queries with the passages that answer them: what a model is trained on.",
    ),
    (
        "train",
        "trainer.commands.train:train",
        "Fine-tune the embedding model on pairs of the collection, and say whether it is worth it.",
    ),
    (
        "nightly",
        "trainer.commands.nightly:nightly",
        "Ingest a collection's sources again, train if enough is new, and promote what proves better.",
    ),
    (
        "finetune",
        "trainer.commands.finetune:finetune",
        "Fine-tune on an exported training set, on a machine that needs no catalog.",
    ),
)
"""Name, function or Typer, and the line in the list of commands."""


def add_commands(app: typer.Typer) -> None:
    """Add the sub-commands to the `tandem` command."""
    for name, target, line in COMMANDS:
        add_lazily(app, name, target, help=line)
