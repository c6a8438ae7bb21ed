"""How far a training is, on stderr: each step on a line of its own, and below it how far it is."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from indexer.progress import duration
from retrieval.status_line import StatusLine

if TYPE_CHECKING:
    from trainer.finetuning.progress import Progress as Tuning
    from trainer.pairs.vectors import Progress as Passages
    from trainer.training.telling import Telling


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C meanwhile: what is at work is stopped, and says how to go on."""

    def interrupted(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def told() -> "Iterator[Telling]":
    """Tell on stderr what a training tells, and end the line."""
    from trainer.training.telling import Telling

    line = StatusLine()
    try:
        yield Telling(
            step=line.step,
            pairs=lambda at: line.show(_pairs(at), share=_share(at.done, at.total), left_s=at.left_s),
            tuning=lambda at: line.show(_tuning(at), share=_share(at.step, at.steps), left_s=at.seconds_left),
            embedding=_embedding(line),
        )
    finally:
        line.close()


def _pairs(progress: "Passages") -> str:
    return f"  {progress.done} of {progress.total} passages embedded{_left(progress.left_s)}"


def _tuning(progress: "Tuning") -> str:
    at = f", step {progress.step} of {progress.steps}" if progress.steps else ""
    dev = f", nDCG@10 on dev {progress.ndcg:.3f}" if progress.ndcg is not None else ""
    return f"  {progress.stage.value}{at}{dev}{_left(progress.seconds_left)}"


def _embedding(line: StatusLine) -> Callable[[int, int], None]:
    """Show how many chunks are embedded, and how long the others take at the pace so far."""
    began, first, last = 0.0, 0, 0

    def show(done: int, total: int) -> None:
        nonlocal began, first, last
        if not began or done <= last:  # another collection, or another model
            began, first = time.monotonic(), done
        last = done
        left_s = (time.monotonic() - began) / (done - first) * (total - done) if done > first else None
        line.show(f"  {done} of {total} chunks embedded{_left(left_s)}", share=_share(done, total), left_s=left_s)

    return show


def _share(done: int, total: int) -> float | None:
    return done / total if total else None


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", {duration(seconds)} left"
