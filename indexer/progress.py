"""Progress of an ingest on stderr: one line that is rewritten on a terminal, and a line now and then elsewhere."""

import sys
import time

from indexer.ingest import Progress

EVERY_S = 5.0


class ProgressLine:
    """Prints progress without flooding a log."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._printed_at = time.monotonic()
        self._is_open = False

    def show(self, progress: Progress) -> None:
        """Print where the ingest is."""
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
    """Return progress in words: documents, chunks, chunks a second, time left."""
    share = 100 * progress.done_bytes / progress.total_bytes if progress.total_bytes else 100
    left = "" if progress.left_s is None else f", {duration(progress.left_s)} left"
    return (
        f"{share:3.0f} %  {progress.documents} documents, {progress.chunks} chunks "
        f"({progress.chunks_per_s:.0f} chunks/s){left}"
    )


def duration(seconds: float) -> str:
    """Return seconds for people: 45 s, 3 min, 1 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
