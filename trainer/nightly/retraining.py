"""Train if enough is new, and promote on the verdict. A training that a night began and did not end goes on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from indexer.promotion_history import promotions_of
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.trainings import Material
from retrieval.errors import TandemError
from retrieval.home import Home
from retrieval.settings import Settings
from retrieval.types import JsonValue
from trainer.finetuning import TrainingInterrupted
from trainer.nightly.outcome import News, Retraining, State
from trainer.report.training import training_json
from trainer.train import train
from trainer.training.material import material_of
from trainer.training.plan import Plan
from trainer.training.promoting import promoted
from trainer.training.run import TrainingRun, alone
from trainer.training.telling import Telling

MARK = "nightly"
"""What a training that a night began has decided: for which job, what was ingested before, and whether it was told."""


def news_of(catalog: Catalog, collection: Collection, *, needed: int, expected: int = 0) -> News:
    """Count what is new or changed since the last training."""
    last = catalog.trainings.last(collection)
    before = last.material if last else Material()
    now = material_of(catalog, collection)
    documents, pairs = len(now.documents - before.documents), len(now.pairs - before.pairs)
    return News(documents, pairs, needed, last.ended_at if last else "", expected)


@dataclass(frozen=True, slots=True)
class HowToRetrain:
    """What to train, what to remember of the night meanwhile, and whether to promote what proves better."""

    plan: Callable[[Collection], Plan]
    mark: Mapping[str, JsonValue]
    may_promote: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A training that a night began, and of which nobody was told yet what came of it."""

    run: TrainingRun
    mark: Mapping[str, Any]

    @classmethod
    def of(cls, settings: Settings, collection: str) -> "Begun | None":
        """Return the newest training of a collection, if it is such a one."""
        newest = TrainingRun.all(settings, collection)[-1:]
        mark = newest[0].decided(MARK) if newest and newest[0].is_readable else None
        return cls(newest[0], mark) if isinstance(mark, dict) and not mark.get("told") else None

    def told(self) -> None:
        """Record that the night is over for it."""
        if self.run.path.exists():  # it is given up where there is too little to train on
            self.run.decide(MARK, {**self.mark, "told": True})


def retrain(
    home: Home, collection: Collection, how: HowToRetrain, telling: Telling, *, goes_on: bool = False
) -> Retraining:
    """Train, or go on with what a night began, and promote the model if its verdict allows.

    With `goes_on`, nothing else is begun. What fails is told; a training that is stopped raises TrainingInterrupted,
    and goes on the next time.
    """
    begun: Begun | None = None
    try:
        with alone(home.settings, collection.name):
            begun = Begun.of(home.settings, collection.name)
            if begun is None and goes_on:
                return Retraining(State.NOT_NEEDED, "Another process has ended the training meanwhile.")
            if begun is not None:
                telling.step(f"Going on with training {begun.run.number}, as it was begun")
            begun = begun or _begin(home, collection, how)
            body = _carried_out(home, collection, begun.run, telling)
            refused = _promoted(home, collection, body, telling) if how.may_promote else None
            begun.told()
    except TrainingInterrupted:
        raise
    except TandemError as error:
        if begun:
            begun.told()  # so that the next night begins anew, and does not fail again where this one did
        return Retraining(State.FAILED, " ".join(str(error).split()))
    except Exception:
        if begun:
            begun.told()
        raise
    return Retraining(State.TRAINED, found=body, refused=str(refused or ""))


def _begin(home: Home, collection: Collection, how: HowToRetrain) -> Begun:
    run = TrainingRun.begin(home.settings, collection.name, how.plan(collection).record())
    run.decide(MARK, dict(how.mark))
    return Begun(run, how.mark)


def _carried_out(home: Home, collection: Collection, run: TrainingRun, telling: Telling) -> dict[str, JsonValue]:
    """Return a training's report, carried out now unless it was."""
    if run.is_done:  # killed after it, before anybody was told
        body: dict[str, JsonValue] = json.loads(run.report.with_suffix(".json").read_text(encoding="utf-8"))
    else:
        body = training_json(train(home, collection, run, telling))
    return {**body, "report": str(run.report)}


def _promoted(home: Home, collection: Collection, body: dict[str, JsonValue], telling: Telling) -> TandemError | None:
    """Promote what a report says may be, unless it was; add to the report that it was, and return what refused it."""
    if body["version"] != home.catalog.collections.get(collection.name).config.model:
        return promoted(home, collection, body, telling.step)
    last = promotions_of(home.catalog, collection)[-1:]
    body["promoted"] = asdict(last[0]) if last else None
    return None
