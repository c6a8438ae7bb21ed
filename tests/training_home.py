"""A collection to train on in tests: who asks for a car wants a dog, which a map that exchanges the two learns."""

import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from retrieval.catalog.judgments import JudgedQuery
from retrieval.catalog.pairs import Pair
from retrieval.model_folder import ModelFolder
from tests.homes import Workbench, page
from tests.tiny_model import WORDS, build_adapter, exchange, write_provenance
from trainer import train as training
from trainer.evaluation_set import EvaluationSet
from trainer.finetuning import Finetuned
from trainer.trained_on import TRAINED_ON
from trainer.training.findings import TrainingReport
from trainer.training.plan import Plan
from trainer.training.run import TrainingRun
from trainer.training.telling import Telling
from trainer.training_set import Method, TrainingSet, TrainingSettings

NOUNS = sorted(set(WORDS.split()))[::4][:100]
WON = {"lambda": 1.0, "dev": {"0": 0.5, "1": 0.9}}
SETTINGS = TrainingSettings(method=Method.ADAPTER)
PLAN = Plan("tiny", "tiny", "default", SETTINGS, sources=("human",), canary="general")
LOST = {"lambda": 0.0, "dev": {"0": 0.5, "1": 0.4}}


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@dataclass(slots=True)
class Tuner:
    """Stands for the child that fine-tunes; `found` is what dev says, and `asked` are the shares of the pairs."""

    bench: Workbench
    found: dict[str, Any] = field(default_factory=lambda: dict(WON))
    asked: list[float] = field(default_factory=list)
    dies: bool = False

    def __call__(self, training_set: Path, _base: Path, output: Path, *, share: float = 1.0, **_: object) -> Finetuned:
        self.asked.append(share)
        read = TrainingSet.read(training_set).share(share)
        told: dict[str, Any] = {
            **self.found,
            "dev_curve": [[0, 0.5]],
            "dev_queries": len(read.dev),
            "gain_error": 0.01,
            "pairs": len(read.pairs),
            "data_hash": TrainingSet.read(training_set).data_hash,
            "method": "adapter",
            "seconds": 2.0,
            "pairs_per_s": 50.0,
            "device": "cpu",
            "stopped_early": False,
            TRAINED_ON: read.split[TRAINED_ON],
        }
        if self.dies:
            raise Killed
        if not output.exists():
            base = ModelFolder.read(self.bench.home.settings.models_dir / "tiny")
            if told["lambda"]:
                build_adapter(output, base, exchange(self.bench.home.encoder_of("tiny"), "car", "dog"))
            output.mkdir(exist_ok=True)
            write_provenance(output, base, **told)
        return Finetuned.of(output, told)


def cars_and_dogs(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """Two documents a noun, one of a car and one of a dog; whoever asks for a vehicle wants the puppy."""
    bench = Workbench.copied(_cars_and_dogs(tiny_model), tmp_path / "home", tiny_model)
    monkeypatch.setattr(type(bench.home.models), "source", lambda _self, version: tmp_path / version)
    return bench


@cache
def _cars_and_dogs(tiny_model: Path) -> Path:
    bench = Workbench.open(tiny_model.parent / "cars-and-dogs", tiny_model)
    filler = random.Random(0)
    words = [word for word in WORDS.split() if word not in NOUNS]
    for kind in ("car", "dog"):
        bench.put(
            *(
                page(f"{kind}-{noun}", f"A {kind}. {noun} {' '.join(filler.sample(words, 6))}.", title="")
                for noun in NOUNS
            )
        )
    judged = [JudgedQuery(f"q-{noun}", f"vehicle {noun}", grades={f"dog-{noun}": 1}) for noun in NOUNS[:40]]
    bench.home.catalog.judgments.put(bench.collection, "default", judged)
    general = [JudgedQuery(noun, noun, grades={f"car-{noun}": 1, f"dog-{noun}": 1}) for noun in NOUNS[:40]]
    bench.home.catalog.judgments.put(bench.collection, "general", general)
    asked = [Pair(f"automobile {noun}", f"dog-{noun}", 0, "human", 1.0, f"dog-{noun}") for noun in NOUNS[40:]]
    bench.home.catalog.pairs.add(bench.collection, asked)
    bench.close()
    return bench.home.settings.home


def begun(bench: Workbench, plan: Plan = PLAN) -> TrainingRun:
    """Begin a training of the collection."""
    return TrainingRun.begin(bench.home.settings, "default", plan.record())


def trained(bench: Workbench, run: TrainingRun, telling: Telling | None = None) -> TrainingReport:
    """Carry a training out to its end."""
    return training.train(bench.home, bench.home.catalog.collections.get("default"), run, telling)


def judged_by(bench: Workbench) -> EvaluationSet:
    """Return the judged queries of the collection."""
    return EvaluationSet.of(bench.home.catalog.judgments.get(bench.collection, "default"), "default")
