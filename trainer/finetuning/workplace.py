"""Where a training keeps what it has so far: OUTPUT.partial, from which it goes on; OUTPUT appears when it is whole."""

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from retrieval.errors import IndexBusy, ModelError, UsageError
from retrieval.stores.lock import LOCK_FILE, NOTE_FILE, OwnerLock, read_owner
from retrieval.trained_model import PROVENANCE
from retrieval.types import JsonValue

_PLAN, _RANKED, _CLOCK = "plan.json", "ranked.json", "clock.json"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_WAIT_S = 60.0
"""For another process to end its step and save, after it was told to, or has lost who started it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes two trainings the same one; only the same one is gone on with."""

    data_hash: str
    base: str
    share: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds spent over all runs of a training, of these on steps, and the pairs of these steps."""

    seconds: float = 0.0
    training_s: float = 0.0
    pairs: int = 0

    def trained(self, pairs: int, seconds: float) -> "Clock":
        """Return the clock after one more step."""
        return replace(self, training_s=self.training_s + seconds, pairs=self.pairs + pairs)


class Workplace:
    """The folder of a training that is under way, held by one process at a time."""

    def __init__(self, output: Path, plan: Plan, *, resume: bool) -> None:
        """`output` is the folder to be; without `resume`, what an earlier run of it left is thrown away."""
        self.output = output
        self.folder = partial_of(output)
        self._plan, self._resume = plan, resume
        self._lock = OwnerLock(self.folder)
        self._clock, self._started = Clock(), time.monotonic()
        self._ranked: dict[int, list[float]] = {}

    def __enter__(self) -> Self:
        """Take the folder. Raises UsageError if it is another training's, ModelError if another process holds it."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self._acquire()
        try:
            self._prepare()
        except BaseException:
            self._lock.release()
            raise
        self._clock = Clock(**self._read(_CLOCK, {}))
        self._ranked = {int(step): values for step, values in self._read(_RANKED, {}).items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    @property
    def mini_batch(self) -> int | None:
        """Texts embedded at a time; 0 for a whole batch, None as long as nothing was decided."""
        found: int | None = self._read(_PLAN, {}).get("mini_batch")
        return found

    def decide_mini_batch(self, mini_batch: int) -> None:
        """Keep to this number of texts, also when the training is gone on with."""
        self._write(_PLAN, {**asdict(self._plan), "mini_batch": mini_batch})

    @property
    def ranked(self) -> Mapping[int, list[float]]:
        """nDCG@10 of every dev query after these steps; step 0 is the base."""
        return self._ranked

    def keep_ranked(self, step: int, values: Sequence[float]) -> None:
        """Keep what ranking the dev queries after a step gave."""
        self._ranked[step] = list(values)
        self._write(_RANKED, self._ranked)

    @property
    def clock(self) -> Clock:
        """What was spent, this run included."""
        return replace(self._clock, seconds=self._clock.seconds + time.monotonic() - self._started)

    def trained(self, pairs: int, seconds: float) -> None:
        """Take note of one more step."""
        self._clock = self._clock.trained(pairs, seconds)

    def checkpoint(self, step: int) -> Path:
        """Return the folder of the checkpoint after a step."""
        return self.folder / f"checkpoint-{step}"

    def checkpoints(self) -> list[int]:
        """Return the steps after which there are checkpoints, in order; each is whole."""
        found = (_CHECKPOINT.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    @property
    def scratch(self) -> Path:
        """A folder for what is not whole yet."""
        return self.folder / "scratch"

    def keep_checkpoint(self, step: int) -> None:
        """Take a checkpoint from the scratch folder, where it has been written whole."""
        draft, place = self.scratch / self.checkpoint(step).name, self.checkpoint(step)
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
        self._write(_CLOCK, asdict(self.clock))

    def prune(self, kept: Sequence[int]) -> None:
        """Remove every checkpoint but these."""
        for step in self.checkpoints():
            if step not in kept:
                shutil.rmtree(self.checkpoint(step))

    def finish(self, provenance: Mapping[str, JsonValue], write: Callable[[Path], None] | None) -> None:
        """Let the output appear: what `write` puts into a folder, and the provenance; then clear up."""
        draft = self.scratch / "output"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        if write:
            write(draft)
        text = json.dumps(provenance, indent=2, ensure_ascii=False)
        (draft / PROVENANCE).write_text(text + "\n", encoding="utf-8")
        draft.rename(self.output)
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _acquire(self) -> None:
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                return self._lock.acquire()
            except IndexBusy:
                if time.monotonic() > deadline:
                    owner = read_owner(self.folder) or "another process"
                    raise ModelError(f"{self.folder} is held by {owner}; wait for it or stop it.") from None
                time.sleep(0.2)

    def _prepare(self) -> None:
        if self.output.exists():
            raise UsageError(f"{self.output} exists; remove it or name another folder.")
        found = self._read(_PLAN, {})
        found.pop("mini_batch", None)
        if self._resume and found and found != asdict(self._plan):
            raise UsageError(
                f"{self.folder} is of another training: other data, another base or another share. Remove it, or train "
                "without going on."
            )
        if not self._resume or not found:
            self._clear()
            self._write(_PLAN, asdict(self._plan))
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in {LOCK_FILE, NOTE_FILE}:
                path.unlink()

    def _read(self, name: str, default: dict[str, JsonValue]) -> dict[str, JsonValue]:
        file = self.folder / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else default

    def _write(self, name: str, record: Mapping[str, JsonValue] | Mapping[int, JsonValue]) -> None:
        draft = self.folder / f"{name}.new"
        draft.write_text(json.dumps(record), encoding="utf-8")
        draft.replace(self.folder / name)


def finished(output: Path, plan: Plan) -> JsonValue | None:
    """Return the provenance of an output that is whole; None if there is none.

    Raises ModelError if what lies there is no trained model, and UsageError if it is another training's.
    """
    if not output.exists():
        return None
    try:
        found = json.loads((output / PROVENANCE).read_text(encoding="utf-8"))
        seen = Plan(found["data_hash"], found["base"]["fingerprint"], found["share"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{output} is no trained model ({error!r}); remove it or name another folder.") from None
    if seen != plan:
        raise UsageError(f"{output} was trained on other data, base or share; remove it or name another folder.")
    shutil.rmtree(partial_of(output), ignore_errors=True)
    return found


def partial_of(output: Path) -> Path:
    """Return the folder that holds what a training has so far, beside the one to be."""
    return output.with_name(f"{output.name}.partial")
