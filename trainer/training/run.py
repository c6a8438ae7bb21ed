"""A training in its folder: what was asked for, what was decided, and what each step left. Killed, it can go on.

    training/COLLECTION/RUN/
        run.json     the plan, and what was decided on the way: written whole, or not at all
        material.json, what there was to train on, as digests
        set/         the training set
        share-50/    what half of the pairs gave, for the learning curve
        tuned/       the tuned model, until it is a version
        report.html, report.json

A step whose result is there is not done again.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from retrieval.errors import IndexBusy, ModelError, UsageError
from retrieval.settings import Settings
from retrieval.stores.lock import OwnerLock, read_owner
from retrieval.types import JsonValue

STATE = "run.json"
DRAFT = "draft"
KEPT = 10
"""Trainings of a collection whose reports are kept; the weights of those that are done are versions, or gone."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One training of one collection."""

    path: Path

    @classmethod
    def begin(cls, settings: Settings, collection: str, plan: Mapping[str, JsonValue], *, job: str = "") -> Self:
        """Make the folder of a new training, called by its number; the oldest go, and those that cannot be read.

        An unfinished one stays until this one is on its way (`replace_unfinished`). To be called by the only training
        of the collection. `job` is the job that it is done for, if any.
        """
        root = _root(settings, collection)
        before = cls.all(settings, collection)
        for run in before:
            if not run.is_readable or run not in before[-KEPT + 1 :]:
                shutil.rmtree(run.path, ignore_errors=True)
        draft = cls(root / DRAFT)
        shutil.rmtree(draft.path, ignore_errors=True)
        draft.path.mkdir(parents=True)
        draft._write({"plan": dict(plan), "job": job})
        return cls(draft.path.rename(root / str(max((run.number for run in before), default=0) + 1)))

    @classmethod
    def all(cls, settings: Settings, collection: str) -> list[Self]:
        """Return the trainings of a collection that can be read, oldest first."""
        root = _root(settings, collection)
        numbered = [path for path in (root.iterdir() if root.is_dir() else ()) if path.name.isdecimal()]
        return [cls(path) for path in sorted(numbered, key=lambda path: int(path.name)) if (path / STATE).is_file()]

    @classmethod
    def unfinished(cls, settings: Settings, collection: str) -> Self:
        """Return the newest training that has its pairs, if the newest of all was not finished; UsageError otherwise.

        Where none has its pairs, it is the newest: one that was stopped while they were made hides none before it.
        """
        known = cls.all(settings, collection)
        if known and not known[-1].is_done:
            open_ones = [run for run in reversed(known) if not run.is_done]
            return next((run for run in open_ones if run.training_set.exists()), known[-1])
        raise UsageError(f"No training of {collection!r} is unfinished; `tandem train` begins one.")

    @property
    def number(self) -> int:
        """The training's number among those of its collection."""
        return int(self.path.name)

    @property
    def material(self) -> Path:
        """Where digests of what there was to train on are."""
        return self.path / "material.json"

    @property
    def training_set(self) -> Path:
        """Where the training set is."""
        return self.path / "set"

    @property
    def tuned(self) -> Path:
        """Where the tuned model is, until it is a version."""
        return self.path / "tuned"

    @property
    def report(self) -> Path:
        """Where the report goes; its JSON lies beside it."""
        return self.path / "report.html"

    def share(self, share: float) -> Path:
        """Return where the model tuned on a share of the pairs is."""
        return self.path / f"share-{round(100 * share)}"

    @property
    def plan(self) -> dict[str, Any]:
        """What was asked for."""
        plan: dict[str, Any] = self._read()["plan"]
        return plan

    @property
    def job(self) -> str:
        """The job that began it; "" for none."""
        return str(self._read().get("job", ""))

    @property
    def is_readable(self) -> bool:
        """Whether what was asked for and decided can be read."""
        try:
            self._read()
        except ModelError:
            return False
        return True

    @property
    def is_done(self) -> bool:
        """Whether every step of it is; one that cannot be read is not done."""
        return self.is_readable and bool(self._read().get("done"))

    def decided(self, name: str) -> JsonValue:
        """Return what was decided under a name, or None."""
        return self._read().get("decided", {}).get(name)

    def decide(self, name: str, value: JsonValue) -> None:
        """Record a decision, durably."""
        state = self._read()
        self._write({**state, "decided": {**state.get("decided", {}), name: value}})

    def replace_unfinished(self) -> list[int]:
        """Forget the trainings before this one that were not finished; return their numbers."""
        others = [type(self)(path) for path in self.path.parent.iterdir() if path.name.isdecimal()]
        before = [run for run in others if run.number < self.number and not run.is_done]
        for run in before:
            run.give_up()
        return sorted(run.number for run in before)

    def give_up(self) -> None:
        """Forget a training that cannot be carried out."""
        shutil.rmtree(self.path, ignore_errors=True)

    def finish(self) -> None:
        """Record that every step is done, and drop the weights: what was worth keeping is a version now."""
        self._write({**self._read(), "done": True})
        for folder in (self.tuned, *self.path.glob("share-*")):
            for file in folder.rglob("*.safetensors"):
                file.unlink()

    def _read(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self.path / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{self.path / STATE} cannot be read ({error}); begin again with `tandem train`."
            ) from None
        return state

    def _write(self, state: Mapping[str, JsonValue]) -> None:
        draft = self.path / f"{STATE}.new"
        with draft.open("w", encoding="utf-8") as stream:
            json.dump(state, stream, ensure_ascii=False, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self.path / STATE)


@contextmanager
def alone(settings: Settings, collection: str) -> Iterator[None]:
    """Be the only training of a collection meanwhile; ModelError names the process that already is."""
    folder = _root(settings, collection)
    lock = OwnerLock(folder)
    try:
        lock.acquire()
    except IndexBusy:
        owner = read_owner(folder)
        raise ModelError(
            f"A training of {collection!r} is under way: {owner}. Wait for it, or stop it; then "
            "`tandem train --resume` goes on where it was."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _root(settings: Settings, collection: str) -> Path:
    return settings.home / "training" / collection
