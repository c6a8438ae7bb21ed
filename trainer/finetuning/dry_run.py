"""How long a training would take: a few real steps and rankings, and what they make of the whole."""

import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from retrieval.model_source import SourceModel
from retrieval.types import JsonValue
from trainer.finetuning.batches import Schedule
from trainer.finetuning.contrastive import MIXTURES, device_name, mini_batch_of, schedule_of
from trainer.finetuning.memory import on_device
from trainer.finetuning.progress import Progress, Reporter, Stage
from trainer.finetuning.ranking import SLICE, encode, tokens_of
from trainer.finetuning.ranking_loss import pair_loss
from trainer.finetuning.ranking_trainer import candidate_columns
from trainer.finetuning.tuned_model import TunedModel, half_while_training, prepare
from trainer.training_set import TrainingSet

_TRIALS = 8
"""Steps and rankings that are measured at most, and the first of each."""


def dry_run(source: SourceModel, training_set: TrainingSet, reporter: Reporter) -> dict[str, JsonValue]:
    """Return the seconds that training would take, if dev queries did not end it early, and what is in them.

    Raises Stopped.
    """
    began = time.monotonic()
    device = prepare(training_set.settings.seed)
    with tempfile.TemporaryDirectory() as scratch:
        model = TunedModel(source, Path(scratch), method=training_set.settings.method, device=device)
        schedule = schedule_of(model, training_set)
        mini_batch = mini_batch_of(model, training_set)
        loading_s = time.monotonic() - began
        trials = count(1)

        def tried() -> None:
            reporter.progress(Progress(Stage.MEASURING, next(trials), _TRIALS))
            reporter.check()

        training_s = training_seconds(model, training_set, schedule, mini_batch, tried)
        ranking_s = ranking_seconds(model, training_set, tried)
    rankings = 1 + len(schedule.evaluations) + len(MIXTURES)
    pairs = sum(len(batch) for batch in schedule.steps)
    return {
        "seconds": loading_s + training_s + rankings * ranking_s,
        "training_s": training_s,
        "ranking_s": rankings * ranking_s,
        "steps": len(schedule.steps),
        "pairs": len(training_set.pairs),
        "pairs_per_s": pairs / training_s,
        "mini_batch": mini_batch,
        "device": device_name(device),
    }


def training_seconds(
    model: TunedModel, training_set: TrainingSet, schedule: Schedule, mini_batch: int, tried: Callable[[], None]
) -> float:
    """Return the seconds of all steps, by those of the cheapest, a typical and the dearest one."""
    loss = pair_loss(model.pipeline, training_set, mini_batch).to(model.pipeline.device)
    optimizer = torch.optim.AdamW([one for one in model.pipeline.parameters() if one.requires_grad], lr=0.0)
    columns = [[pair.query for pair in training_set.pairs], *candidate_columns(training_set)]
    named = [model.recipe.query_prompt, *[model.recipe.passage_prompt] * (len(columns) - 1)]

    def step(batch: Sequence[int]) -> None:
        features = [
            on_device(model.pipeline.preprocess([texts[row] for row in batch], prompt=prompt), model.pipeline.device)
            for texts, prompt in zip(columns, named, strict=True)
        ]
        loss(features, torch.tensor(batch)).backward()
        optimizer.step()
        optimizer.zero_grad()

    model.pipeline.train()
    with half_while_training(model.pipeline):
        seconds = _by_size(schedule.steps, schedule.tokens.tolist(), step, tried)
    model.pipeline.eval()
    return seconds


def ranking_seconds(model: TunedModel, training_set: TrainingSet, tried: Callable[[], None]) -> float:
    """Return the seconds of ranking the dev queries once, by those of a short, a typical and a long slice."""
    prompt = model.recipe.passage_prompt
    texts = sorted([*training_set.passages, *(query.query for query in training_set.dev)], key=len)
    slices = [texts[start : start + SLICE] for start in range(0, len(texts), SLICE)]
    tokens = [tokens_of(model, one, prompt) for one in slices]
    return _by_size(slices, tokens, lambda texts: encode(model, texts, prompt), tried)


_Item = TypeVar("_Item")


def _by_size(
    items: Sequence[Sequence[_Item]],
    tokens: Sequence[int],
    run: Callable[[Sequence[_Item]], object],
    tried: Callable[[], None],
) -> float:
    """Return the seconds of all: the smallest, the median and the largest are measured, the others read off."""
    order = np.argsort(tokens, kind="stable")
    chosen = sorted({int(order[0]), int(order[len(order) // 2]), int(order[-1])}, key=lambda place: tokens[place])
    run(items[chosen[0]][:2])  # the first of all is slower than any other
    tried()
    measured: list[float] = []
    for place in chosen:
        measured.append(_seconds(run, items[place]))
        tried()
    return float(np.interp(tokens, [tokens[place] for place in chosen], measured).sum())


def _seconds(run: Callable[[Sequence[_Item]], object], item: Sequence[_Item]) -> float:
    began = time.monotonic()
    run(item)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic() - began
