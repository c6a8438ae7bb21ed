"""From a collection to a training set: mine, choose, split, and make every pair ready; what is decided is recorded."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from retrieval.catalog import Collection
from retrieval.catalog.pairs import MINED
from retrieval.errors import NotFound, UsageError
from retrieval.home import Home
from retrieval.types import FloatArray, JsonValue
from trainer.evaluation_set import EvaluationSet
from trainer.finetuning import Estimate, estimate_in_subprocess
from trainer.hard_negatives import Drawing
from trainer.hard_negatives import prepared as with_negatives
from trainer.mining import SETTING, keep, mine_pairs
from trainer.pairs.brought import placed
from trainer.pairs.files import Brought
from trainer.pairs.legs import Legs
from trainer.splits import Groups, Split, split
from trainer.trained_on import TRAINED_ON, digests, taught, that_may_judge
from trainer.training.dev_set import dev_set, passages_for
from trainer.training.findings import PairCounts
from trainer.training.pair_audit import concerns
from trainer.training.plan import Plan
from trainer.training.run import TrainingRun
from trainer.training.telling import Telling
from trainer.training_set import MANIFEST, BaseVectors, HalfArray, Method, TrainingPair, TrainingSet

LEAST_PAIRS, LEAST_DEV = 32, 5
"""Fewer pairs to train on, or queries to choose by, are no training."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The judged queries that judge, and what became of the pairs."""

    test: EvaluationSet
    counts: PairCounts


@dataclass(frozen=True)
class Preparation:
    """What is to be made ready: the pairs of a collection, for a plan, apart from what judges it."""

    home: Home
    collection: Collection
    judged: EvaluationSet
    plan: Plan
    telling: Telling

    @cached_property
    def _judging(self) -> EvaluationSet:
        """The judged queries that want nothing which the base was taught."""
        return that_may_judge(self.judged, self.home.catalog, [self.plan.base, self.plan.start])

    @cached_property
    def _groups(self) -> Groups:
        return Groups.read(self.home.catalog.documents.all(self.collection), seed=self.plan.settings.seed)

    def into(self, run: TrainingRun) -> Prepared:
        """Write the training set of a run, unless it is there, and return what was decided about it.

        Raises UsageError where too few pairs are left to train on.
        """
        if not run.training_set.exists():
            found = self.split()
            training_set = self.assembled(found)
            run.decide("split", {**found.record(), "test": list(found.test.queries), "concerns": [*concerns(found)]})
            run.decide("dropped", self._dropped())
            taken = self._within_budget(training_set, run.path)
            if cut := len(training_set.pairs) - len(taken.pairs):
                run.decide("cut", cut)
            taken.write(run.training_set)
        return self._decided(run)

    def split(self) -> Split:
        """Mine pairs, and part those to train on from those to choose by and from what judges; raises UsageError."""
        catalog, settings, sources = self.home.catalog, self.plan.settings, self.plan.sources
        if not sources or any(source.startswith(MINED) for source in sources):
            self.telling.step(f"Mining pairs from {self.collection.name}")
            mined = mine_pairs(self.home, self.collection, seed=settings.seed, on_progress=self.telling.pairs)
            keep(self.home, self.collection, mined)
        self._place_again()
        pairs = self.plan.chosen(catalog.pairs.list(self.collection))
        found = split(pairs, self._judging, self._groups, language=self.collection.config.language, seed=settings.seed)
        drawn = self.plan.drawn(found.train)
        if cut := len(found.train) - len(drawn):
            found = replace(found, train=drawn, left_out={**found.left_out, "more than --max-pairs allows": cut})
        for concern in concerns(found):
            self.telling.step(f"Warning: {concern}")
        if len(found.train) < LEAST_PAIRS or len({pair.query for pair in found.dev}) < LEAST_DEV:
            raise UsageError(_too_few(found, len(pairs), self.plan.max_pairs))
        return found

    def assembled(self, found: Split) -> TrainingSet:
        """Return the training set of a split, with hard negatives and the base's vectors of every text in it."""
        self.telling.step(f"Making {len(found.train)} pairs ready")
        plan, settings, groups = self.plan, self.plan.settings, self._groups.of
        based = replace(self.collection, config=replace(self.collection.config, model=plan.start))
        legs = Legs.of(self.home, based, groups, self.telling.pairs)
        known = self.home.catalog.pairs.list(self.collection)
        drawing = Drawing(
            settings.negatives,
            settings.seed,
            settings.margin,
            settings.temperature,
            self.collection.config.embedding_weight,
        )
        ready = with_negatives(legs, found.train, known=known, drawing=drawing)
        choosing = [pair for pair in found.dev if (pair.document, pair.position) in legs.corpus.rows]
        dev = dev_set(legs, choosing, seed=settings.seed, most=passages_for(len(found.train)))
        is_adapter = settings.method is Method.ADAPTER
        vectors = BaseVectors(
            queries=_half(ready.query_vectors),
            passages=_half(ready.passage_vectors),
            negatives=_half(ready.negative_vectors),
            dev_queries=_half(legs.asked([query.query for query in dev.queries]).vectors) if is_adapter else None,
            dev_passages=_half(legs.vectors.of(dev.passages)) if is_adapter else None,
        )
        pairs = [
            TrainingPair(pair.query, passage, negatives, pair.source, pair.weight, groups[pair.document], targets)
            for pair, passage, negatives, targets in zip(
                ready.pairs, ready.passages, ready.negatives, ready.targets, strict=True
            )
        ]
        fingerprint = self.home.catalog.models.get(plan.start).fingerprint
        known_before = taught(self.home.catalog, plan.start)
        learned = digests(self._groups.documents_of([*found.train, *found.dev]), known_before)
        split = {**found.record(), TRAINED_ON: learned}
        return TrainingSet(
            plan.start, fingerprint, settings, pairs, dev.queries, dev.passages, vectors, split, tuple(dev.documents)
        )

    def _place_again(self) -> None:
        """Find the passages of brought pairs again, whose documents may have changed since."""
        pairs = self.home.catalog.pairs
        brought = [
            Brought(pair.query, pair.document, pair.source, pair.weight)
            for pair in pairs.list(self.collection)
            if not pair.is_mined
        ]
        if brought:
            pairs.add(self.collection, placed(self.home, self.collection, brought).pairs)

    def _dropped(self) -> Mapping[str, int]:
        mining = self.home.catalog.collections.setting(self.collection, SETTING) or {}
        return dict(mining.get("dropped", {}))

    def _within_budget(self, training_set: TrainingSet, scratch: Path) -> TrainingSet:
        """Return the set with no more pairs than can be trained on within the plan's budget."""
        plan = self.plan
        if not plan.budget_s:
            return training_set
        self.telling.step("Taking a few steps to see how long it will take")
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            draft = Path(folder) / "set"
            training_set.write(draft)
            takes = estimate_in_subprocess(draft, self.home.models.source(plan.start), on_progress=self.telling.tuning)
        share = share_allowed(plan, takes, len(training_set.pairs))
        if share >= 1:
            return training_set
        whole_s, cut = plan.seconds(takes), training_set.share(share)
        self.telling.step(
            f"Training on {len(cut.pairs)} of {len(training_set.pairs)} pairs: all of them would take "
            f"{whole_s / 60:.0f} minutes, and --budget allows {plan.budget_s / 60:g}"
        )
        return cut

    def _decided(self, run: TrainingRun) -> Prepared:
        known: dict[str, JsonValue] = run.decided("split") or {}
        manifest = json.loads((run.training_set / MANIFEST).read_text(encoding="utf-8"))
        cut: int = run.decided("cut") or 0
        counts = PairCounts(
            sources=manifest["sources"],
            dropped=run.decided("dropped") or {},
            left_out={**known["left_out"], **({"more than --budget allows": cut} if cut else {})},
            held_out=known["held_out"],
            concerns=known["concerns"],
            choosing=known["pairs"]["dev"],
        )
        test = self.judged.only(known["test"])
        if not test.queries:
            raise NotFound(
                f"None of the {len(known['test'])} queries that were to judge this training is in the judgments "
                f"{self.plan.judgments!r} any more; bring them back and `tandem train --resume`, or begin again."
            )
        return Prepared(test, counts)


def share_allowed(plan: Plan, takes: Estimate, pairs: int) -> float:
    """Return the share of the pairs that the plan's budget allows; UsageError where that is next to nothing."""
    share = plan.share_within_budget(takes)
    if share < 1 and share * pairs < LEAST_PAIRS:
        raise UsageError(
            f"All {pairs} pairs would take {plan.seconds(takes) / 60:.0f} minutes, and within the "
            f"{plan.budget_s / 60:g} of --budget fewer than {LEAST_PAIRS} can be trained on; allow more, or leave the "
            "learning curve out (--no-curve)."
        )
    return share


def _too_few(found: Split, pairs: int, most: int) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in found.left_out.items()) or "none"
    return (
        f"{len(found.train)} pairs are left to train on and {len(found.dev)} to choose by, of {pairs} (left out: "
        f"{left_out}); at least {LEAST_PAIRS} and {LEAST_DEV} are needed. "
        + ("Allow more: --max-pairs." if most < LEAST_PAIRS else "Bring more: `tandem pairs import`.")
    )


def _half(vectors: FloatArray) -> HalfArray:
    return vectors.astype(np.float16)
