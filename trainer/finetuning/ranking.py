"""The dev queries, ranked by the model as it is: what chooses checkpoints, stops training, and chooses the mixture."""

import time
from collections.abc import Sequence

import numpy as np

from retrieval.types import FloatArray
from trainer.finetuning.batches import Schedule
from trainer.finetuning.checkpoint_choice import chosen_step
from trainer.finetuning.dev_ranking import dev_values
from trainer.finetuning.pace import Pace, Work
from trainer.finetuning.progress import Progress, Reporter, Stage
from trainer.finetuning.tuned_model import TunedModel
from trainer.finetuning.workplace import Workplace
from trainer.training_set import TrainingSet

SLICE, BATCH = 64, 16
"""Texts that are encoded between two looks at whether to stop, and of these at a time."""


class Ranking:
    """Ranks dev queries, keeps what that gives in the workplace, and reports how far it is."""

    def __init__(
        self, model: TunedModel, training_set: TrainingSet, place: Workplace, pace: Pace, reporter: Reporter
    ) -> None:
        self._model, self._set, self._place = model, training_set, place
        self.pace, self.reporter = pace, reporter
        self._step, self._steps = 0, 0
        self._tokens = tokens_of(model, training_set.passages, model.recipe.passage_prompt) + tokens_of(
            model, [query.query for query in training_set.dev], model.recipe.query_prompt
        )

    def expect(self, schedule: Schedule | None, *, mixtures: int) -> None:
        """Reckon with the rest of a schedule, if there is one, and with ranking this many mixtures."""
        done = max(self._place.checkpoints(), default=0)
        ranked = self._place.ranked
        rankings = [step for step in (0, *schedule.evaluations) if step not in ranked] if schedule else []
        self.pace.left = {
            Work.TRAINING: float(schedule.tokens[done:].sum()) if schedule else 0.0,
            Work.RANKING: float((len(rankings) + mixtures) * self._tokens),
        }
        self._step, self._steps = done, len(schedule.steps) if schedule else self._steps

    @property
    def means(self) -> dict[int, float]:
        """Mean nDCG@10 after each evaluation so far; that of step 0 is the base's."""
        return {step: float(np.mean(values)) for step, values in sorted(self._place.ranked.items())}

    @property
    def chosen(self) -> int:
        """The step whose checkpoint is taken; the base is left out. ValueError if none was ranked."""
        return chosen_step({step: values for step, values in self._place.ranked.items() if step > 0})

    def is_over(self, patience: int) -> bool:
        """Tell whether as many evaluations passed without a better one as patience allows."""
        trained = [mean for step, mean in self.means.items() if step > 0]
        return bool(trained) and len(trained) - 1 - trained.index(max(trained)) >= patience

    def worth_keeping(self, newest: int) -> list[int]:
        """Return the steps whose checkpoints are needed: the newest, and the chosen, which only ever moves on."""
        return [newest, *([self.chosen] if any(self.means.keys() - {0}) else [])]

    def rank(self, step: int) -> list[float]:
        """Rank with the model as it is after a step, unless that is known."""
        known = self._place.ranked.get(step)
        if known is not None:
            return known
        values = self.values(Stage.RANKING)
        self._place.keep_ranked(step, values)
        self._report(Stage.RANKING)
        return values

    def values(self, stage: Stage) -> list[float]:
        """Return nDCG@10 of every dev query by the model as it is. Raises Stopped."""
        recipe = self._model.recipe
        passages = self._encoded(list(self._set.passages), recipe.passage_prompt, stage)
        queries = self._encoded([query.query for query in self._set.dev], recipe.query_prompt, stage)
        relevant = [query.relevant for query in self._set.dev]
        return dev_values(queries, passages, relevant, self._set.documents)

    def report_step(self, step: int, steps: int) -> None:
        """Report a step of training."""
        self._step, self._steps = step, steps
        self._report(Stage.TRAINING)

    def _report(self, stage: Stage) -> None:
        means = self.means
        last = means[max(means)] if means else None
        self.reporter.progress(Progress(stage, self._step, self._steps, self.pace.seconds_left, last))

    def _encoded(self, texts: Sequence[str], prompt: str, stage: Stage) -> FloatArray:
        """Encode the longest texts first, so that what is left is rather over- than underestimated."""
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        vectors: list[FloatArray] = []
        for start in range(0, len(order), SLICE):
            self.reporter.check()
            chosen = [texts[place] for place in order[start : start + SLICE]]
            began = time.monotonic()
            vectors.append(encode(self._model, chosen, prompt))
            self.pace.done(Work.RANKING, tokens_of(self._model, chosen, prompt), time.monotonic() - began)
            self._report(stage)
        found = np.concatenate(vectors)
        back = np.empty_like(found)
        back[order] = found
        return back


def encode(model: TunedModel, texts: Sequence[str], prompt: str) -> FloatArray:
    """Return unit vectors of texts, in float32."""
    vectors = model.pipeline.encode(
        list(texts), prompt=prompt, normalize_embeddings=True, batch_size=BATCH, show_progress_bar=False
    )
    return np.asarray(vectors, np.float32)


def tokens_of(model: TunedModel, texts: Sequence[str], prompt: str) -> int:
    """Return how many tokens these texts have for the model, cut to its longest."""
    return sum(lengths(model, texts, prompt))


def lengths(model: TunedModel, texts: Sequence[str], prompt: str) -> list[int]:
    """Return the number of tokens of each text, cut to the model's longest."""
    tokenizer, most = model.pipeline.tokenizer, model.recipe.max_tokens
    encoded = tokenizer([prompt + text for text in texts], truncation=True, max_length=most)
    return [len(ids) for ids in encoded["input_ids"]]
