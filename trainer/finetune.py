"""Fine-tune a model on a training set, in a process of its own: `python -m trainer.finetune SET BASE OUTPUT`.

The base is ranked first, then trained step by step with a checkpoint at every evaluation; the chosen one is mixed
with the base, as much as ranks the dev queries best. What comes out is a function of the set, the base and the kind of
machine, whether it was interrupted or not.
"""

import argparse
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from retrieval.errors import ModelError, TandemError, UsageError
from retrieval.model_folder import Precision
from retrieval.model_source import SourceModel
from retrieval.trained_model import FORMAT
from retrieval.types import JsonValue
from trainer.finetuning.interpolation import gain_error
from trainer.finetuning.outcome import Outcome
from trainer.finetuning.progress import INTERRUPTED, Progress, Reporter, Stage, Stopped
from trainer.finetuning.workplace import Plan, Workplace, finished
from trainer.trained_on import TRAINED_ON
from trainer.training_set import Method, TrainingSet, settings_record

_LIBRARIES = ("tandem-search", "torch", "sentence-transformers", "transformers", "peft", "accelerate", "numpy", "scipy")
_NEEDS = (
    "Fine-tuning needs torch and sentence-transformers ({error}). Install the extra `train` (pip install "
    "'tandem-search[train]'), or train with the method adapter, which needs neither."
)


@dataclass(frozen=True, slots=True)
class Task:
    """What to train on, from which base, into which folder."""

    training_set: Path
    base: Path
    output: Path
    share: float = 1.0
    resume: bool = False


def finetune(task: Task, reporter: Reporter) -> JsonValue:
    """Train, and return the provenance that lies in the output. Raises TandemError, or Stopped when told to stop."""
    reporter.progress(Progress(Stage.LOADING, 0, 0))
    whole = TrainingSet.read(task.training_set)
    plan = Plan(whole.data_hash, whole.base_fingerprint, task.share)
    if task.resume and (found := finished(task.output, plan)) is not None:
        return found
    source = base_of(whole, task.base)
    training_set = whole.share(task.share)
    with Workplace(task.output, plan, resume=task.resume) as place:
        outcome = _tuned(source, training_set, place, reporter)
        reporter.progress(Progress(Stage.WRITING, 0, 0, 0.0, outcome.means[outcome.share]))
        record = provenance(training_set, plan, outcome, place)
        place.finish(record, partial(_write, outcome) if outcome.share else None)
    return record


def base_of(training_set: TrainingSet, folder: Path) -> SourceModel:
    """Return the base, if it is the one that the set was made with; ModelError otherwise."""
    source = SourceModel.read(folder)
    fingerprints = [source.recipe(precision).fingerprint for precision in Precision]
    if training_set.base_fingerprint not in fingerprints:
        raise ModelError(
            f"The training set was made with {training_set.base_name!r} (fingerprint {training_set.base_fingerprint}), "
            f"but {folder} has {fingerprints[0]}. Name that model's folder, or write the set again with this one."
        )
    return source


def provenance(training_set: TrainingSet, plan: Plan, outcome: Outcome, place: Workplace) -> dict[str, JsonValue]:
    """Return what tandem-training.json says: where the model comes from, and what dev queries said of it."""
    settings, clock = training_set.settings, place.clock
    return {
        "format": FORMAT,
        "base": {"name": training_set.base_name, "fingerprint": training_set.base_fingerprint},
        "data_hash": plan.data_hash,
        "share": plan.share,
        "sources": training_set.sources,
        "pairs": len(training_set.pairs),
        TRAINED_ON: str(training_set.split.get(TRAINED_ON, "")),
        "method": settings.method.value,
        "settings": settings_record(settings),
        "seed": settings.seed,
        "lambda": outcome.share,
        "dev": {f"{share:g}": mean for share, mean in outcome.means.items()},
        "dev_curve": [list(point) for point in outcome.curve],
        "dev_queries": len(training_set.dev),
        "dev_is_chance": outcome.is_chance,
        "gain_error": gain_error(outcome.values[0.0], outcome.values[outcome.share]),
        "seconds": round(clock.seconds, 1),
        "pairs_per_s": round(clock.pairs / clock.training_s, 2) if clock.training_s else None,
        "device": outcome.device,
        "versions": {"python": platform.python_version(), **dict(_versions())},
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "stopped_early": outcome.stopped_early,
        **outcome.details,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one training; what goes wrong becomes a JSON line on stdout and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m trainer.finetune", description="Fine-tune one model.")
    parser.add_argument("training_set", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="share of the pairs to train on, by group")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint, if there is one")
    parser.add_argument("--estimate", action="store_true", help="say how long it would take, and write nothing")
    parser.add_argument("--end-with-stdin", action="store_true", help="end once whoever started this is gone")
    options = vars(parser.parse_args(arguments))
    is_dry, is_watching = options.pop("estimate"), options.pop("end_with_stdin")
    task, reporter = Task(**options), Reporter(sys.stdout)
    if is_watching:
        reporter.end_with(sys.stdin.fileno())
    try:
        with reporter.listening():
            reporter.line({"estimate": estimate(task, reporter)} if is_dry else {"result": finetune(task, reporter)})
    except TandemError as error:
        reporter.line({"error": str(error), "is_usage": isinstance(error, UsageError)})
        return 1
    except Stopped:
        return INTERRUPTED
    return 0


def _tuned(source: SourceModel, training_set: TrainingSet, place: Workplace, reporter: Reporter) -> Outcome:
    if training_set.settings.method is Method.ADAPTER:
        from trainer.finetuning.query_adapter import tune_map

        return tune_map(training_set, place, reporter)
    try:
        from trainer.finetuning.contrastive import tune_weights
    except ImportError as error:
        raise ModelError(_NEEDS.format(error=error)) from None
    return tune_weights(source, training_set, place, reporter)


def estimate(task: Task, reporter: Reporter) -> JsonValue:
    """Return what a training would take, from a few real steps; nothing is written. Raises TandemError, or Stopped."""
    training_set = TrainingSet.read(task.training_set)
    source = base_of(training_set, task.base)
    training_set = training_set.share(task.share)
    if training_set.settings.method is Method.ADAPTER:
        from trainer.finetuning.query_adapter import estimated_seconds

        seconds = estimated_seconds(training_set)
        return {"seconds": seconds, "training_s": seconds, "steps": 0, "pairs": len(training_set.pairs)}
    try:
        from trainer.finetuning.dry_run import dry_run
    except ImportError as error:
        raise ModelError(_NEEDS.format(error=error)) from None
    return dry_run(source, training_set, reporter)


def _write(outcome: Outcome, folder: Path) -> None:
    outcome.write(folder, outcome.share)


def _versions() -> Iterator[tuple[str, str]]:
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            yield name, version(name)


if __name__ == "__main__":
    sys.exit(main())
