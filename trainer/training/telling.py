"""Whom a training tells what it does: a line a step, and how far a step is."""

from collections.abc import Callable
from dataclasses import dataclass

from trainer.finetuning.progress import Progress
from trainer.pairs.vectors import OnProgress, silent


@dataclass(frozen=True, slots=True)
class Telling:
    """`step` is told a sentence; the others how far the passages, the tuning and the chunks are."""

    step: Callable[[str], None] = lambda _: None
    pairs: OnProgress = silent
    tuning: Callable[[Progress], None] = lambda _: None
    embedding: Callable[[int, int], None] = lambda _done, _all: None
