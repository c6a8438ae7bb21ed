"""Carry one job out: its command in a process of its own, followed line by line, stopped when it is cancelled.

In a process of its own, because a training takes memory that a worker would keep, and because that can be ended.
"""

import json
import logging
import os
import queue
import shlex
import signal
import subprocess  # our own interpreter and module, words that were checked
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from retrieval.catalog.job import Job, JobState
from retrieval.catalog.jobs import Jobs
from retrieval.home import Home
from retrieval.status_line import RECORDS, SEPARATOR, VARIABLE
from retrieval.types import JsonValue
from service.jobs.outcomes import is_in_vain, trouble_of
from service.jobs.resuming import left_by_earlier_attempts
from service.logs import about_job

logger = logging.getLogger(__name__)

BEAT_S = 1.0
PATIENCE_S = 60.0
"""How long a command that was told to stop may take to save what it has."""
MAX_LINES = 20_000
"""Lines kept of one attempt; what a command says beyond is not read by anybody."""
MAX_LINE_CHARS = 4_000
MAX_RESULT_BYTES = 20_000_000


@dataclass(slots=True)
class _Heard:
    """What a command has said so far: lines for the log, and how far it is."""

    lines: list[str] = field(default_factory=list)
    progress: dict[str, JsonValue] = field(default_factory=dict)
    last: str = ""
    kept: int = 0

    def hear(self, line: str) -> None:
        """Take one line of stderr."""
        if line.startswith(SEPARATOR):
            self._progress(line.removeprefix(SEPARATOR))
            return
        text = line.rstrip()[:MAX_LINE_CHARS]
        if text and self.kept < MAX_LINES:
            self.kept += 1
            self.lines.append(text)
            self.last = text

    def _progress(self, written: str) -> None:
        try:
            record = json.loads(written)
        except ValueError:
            return
        if isinstance(record, dict):
            self.progress = record if "step" in record else {**_step(self.progress), **record}

    def taken(self) -> list[str]:
        """Return the lines since the last time."""
        lines, self.lines = self.lines, []
        return lines


def _step(progress: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {"step": progress["step"]} if "step" in progress else {}


class Worker:
    """Carries jobs out, one at a time, under a name by which the catalog knows who has a job."""

    def __init__(self, home: Home, name: str) -> None:
        self._home = home
        self._name = name
        self._stopping = threading.Event()
        self.done = 0
        """Jobs that it has taken up."""

    @property
    def _jobs(self) -> Jobs:
        return self._home.catalog.jobs

    def begin_to_stop(self) -> None:
        """Stop the job at hand where it can go on later, and give it back."""
        self._stopping.set()

    def carry_out(self, number: int) -> None:
        """Do a queued job to its end; nothing happens if it is queued no more."""
        if self._stopping.is_set() or (job := self._jobs.take_up(number, self._name)) is None:
            return
        self.done += 1
        with about_job(job.id):
            self._carry_out(job)

    def _carry_out(self, job: Job) -> None:
        logger.info("Job %d begins: %s of %s, attempt %d", job.id, job.work.kind, job.work.collection, job.attempt)
        began = time.monotonic()
        try:
            self._run(job)
        except Exception as error:  # whatever happens with one job, the worker does the next
            logger.exception("Job %d failed.", job.id)
            self._jobs.end(job, JobState.FAILED, error=f"The worker failed: {error}")
        took_ms = round((time.monotonic() - began) * 1_000, 1)
        state = self._jobs.glance(job.id).state
        logger.info("Job %d is %s", job.id, state, extra={"status": state.value, "duration_ms": took_ms})

    def _run(self, job: Job) -> None:
        left = left_by_earlier_attempts(self._home, job)
        if not left.words:  # its worker was killed after the work, before that was recorded
            self._jobs.end(job, JobState.DONE, result=left.result)
            return
        self._jobs.say(job.id, [shlex.join(["tandem", *left.words])])
        heard = _Heard()
        with _started(self._home, left.words) as child:
            goes_on, output = self._followed(job, child, heard)
        self._jobs.say(job.id, heard.taken())
        self._end(job, child.returncode, output, heard, goes_on=goes_on)

    def _followed(self, job: Job, child: "subprocess.Popen[str]", heard: _Heard) -> tuple[bool, str]:
        """Follow a command to its end; return whether the job was wanted until then, and what it printed."""
        said, goes_on, stopped_at = _Said(child), True, 0.0
        while True:
            ended = _hear(said, heard, until=time.monotonic() + BEAT_S)
            self._jobs.say(job.id, heard.taken())
            wanted = self._jobs.beat(job, heard.progress) and not self._stopping.is_set()
            if ended:
                break
            if not wanted and not stopped_at:
                goes_on, stopped_at = False, time.monotonic()
                child.send_signal(signal.SIGINT)  # as Ctrl-C: a training saves its step
            elif stopped_at and time.monotonic() - stopped_at > PATIENCE_S:
                child.kill()
        child.wait()
        return goes_on, said.output

    def _end(self, job: Job, code: int, output: str, heard: _Heard, *, goes_on: bool) -> None:
        result = _parsed(output)
        if result is not None:
            state = JobState.FAILED if code and is_in_vain(result) else JobState.DONE
            self._jobs.end(job, state, result=result, error=(trouble_of(result) or heard.last) if code else "")
        elif self._jobs.glance(job.id).is_cancelled:
            self._jobs.end(job, JobState.CANCELLED)
        elif not goes_on:
            self._jobs.give_back(job)  # the worker stops; another goes on
        else:
            why = heard.last.removeprefix("tandem: ") or f"The command ended with {code} and said nothing."
            self._jobs.end(job, JobState.FAILED, error=why)


@contextmanager
def _started(home: Home, words: Sequence[str]) -> "Iterator[subprocess.Popen[str]]":
    """Run a command of this home; it ends when the block does."""
    environment = {
        **os.environ,
        **home.settings.environment(),
        VARIABLE: RECORDS,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-P", "-m", "service.jobs.child", *words]
    with subprocess.Popen(  # noqa: S603  # see the import
        command,
        stdin=subprocess.PIPE,  # its end tells the child that the worker is gone
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


class _Said:
    """Both pipes of a command, read by threads: lines of stderr as they come, and all of stdout."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        assert child.stderr is not None and child.stdout is not None  # noqa: S101, PT018  # they are pipes
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._output: list[str] = []
        self._threads = [
            threading.Thread(target=self._read_lines, args=(child.stderr,), daemon=True),
            threading.Thread(target=self._read_output, args=(child.stdout,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def output(self) -> str:
        """All that was printed on stdout, once that has ended."""
        self._threads[1].join()
        return "".join(self._output)

    def _read_lines(self, stream: IO[str]) -> None:
        while line := stream.readline():
            self.lines.put(line)
        self.lines.put(None)

    def _read_output(self, stream: IO[str]) -> None:
        size = 0
        while part := stream.read(65_536):
            size += len(part)
            if size <= MAX_RESULT_BYTES:
                self._output.append(part)


def _hear(said: _Said, heard: _Heard, *, until: float) -> bool:
    """Hear what is said until then; return whether nothing more will be."""
    while (left := until - time.monotonic()) > 0:
        try:
            line = said.lines.get(timeout=left)
        except queue.Empty:
            return False
        if line is None:
            return True
        heard.hear(line)
    return False


def _parsed(output: str) -> JsonValue:
    try:
        result: JsonValue = json.loads(output)
    except ValueError:
        return None
    return result
