"""How far a training is, on stderr: a line that is rewritten on a terminal, and one now and then elsewhere."""

import sys
import time
from typing import TYPE_CHECKING

from indexer.progress import duration

if TYPE_CHECKING:
    from trainer.finetuning.progress import Progress as Tuning
    from trainer.pairs.vectors import Progress as Passages
    from trainer.training.telling import Telling

EVERY_S = 10.0


class TrainingLine:
    """Prints each step on a line of its own, and below it how far it is."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._printed_at = 0.0
        self._is_open = False

    def telling(self) -> "Telling":
        """Return this line as a training tells it things."""
        from trainer.training.telling import Telling

        return Telling(self.step, self._pairs, self._tuning, self._embedding)

    def step(self, said: str) -> None:
        """Begin a step."""
        self.close()
        self._write(said + "\n")
        self._printed_at = time.monotonic()

    def close(self) -> None:
        """End the line that is being rewritten."""
        if self._is_open:
            self._write("\n")
            self._is_open = False

    def _show(self, said: str) -> None:
        if self._is_terminal:
            self._write(f"\r\x1b[2K  {said}")
            self._is_open = True
        elif time.monotonic() - self._printed_at >= EVERY_S:
            self._printed_at = time.monotonic()
            self._write(f"  {said}\n")

    def _write(self, text: str) -> None:
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(text.encode(encoding, "replace").decode(encoding))
        sys.stderr.flush()

    def _pairs(self, progress: "Passages") -> None:
        self._show(f"{progress.done} of {progress.total} passages embedded{_left(progress.left_s)}")

    def _tuning(self, progress: "Tuning") -> None:
        at = f", step {progress.step} of {progress.steps}" if progress.steps else ""
        dev = f", nDCG@10 on dev {progress.ndcg:.3f}" if progress.ndcg is not None else ""
        self._show(f"{progress.stage.value}{at}{dev}{_left(progress.seconds_left)}")

    def _embedding(self, done: int, total: int) -> None:
        self._show(f"{done} of {total} chunks embedded")


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", {duration(seconds)} left"
