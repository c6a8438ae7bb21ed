"""How far a command is, on stderr: one line that is rewritten on a terminal, and a line now and then elsewhere.

A program that started the command reads records instead, if it set TANDEM_PROGRESS=records: each is a line that begins
with the record separator (RFC 7464) and holds JSON, `{"step"}` where a step begins, `{"text", "share", "left_s"}` for
how far it is.
"""

import json
import os
import sys
import time

VARIABLE, RECORDS = "TANDEM_PROGRESS", "records"
SEPARATOR = "\x1e"
EVERY_S = 5.0
RECORD_EVERY_S = 0.5


def is_read_by_a_program() -> bool:
    """Return whether a program started the command and reads what it says, as a worker does with a job's."""
    return os.environ.get(VARIABLE) == RECORDS


class StatusLine:
    """Prints progress without flooding a log."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._is_read = is_read_by_a_program()
        self._printed_at = time.monotonic()
        self._is_open = False

    def step(self, said: str) -> None:
        """Begin a step, on a line that stays."""
        self.close()
        self._write(said + "\n")
        if self._is_read:
            self._write(SEPARATOR + json.dumps({"step": said}) + "\n")
        self._printed_at = time.monotonic()

    def show(self, said: str, *, share: float | None = None, left_s: float | None = None) -> None:
        """Say how far it is, if it is time to: what share of the step is done, and for how long it goes on."""
        waited_s = time.monotonic() - self._printed_at
        if self._is_read:
            if waited_s >= RECORD_EVERY_S:
                self._printed_at = time.monotonic()
                record = {"text": said.strip(), "share": share, "left_s": left_s}
                self._write(SEPARATOR + json.dumps(record) + "\n")
        elif self._is_terminal:
            self._write(f"\r\x1b[2K{said}")
            self._is_open = True
        elif waited_s >= EVERY_S:
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
