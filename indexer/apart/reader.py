"""Ask a process of its own to read files; begin another where that one has hung or died."""

import json
import os
import subprocess  # of this interpreter, with words that are fixed
import sys
import threading
import time
from collections.abc import Sequence
from typing import Self

from indexer.apart.child import MOST_BYTES
from indexer.apart.messages import asked, read_answered, receive, send
from indexer.sources.base import Item, Problem, SourceOptions
from retrieval.errors import ParseError, Skipped
from retrieval.types import Document

FILE_S = 120.0
"""For one file."""
ALL_S = 300.0
"""For all that one reader is asked."""


class Reader:
    """Parses files in a process of its own: none can hang, swell or end this one. A context manager, for one thread."""

    def __init__(self, *, file_s: float = FILE_S, all_s: float = ALL_S) -> None:
        """Start nothing yet; the seconds are those of the clock on the wall."""
        self._file_s, self._left_s = file_s, all_s
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def parse(self, data: bytes, item: Item, options: SourceOptions) -> Sequence[Document | Problem]:
        """Return what the format's parser gives; raises Skipped and ParseError, whatever the file is."""
        limit_s = min(self._file_s, self._left_s)
        if limit_s <= 0:
            raise ParseError(f"{item.key} was not read: the files before it took all the time there was.")
        began = time.monotonic()
        answer = self._asked(data, item, options, limit_s)
        took_s = time.monotonic() - began
        self._left_s -= took_s
        if answer is None:
            self._end()
            why = f"took over {limit_s:.0f} s" if took_s >= limit_s else "ended the process that read it"
            raise ParseError(f"{item.key} {why}; it is broken, or made to do harm.")
        told = json.loads(answer)
        if "skipped" in told:
            raise Skipped(told["skipped"])
        if "failed" in told:
            raise ParseError(told["failed"])
        return [read_answered(part) for part in told["parts"]]

    def _asked(self, data: bytes, item: Item, options: SourceOptions, limit_s: float) -> bytes | None:
        """Return the answer; None where the child hung, died or said too much."""
        child = self._child = self._child or _started()
        assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018  # they are pipes
        clock = threading.Timer(limit_s, child.kill)
        clock.start()
        try:
            send(child.stdin, asked(item, options))
            send(child.stdin, data)
            return receive(child.stdout, max_bytes=MOST_BYTES)
        except OSError:  # it has ended
            return None
        finally:
            clock.cancel()

    def _end(self) -> None:
        if self._child is None:
            return
        self._child.kill()
        for pipe in (self._child.stdin, self._child.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what could not be written any more
                pass
        self._child.wait()
        self._child = None


def _started() -> subprocess.Popen[bytes]:
    """Start a reader, which is told nothing of this process: no setting, no password."""
    environment = {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONIOENCODING": "utf-8",
        "OPENBLAS_NUM_THREADS": "1",  # each thread takes memory of what the child is allowed
        **{name: os.environ[name] for name in ("SYSTEMROOT", "LANG", "LC_ALL") if name in os.environ},
    }
    command = [sys.executable, "-P", "-m", "indexer.apart.child"]
    return subprocess.Popen(  # noqa: S603  # see the import
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
