"""tandem pairs export"""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, opened, print_json, print_line
from retrieval.errors import UsageError
from trainer.commands.asked import JudgmentsOption
from trainer.commands.training_options import (
    BatchOption,
    EpochsOption,
    HowToTrain,
    MatryoshkaOption,
    MaxPairsOption,
    MethodOption,
    NegativesOption,
    RateOption,
    SeedOption,
    SourcesOption,
    TemperatureOption,
    judged_by,
)
from trainer.commands.training_progress import ended_by_sigterm, told


def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to be made.")],
    method: MethodOption = "full",
    judgments: JudgmentsOption = None,
    sources: SourcesOption = None,
    max_pairs: MaxPairsOption = None,
    epochs: EpochsOption = None,
    learning_rate: RateOption = None,
    batch_size: BatchOption = None,
    negatives: NegativesOption = None,
    temperature: TemperatureOption = None,
    matryoshka: MatryoshkaOption = "",
    seed: SeedOption = 0,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Write all that a training reads into a folder, so that `tandem finetune` can train on it elsewhere."""
    from trainer.training.preparation import Preparation

    if folder.exists():
        raise UsageError(f"{folder} exists; remove it or name another folder.")
    how = HowToTrain(
        method, sources, max_pairs, epochs, learning_rate, batch_size, negatives, temperature, matryoshka, seed
    )
    with opened(context, home) as opened_home, ended_by_sigterm(), told() as telling:
        target = opened_home.catalog.collections.get(collection)
        judged, name = judged_by(opened_home, target, judgments)
        about = Preparation(opened_home, target, judged, how.plan(opened_home, target, name), telling)
        training_set = about.assembled(about.split())
    training_set.write(folder)
    if as_json:
        print_json({"folder": str(folder), **training_set.manifest()})
        return
    print_line(f"Wrote {len(training_set.pairs)} pairs and {len(training_set.dev)} dev queries to {folder}.")
    print_line(
        f"`tandem finetune {folder} OUTPUT` trains on them, on any machine that has Tandem; then `tandem models add`."
    )
