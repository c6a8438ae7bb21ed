"""tandem finetune"""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from indexer.progress import duration
from retrieval.console import HomeOption, JsonOption, note, print_json, print_line
from retrieval.errors import ModelError, NotFound, TandemError
from retrieval.model_finding import find_source, hub_id
from retrieval.models import ModelStore
from retrieval.settings import Settings
from retrieval.types import JsonValue
from trainer.commands.training_progress import ended_by_sigterm, told


def finetune(
    training_set: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A training set, as `tandem pairs export` writes it.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Where the tuned model goes: a folder to be made.")],
    base: Annotated[
        Path | None, typer.Option("--base", metavar="FOLDER", help="The base's folder, if it cannot be found by name.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was stopped.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune on an exported training set, on a machine that needs no catalog."""
    from trainer.finetuning import finetune_in_subprocess
    from trainer.finetuning.workplace import partial_of
    from trainer.training_set import TrainingSet

    found = base or _base(Settings.from_environment(home=home), TrainingSet.read(training_set).base_name)
    if not resume and partial_of(output).exists():
        note(f"Begins anew: --resume would go on with what an earlier run left in {partial_of(output)}")
    with ended_by_sigterm(), told() as telling:
        tuned = finetune_in_subprocess(training_set, found, output, resume=resume, on_progress=telling.tuning)
    body: dict[str, JsonValue] = {"output": str(output), **tuned.provenance}
    if as_json:
        print_json(body)
        return
    print_line(f"nDCG@10 on dev: {', '.join(f'{value:.4f} with {share} of it' for share, value in tuned.dev.items())}")
    print_line(f"{tuned.pairs} pairs, {duration(tuned.seconds)} on {tuned.device}")
    if tuned.keeps_base:
        print_line("The base is as good as anything that was trained: there is nothing to add.")
    else:
        print_line(f"`tandem models add {output.absolute()}` makes it a version, there where the collection is.")


def _base(settings: Settings, name: str) -> Path:
    """Return the folder of a version, or of a model that was never exported here."""
    with suppress(NotFound):
        return ModelStore(settings).source(name)
    try:
        return find_source(hub_id(name)).path
    except TandemError as error:
        raise ModelError(f"{error} Or name the folder of the base: --base FOLDER.") from None
