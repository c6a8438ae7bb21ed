"""sentence-transformers' own trainer, with our batches, and with checkpoints that are whole or not there."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch import nn
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.finetuning.batches import Schedule
from trainer.finetuning.pace import Work
from trainer.finetuning.ranking import Ranking
from trainer.finetuning.tuned_model import TunedModel
from trainer.finetuning.workplace import Workplace
from trainer.training_set import TrainingSet, TrainingSettings

WARMUP = 0.1
"""The share of steps in which the learning rate rises; it falls to 0 in the others."""
WEIGHT_DECAY = 0.01
SAVE_EVERY_S = 120.0
"""What a kill costs at most, besides the step under way."""


class RankingTrainer(SentenceTransformerTrainer):
    """Trains on the batches of a schedule; ranks dev queries at its evaluations, and stops when these get no better."""

    def __init__(
        self,
        model: TunedModel,
        training_set: TrainingSet,
        schedule: Schedule,
        loss: nn.Module,
        ranking: Ranking,
        place: Workplace,
    ) -> None:
        self._tuned, self._schedule, self._place = model, schedule, place
        super().__init__(
            model=model.pipeline,
            args=arguments(training_set.settings, place.scratch, prompts(model, training_set)),
            train_dataset=dataset(training_set),
            loss=loss,
            callbacks=[_Milestones(training_set.settings, schedule, ranking, place)],
        )
        self.remove_callback(PrinterCallback)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Leave the model card alone: it would ask a hub about the base and describe samples of the texts."""

    def get_batch_sampler(self, dataset: Any, *_: Any, **__: Any) -> DefaultBatchSampler:
        """Return the schedule's batches."""
        return ScheduledBatches(dataset, self._schedule)

    def _get_output_dir(self, *_: Any, **__: Any) -> str:
        return str(self._place.scratch)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or self._place.scratch)
        folder.mkdir(parents=True, exist_ok=True)
        self._tuned.save_trained(folder)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        self._place.keep_checkpoint(self.state.global_step)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:  # type: ignore[override]  # as its parent's
        self._tuned.load_trained(Path(checkpoint_path))


class ScheduledBatches(DefaultBatchSampler):
    """The batches that a schedule gives the epoch."""

    def __init__(self, dataset: Any, schedule: Schedule) -> None:
        super().__init__(dataset, batch_size=max(map(len, schedule.steps)), drop_last=False)
        self._schedule = schedule

    def __len__(self) -> int:
        return len(self._schedule.epoch(0))

    def __iter__(self) -> Iterator[list[int]]:
        return iter([list(batch) for batch in self._schedule.epoch(self.epoch)])


class _Milestones(TrainerCallback):
    """Saves at every evaluation and after a while, ranks dev queries once that is saved, and reports every step."""

    def __init__(self, settings: TrainingSettings, schedule: Schedule, ranking: Ranking, place: Workplace) -> None:
        self._settings, self._schedule, self._ranking, self._place = settings, schedule, ranking, place
        self._step_began = self._saved = time.monotonic()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clocks."""
        self._step_began = self._saved = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:  # noqa: ARG002
        """Report the step, and save where it is time to."""
        now = time.monotonic()
        step, seconds = state.global_step, now - self._step_began
        self._place.trained(len(self._schedule.steps[step - 1]), seconds)
        self._ranking.pace.done(Work.TRAINING, float(self._schedule.tokens[step - 1]), seconds)
        self._ranking.report_step(step, len(self._schedule.steps))
        is_time = now - self._saved >= SAVE_EVERY_S
        if is_time or step in self._schedule.evaluations or self._ranking.reporter.is_stopping:
            control.should_save = True
        self._step_began = time.monotonic()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:  # noqa: ARG002
        """Rank what is saved, if it is time; stop if that was asked for or if ranking gets no better."""
        step = state.global_step
        self._ranking.reporter.check()
        if step in self._schedule.evaluations:
            self._ranking.rank(step)
        self._place.prune(self._ranking.worth_keeping(step))
        if self._ranking.is_over(self._settings.patience):
            control.should_training_stop = True
        self._step_began = self._saved = time.monotonic()


def arguments(
    settings: TrainingSettings, folder: Path, prompts: dict[str, str]
) -> SentenceTransformerTrainingArguments:
    """Return the trainer's arguments; the callback decides when to save, and nothing is logged."""
    has_gpu = torch.cuda.is_available()
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.rate,
        warmup_steps=WARMUP,
        weight_decay=WEIGHT_DECAY,
        seed=settings.seed,
        prompts=prompts or None,
        use_cpu=not has_gpu,
        dataloader_pin_memory=has_gpu,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def dataset(training_set: TrainingSet) -> Dataset:
    """Return the pairs as columns; `label` is the number of the pair, by which the loss looks it up."""
    pairs = training_set.pairs
    columns = dict(zip(_document_columns(training_set), candidate_columns(training_set), strict=True))
    return Dataset.from_dict({"query": [pair.query for pair in pairs], **columns, "label": list(range(len(pairs)))})


def prompts(model: TunedModel, training_set: TrainingSet) -> dict[str, str]:
    """Return what the model puts before the texts of each column, where it puts anything."""
    documents = dict.fromkeys(_document_columns(training_set), model.recipe.passage_prompt)
    return {column: prompt for column, prompt in {"query": model.recipe.query_prompt, **documents}.items() if prompt}


def candidate_columns(training_set: TrainingSet) -> list[list[str]]:
    """Return the columns of texts that queries are ranked against; an absent negative is an empty text."""
    pairs, most = training_set.pairs, training_set.settings.negatives
    rows = [[pair.passage, *pair.negatives, *[""] * (most - len(pair.negatives))] for pair in pairs]
    return [list(column) for column in zip(*rows, strict=True)]


def _document_columns(training_set: TrainingSet) -> list[str]:
    return ["passage", *(f"negative_{number}" for number in range(training_set.settings.negatives))]
