"""Progress of embedding passages on stderr: one line that is rewritten on a terminal, one now and then elsewhere."""

import sys
import time

from indexer.progress import EVERY_S, duration
from trainer.pairs.vectors import Progress


class ProgressLine:
    """Prints progress without flooding a log."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._printed_at = time.monotonic()
        self._is_open = False

    def show(self, progress: Progress) -> None:
        """Print how many passages are embedded."""
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[2K{described(progress)}")
            sys.stderr.flush()
            self._is_open = True
        elif time.monotonic() - self._printed_at >= EVERY_S:
            self._printed_at = time.monotonic()
            sys.stderr.write(described(progress) + "\n")

    def close(self) -> None:
        """End the line."""
        if self._is_open:
            sys.stderr.write("\n")
            self._is_open = False


def described(progress: Progress) -> str:
    """Return progress in words: passages embedded, time left."""
    return f"Embedded {progress.done} of {progress.total} passages, {duration(progress.left_s)} left"
