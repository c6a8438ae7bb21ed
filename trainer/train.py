"""A training from pairs to verdict: mine, split, tune, embed, compare. Killed anywhere, it goes on where it was."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from indexer.promotion import embed
from retrieval.catalog import Collection
from retrieval.errors import UsageError
from retrieval.home import Home
from retrieval.model_folder import Precision, sha256_of
from retrieval.types import Mode
from trainer.arms import REFERENCE, Arm
from trainer.compare import Declared, compare, held_out
from trainer.evaluation_set import EvaluationSet
from trainer.findings import Report
from trainer.finetuning import Finetuned, finetune_in_subprocess
from trainer.report.training import training_html, training_json
from trainer.training.canary import Canary
from trainer.training.canary_sets import NONE, ask_canary
from trainer.training.findings import Choice, TrainingReport
from trainer.training.keeping import keep_verdict
from trainer.training.learning_curve import CurvePoint
from trainer.training.material import material_of, read_material, write_material
from trainer.training.plan import Plan
from trainer.training.preparation import Preparation, Prepared
from trainer.training.run import TrainingRun
from trainer.training.telling import Telling


def train(home: Home, collection: Collection, run: TrainingRun, telling: Telling | None = None) -> TrainingReport:
    """Carry a run out to its report, which is written into its folder; a run that was stopped goes on.

    Raises TrainingInterrupted when told to stop, UsageError where there is too little to train on, and what the steps
    raise.
    """
    plan = Plan.of(run.plan)
    if plan.collection_id not in (0, collection.id):
        run.give_up()
        raise UsageError(f"The training of {collection.name!r} was of a collection that is gone; begin a new one.")
    if not run.material.exists():
        write_material(run.material, material_of(home.catalog, collection))
    judged = EvaluationSet.of(home.catalog.judgments.get(collection, plan.judgments), plan.judgments)
    found = _Training(home, collection, judged, plan, run, telling or Telling()).to_the_end()
    run.report.write_text(training_html(found), encoding="utf-8")
    body = json.dumps(training_json(found), ensure_ascii=False, indent=2)
    run.report.with_suffix(".json").write_text(body + "\n", encoding="utf-8")
    home.catalog.trainings.keep(collection, found.verdict, read_material(run.material))
    run.finish()
    return found


@dataclass(frozen=True, slots=True)
class _Training:
    """One training at work. `judged` is the judgment set that the plan names, whole."""

    home: Home
    collection: Collection
    judged: EvaluationSet
    plan: Plan
    run: TrainingRun
    telling: Telling

    def to_the_end(self) -> TrainingReport:
        """Do every step that is not done yet, and return what came of it."""
        with self._timed("pairs"):
            about = Preparation(self.home, self.collection, self.judged, self.plan, self.telling)
            try:
                ready = about.into(self.run)
            except UsageError:
                self.run.give_up()
                raise
        for number in self.run.replace_unfinished():
            self.telling.step(f"Training {number}, which was not finished, is given up for training {self.run.number}")
        tuned = [self._tuned(share) for share in (*self.plan.curve, 1.0)]
        version = self._version(tuned[-1])
        if version:
            self._embed(version)
        with self._timed("evaluation"):
            report = self._compared(ready, version)
            canary = self._canary(version) if version else None
        found = self._report(ready, tuned, version, report, canary)
        if version:
            keep_verdict(self.home.catalog, self.collection, found.report, canary)
        return found

    def _tuned(self, share: float) -> Finetuned:
        """Fine-tune on a share of the pairs, unless that is done."""
        output = self.run.tuned if share == 1 else self.run.share(share)
        if not output.exists():
            self.telling.step(f"Fine-tuning on {'all' if share == 1 else f'{100 * share:.0f} % of'} pairs")
        base = self.home.models.source(self.plan.start)
        return finetune_in_subprocess(
            self.run.training_set, base, output, share=share, resume=True, on_progress=self.telling.tuning
        )

    def _version(self, tuned: Finetuned) -> str:
        """Return the version that the tuned model is, added now if it was not; "" where the base is kept."""
        if tuned.keeps_base:
            return ""
        known: str = self.run.decided("version") or ""
        if any(record.version == known for record in self.home.catalog.models.list()):  # it may have been deleted
            return known
        name = f"{self.collection.name}-{self.plan.settings.method}-{weights_digest(tuned.folder)}"
        self.telling.step(f"Adding the tuned model as {name}")
        precision = Precision(self.home.models.model(self.plan.start).precision)
        with self._timed("export"):
            self.home.register(self.home.models.add_model(tuned.folder, name, precision=precision))
        self.run.decide("version", name)
        return name

    def _embed(self, version: str) -> None:
        self.telling.step(f"Embedding {self.collection.name} with {version}")
        with self._timed("embedding"):
            embed(self.home, self.collection, version, self.telling.embedding)

    def _compared(self, ready: Prepared, version: str) -> Report:
        """Measure the arms of the base, and compare them with those of the tuned model if there is one."""
        embedding, hybrid = (
            [Arm(mode.value, model) for model in (self.plan.base, version) if model]
            for mode in (Mode.EMBEDDING, Mode.HYBRID)
        )
        whole = ready.test.queries.keys() == self.judged.queries.keys()
        declared = Declared(
            pairs=[(hybrid[0], hybrid[1])] if version else [],
            shown=[Arm(REFERENCE), Arm(Mode.KEYWORD.value), *embedding, *hybrid],
            name=self.plan.judgments if whole else held_out(self.plan.judgments),
            minimum_effect=self.plan.minimum_effect,
            explored=[(embedding[0], embedding[1])] if version else [],
        )
        return compare(
            self.home,
            self.collection,
            ready.test,
            declared,
            on_arm=lambda arm: self.telling.step(f"Ranking with {arm}"),
        )

    def _canary(self, version: str) -> Canary | None:
        if self.plan.canary == NONE:
            return None
        self.telling.step("Asking what has nothing to do with the collection")
        return ask_canary(
            self.home,
            self.collection,
            self.plan.canary,
            (self.plan.base, version),
            on_embedded=self.telling.embedding,
        )

    def _report(
        self, ready: Prepared, tuned: Sequence[Finetuned], version: str, report: Report, canary: Canary | None
    ) -> TrainingReport:
        last = tuned[-1]
        explored = report.comparisons[1:]
        took = self.run.decided("seconds") or {}
        return TrainingReport(
            report=replace(report, comparisons=report.comparisons[:1]),
            embedding=explored[0] if explored else None,
            base=self.plan.base,
            version=version,
            method=self.plan.settings.method.value,
            choice=Choice(last.share, last.dev, last.curve, last.dev_queries, last.is_chance),
            pairs=ready.counts,
            curve=[_point(share, one) for share, one in zip((*self.plan.curve, 1.0), tuned, strict=True)],
            canary=canary,
            seconds={
                **{name: took[name] for name in ("pairs",) if name in took},
                "fine-tuning": last.seconds,
                **({"learning curve": sum(one.seconds for one in tuned[:-1])} if len(tuned) > 1 else {}),
                **{name: took[name] for name in took if name != "pairs"},
            },
            pairs_per_s=last.pairs_per_s or 0.0,
            device=last.device,
            settings=self.plan.record(),
            tried=self._tried(report, version),
        )

    def _tried(self, report: Report, version: str) -> int:
        known = self.home.catalog.verdicts.judged(self.collection, report.judgments)
        if not version:
            return len(known)
        return len(known | {str(Arm(Mode.HYBRID.value, version))})

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        """Add the time that a step takes to what it took before it was interrupted."""
        started = time.monotonic()
        try:
            yield
        finally:
            if self.run.path.exists():
                took = self.run.decided("seconds") or {}
                self.run.decide("seconds", {**took, step: took.get(step, 0.0) + time.monotonic() - started})


def weights_digest(folder: Path) -> str:
    """Return what tells the weights in a folder from any others: 8 hexadecimal characters."""
    digest = sha256()
    for file in sorted(folder.rglob("*.safetensors")):
        digest.update(sha256_of(file).encode())
    return digest.hexdigest()[:8]


def _point(share: float, tuned: Finetuned) -> CurvePoint:
    ndcg = tuned.dev[f"{tuned.share:g}"]
    return CurvePoint(share, tuned.pairs, ndcg, tuned.gain, tuned.gain_error, tuned.share, tuned.seconds)
