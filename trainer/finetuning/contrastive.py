"""Train the weights of a model: data, batches, loss, steps, checkpoints, and the mixture with the base.

What comes out is a function of the training set, the base and the kind of machine, whether it was interrupted or not.
"""

import platform
from functools import partial
from pathlib import Path

import torch

from retrieval.errors import ModelError, UsageError
from retrieval.model_source import SourceModel
from trainer.finetuning.batches import BatchPlan, Schedule, clusters_of
from trainer.finetuning.dev_ranking import chance_of
from trainer.finetuning.interpolation import LAMBDAS, mixed
from trainer.finetuning.memory import is_out_of_memory, mini_batch_for
from trainer.finetuning.outcome import Outcome
from trainer.finetuning.pace import Pace
from trainer.finetuning.progress import Reporter, Stage
from trainer.finetuning.ranking import Ranking, lengths
from trainer.finetuning.ranking_loss import pair_loss
from trainer.finetuning.ranking_trainer import RankingTrainer, candidate_columns
from trainer.finetuning.tuned_model import TunedModel, Weights, half_while_training, prepare
from trainer.finetuning.workplace import Workplace
from trainer.training_set import TrainingSet

MIXTURES = [share for share in LAMBDAS if 0 < share < 1]


def tune_weights(source: SourceModel, training_set: TrainingSet, place: Workplace, reporter: Reporter) -> Outcome:
    """Train, and mix the chosen checkpoint with the base as much as ranks the dev queries best.

    Goes on from the last checkpoint of the workplace. Raises ModelError, or Stopped once all is saved.
    """
    device = prepare(training_set.settings.seed)
    model = TunedModel(source, place.scratch, method=training_set.settings.method, device=device)
    schedule = schedule_of(model, training_set)
    ranking = Ranking(model, training_set, place, Pace(), reporter)
    ranking.expect(schedule, mixtures=len(MIXTURES))
    ranking.rank(0)
    train(model, training_set, schedule, ranking, place)
    ranking.expect(None, mixtures=len(MIXTURES))
    taken = ranking.chosen
    model.load_trained(place.checkpoint(taken))
    model.merge()
    tuned = model.weights()
    values = {0.0: place.ranked[0], 1.0: place.ranked[taken]}
    for share in MIXTURES:
        model.set_weights(mixed(model.base, tuned, share))
        values[share] = ranking.values(Stage.MIXING)
    curve = sorted(ranking.means.items())
    return Outcome(
        values=dict(sorted(values.items())),
        curve=curve,
        chance=chance_of(training_set),
        stopped_early=curve[-1][0] < len(schedule.steps),
        device=device_name(device),
        write=partial(write_mixture, model, tuned),
        details={"mini_batch": place.mini_batch, "pairs_an_epoch": len(set().union(*schedule.epoch(0)))},
    )


def schedule_of(model: TunedModel, training_set: TrainingSet) -> Schedule:
    """Lay out all batches: pairs of like length together, none with another of its group."""
    settings, recipe = training_set.settings, model.recipe
    queries = lengths(model, [pair.query for pair in training_set.pairs], recipe.query_prompt)
    columns = [lengths(model, texts, recipe.passage_prompt) for texts in candidate_columns(training_set)]
    plan = BatchPlan(
        clusters=clusters_of(training_set.pairs),
        lengths=[max(row) for row in zip(*columns, strict=True)],
        batch_size=settings.batch_size,
        seed=settings.seed,
    )
    if not settings.negatives and max(map(len, plan.epoch(0))) < 2:
        raise UsageError(
            "All pairs are of one group of documents and have no hard negatives: there is nothing to tell them apart "
            "from. Add pairs of other documents, or hard negatives."
        )
    return Schedule.of(plan, queries, len(columns), epochs=settings.epochs, evaluations=settings.evaluations)


def train(model: TunedModel, training_set: TrainingSet, schedule: Schedule, ranking: Ranking, place: Workplace) -> None:
    """Train to the end of the schedule, or until ranking gets no better; in smaller parts where memory runs out."""
    while True:
        model.reset()
        done = max(place.checkpoints(), default=0)
        if done:
            model.load_trained(place.checkpoint(done))
        if done in schedule.evaluations:
            ranking.rank(done)
        if done == len(schedule.steps) or ranking.is_over(training_set.settings.patience):
            return
        try:
            run_steps(model, training_set, schedule, ranking, place)
        except Exception as error:  # each device has its own for this
            if not is_out_of_memory(error):
                raise
            take_less(place, training_set.settings.batch_size)


def run_steps(
    model: TunedModel, training_set: TrainingSet, schedule: Schedule, ranking: Ranking, place: Workplace
) -> None:
    """Train from the last checkpoint on."""
    if (mini_batch := place.mini_batch) is None:
        mini_batch = mini_batch_of(model, training_set)
        place.decide_mini_batch(mini_batch)
    loss = pair_loss(model.pipeline, training_set, mini_batch)
    trainer = RankingTrainer(model, training_set, schedule, loss, ranking, place)
    done = max(place.checkpoints(), default=0)
    with half_while_training(model.pipeline):
        trainer.train(resume_from_checkpoint=str(place.checkpoint(done)) if done else None)


def mini_batch_of(model: TunedModel, training_set: TrainingSet) -> int:
    """Return how many texts to embed at a time, by the memory that there is; 0 for a whole batch."""
    settings = training_set.settings
    texts = [model.recipe.passage_prompt + text for column in candidate_columns(training_set) for text in column]
    return mini_batch_for(model, texts, (2 + settings.negatives) * settings.batch_size, batch_size=settings.batch_size)


def take_less(place: Workplace, batch_size: int) -> None:
    """Halve the texts that are embedded at a time; ModelError if that was one."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    before = place.mini_batch or batch_size
    if before == 1:
        raise ModelError("There is too little memory to train on a single text; free some, or use a smaller model.")
    place.decide_mini_batch(before // 2)


def write_mixture(model: TunedModel, tuned: Weights, folder: Path, share: float) -> None:
    """Write the model with this share of what was trained."""
    model.set_weights(mixed(model.base, tuned, share))
    model.write(folder)


def device_name(device: str) -> str:
    """Describe what was trained on."""
    if device == "cuda":
        return f"cuda: {torch.cuda.get_device_name()}"
    return f"cpu: {platform.machine()}, {torch.get_num_threads()} threads"
