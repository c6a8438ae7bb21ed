"""How far a command is, on stderr: one line that is rewritten on a terminal, and a line now and then elsewhere."""

import sys
import time

EVERY_S = 5.0


class StatusLine:
    """Prints progress without flooding a log."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._printed_at = time.monotonic()
        self._is_open = False

    def step(self, said: str) -> None:
        """Begin a step, on a line that stays."""
        self.close()
        self._write(said + "\n")
        self._printed_at = time.monotonic()

    def show(self, said: str) -> None:
        """Say how far it is, if it is time to."""
        if self._is_terminal:
            self._write(f"\r\x1b[2K{said}")
            self._is_open = True
        elif time.monotonic() - self._printed_at >= EVERY_S:
            self._printed_at = time.monotonic()
            self._write(said + "\n")

    def close(self) -> None:
        """End the line that is being rewritten."""
        if self._is_open:
            self._write("\n")
            self._is_open = False

    @staticmethod
    def _write(text: str) -> None:
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(text.encode(encoding, "replace").decode(encoding))
        sys.stderr.flush()
