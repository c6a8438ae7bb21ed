"""Start a fine-tuning in a child process, follow it, and tell what came of it. Needs no torch."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from retrieval.errors import ModelError, TandemError, UsageError
from retrieval.types import JsonValue
from trainer.finetuning.progress import INTERRUPTED, Progress, Stage

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it, products on a GPU need not come out the same twice
}
_STOPPED = (INTERRUPTED, -signal.SIGTERM)
"""A child that was stopped while it was still loading has nothing to save."""


class TrainingInterrupted(TandemError):
    """A training was told to stop; what it has so far is kept, and it can be gone on with."""


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A trained model's folder. `share` is lambda, how much of what was trained is mixed into the base.

    With a share of 0 the base is as good, and the folder holds no model. `dev` has mean nDCG@10 by lambda and `curve`
    by step; `gain_error` is the standard error of the mean gain over the base.
    """

    folder: Path
    share: float
    dev: Mapping[str, float]
    curve: Sequence[tuple[int, float]]
    dev_queries: int
    gain_error: float
    pairs: int
    seconds: float
    pairs_per_s: float | None
    device: str
    stopped_early: bool
    provenance: Mapping[str, JsonValue]

    @property
    def keeps_base(self) -> bool:
        """Whether nothing that was trained ranks the dev queries better than the base."""
        return self.share == 0

    @property
    def is_chance(self) -> bool:
        """Whether dev queries were ranked no better than by chance: their answers are wrong, or nothing was learned."""
        return bool(self.provenance.get("dev_is_chance"))

    @property
    def gain(self) -> float:
        """Mean nDCG@10 of the dev queries above the base's."""
        return self.dev[f"{self.share:g}"] - self.dev["0"]

    @classmethod
    def of(cls, folder: Path, provenance: Mapping[str, JsonValue]) -> "Finetuned":
        """Read what tandem-training.json says."""
        return cls(
            folder=folder,
            share=provenance["lambda"],
            dev=provenance["dev"],
            curve=[(step, mean) for step, mean in provenance["dev_curve"]],
            provenance=provenance,
            **{name: provenance[name] for name in _SAME_NAMES},
        )


_SAME_NAMES = ("dev_queries", "gain_error", "pairs", "seconds", "pairs_per_s", "device", "stopped_early")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training would take, if dev queries did not end it early. `details` say what is in it.

    Of the `seconds`, `fixed_s` go into what is the same for few pairs and for many.
    """

    seconds: float
    fixed_s: float
    steps: int
    pairs: int
    details: Mapping[str, JsonValue]


def finetune_in_subprocess(
    training_set: Path,
    base: Path,
    output: Path,
    *,
    share: float = 1.0,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Finetuned:
    """Train in a child process, whose memory is freed when it ends.

    Raises ModelError when it fails. KeyboardInterrupt here, or a signal there, lets it save what it has and raises
    TrainingInterrupted; with `resume`, the same call goes on from there, as it does after a kill.
    """
    options = ["--share", repr(share), *(["--resume"] if resume else [])]
    found = _run([training_set, base, output], options, on_progress)
    return Finetuned.of(output, found["result"])


def estimate_in_subprocess(
    training_set: Path,
    base: Path,
    *,
    share: float = 1.0,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Estimate:
    """Return what a training would take, by a few real steps; nothing is written. Raises as the training would."""
    options = ["--share", repr(share), "--estimate"]
    found = _run([training_set, base, Path("none")], options, on_progress)["estimate"]
    fixed_s = found["seconds"] - found.get("training_s", 0.0)
    return Estimate(found["seconds"], fixed_s, found["steps"], found["pairs"], found)


def environment_of(ours: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the child: offline, and with threads that sleep while they wait.

    A thread that waits busily for another keeps the processor from it, and from whoever searches meanwhile.
    """
    path = os.pathsep.join(folder for folder in sys.path if folder)
    return {"OMP_WAIT_POLICY": "PASSIVE", **ours, **_OFFLINE, "PYTHONPATH": path}


def _run(
    paths: Sequence[Path], options: Sequence[str], on_progress: Callable[[Progress], None]
) -> dict[str, JsonValue]:
    """Run the child and return its last word. Raises ModelError or TrainingInterrupted."""
    told = [*(str(path.absolute()) for path in paths), *options, "--end-with-stdin"]
    command = [sys.executable, "-P", "-m", "trainer.finetune", *told]
    environment = environment_of(os.environ)
    last = Progress(Stage.LOADING, 0, 0)

    def remember(progress: Progress) -> None:
        nonlocal last
        last = progress

    def follow(progress: Progress) -> None:
        remember(progress)
        on_progress(progress)

    # In a session of its own, the child does not get the terminal's Ctrl-C, which would reach it twice; its stdin ends
    # when this process is killed.
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            text=True,
            start_new_session=True,
        ) as child,
    ):
        said = _followed(child, follow, remember)
        if child.returncode in _STOPPED:
            raise TrainingInterrupted(_interrupted(last))
        if child.returncode != 0 or not said:
            kind = UsageError if said.get("is_usage") else ModelError
            raise kind(said.get("error") or _crash(child.returncode, stderr))
        return said


def _followed(
    child: "subprocess.Popen[str]", on_progress: Callable[[Progress], None], remember: Callable[[Progress], None]
) -> dict[str, JsonValue]:
    """Read the child's lines to the end and return the last that is no progress; stop the child when interrupted.

    From then on its progress is remembered and not shown.
    """
    assert child.stdout is not None  # noqa: S101  # it is a pipe
    try:
        said = _read(child.stdout, on_progress)
        child.wait()
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        said = _read(child.stdout, remember)
        child.wait()
        if child.returncode not in _STOPPED:
            raise
    except BaseException:  # whoever follows the progress has failed: the child is not left behind
        child.send_signal(signal.SIGTERM)
        _read(child.stdout, lambda _: None)
        raise
    return said


def _read(lines: IO[str], on_progress: Callable[[Progress], None]) -> dict[str, JsonValue]:
    said: dict[str, JsonValue] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a library's own words
        if not isinstance(record, dict):
            continue
        if (progress := record.get("progress")) is not None:
            on_progress(Progress(**{**progress, "stage": Stage(progress["stage"])}))
        else:
            said = record
    return said


def _interrupted(last: Progress) -> str:
    if last.stage is Stage.MEASURING:
        return "Interrupted while measuring how long it takes: nothing is trained yet."
    at = f" at step {last.step} of {last.steps}" if last.steps else ""
    return f"The training was interrupted while {last.stage.value}{at}; with --resume it goes on from there."


def _crash(code: int, stderr: IO[bytes]) -> str:
    stderr.seek(0)
    lines = stderr.read().decode("utf-8", "replace").strip().splitlines()
    if code == -signal.SIGKILL:
        return (
            "The training was killed, perhaps for lack of memory. With --resume it goes on; if it is "
            "killed again, use smaller batches."
        )
    said = lines[-1] if lines else "no message"
    return f"The training failed with exit code {code}: {said}. With --resume it is tried again."
