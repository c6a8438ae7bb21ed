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
    add_lazily(
        app,
        "compare",
        "trainer.commands.compare:compare",
        help="Say whether arm B is better than arm A, worse, no different, or whether nobody can tell yet.",
    )
    add_lazily(
        app,
        "tune",
        "trainer.commands.tune:tune",
        help="Choose the fusion and BM25's parameters by judged queries, and adopt only what proves better.",
    )
    add_lazily(
        app,
        "judgments",
        "trainer.commands.judgments:judgments",
        help="Queries with the documents that answer them: what arms are measured by.",
    )
    add_lazily(
        app,
        "pairs",
        "trainer.commands.pairs:pairs",
        help="Queries with the passages that answer them: what a model is trained on.",
    )
    add_lazily(
        app,
        "train",
        "trainer.commands.train:train",
        help="Fine-tune the embedding model on pairs of the collection, and say whether it is worth it.",
    )
    add_lazily(
        app,
        "finetune",
        "trainer.commands.finetune:finetune",
        help="Fine-tune on an exported training set, on a machine that needs no catalog.",
    )
