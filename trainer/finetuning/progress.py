"""What a training tells the process that started it, a JSON line each, and how it is told to stop."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TextIO

from retrieval.types import JsonValue

INTERRUPTED = 75
"""The exit code of a training that was told to stop and can be gone on with (EX_TEMPFAIL of sysexits.h)."""
GRACE_S = 10.0
"""How long a training may take to save its step once the process that started it is gone."""


class Stage(StrEnum):
    """What a training is at."""

    LOADING = "loading"
    MEASURING = "measuring"
    RANKING = "ranking"
    TRAINING = "training"
    MIXING = "mixing"
    WRITING = "writing"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is. `seconds_left` is an estimate for all of it, None as long as there is none.

    `ndcg` is the last mean nDCG@10 of the dev queries.
    """

    stage: Stage
    step: int
    steps: int
    seconds_left: float | None = None
    ndcg: float | None = None


class Stopped(Exception):
    """The training was told to stop; what it has so far is kept."""


class Reporter:
    """Writes lines for the parent. Once nobody reads them, or after a signal, the training is to stop."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_stopping = False

    def progress(self, progress: Progress) -> None:
        """Tell how far it is."""
        self.line({"progress": asdict(progress)})

    def line(self, record: JsonValue) -> None:
        """Write one line; if nobody reads any more, stop."""
        try:
            print(json.dumps(record), file=self._stream, flush=True)
        except OSError:
            self.is_stopping = True

    def check(self) -> None:
        """Raise Stopped if the training is to stop. To be called where nothing would be lost."""
        if self.is_stopping:
            raise Stopped

    def end_with(self, pipe: int) -> None:
        """Watch a pipe that whoever started this process holds open: once it ends, so does the process.

        It may save its step first, unless it was told to stop before.
        """
        threading.Thread(target=self._watch, args=(pipe,), name="end-with-parent", daemon=True).start()

    def _watch(self, pipe: int) -> None:
        while os.read(pipe, 4_096):
            pass
        if not self.is_stopping:
            self.is_stopping = True
            time.sleep(GRACE_S)
        os._exit(INTERRUPTED)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT for the wish to stop at the next step."""

        def stop(_number: int, _frame: object) -> None:
            self.is_stopping = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
