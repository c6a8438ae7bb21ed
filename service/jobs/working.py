"""A worker process: it listens to the queue, and sees to it that no job is forgotten."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from retrieval.catalog.job import Job, JobState, Listed
from retrieval.home import Home
from service.jobs.announcing import task_of
from service.jobs.carrying_out import Worker
from service.jobs.queueing import open_queue
from service.jobs.scheduling import submit_due

logger = logging.getLogger(__name__)

LOOK_S = 5.0
SILENT_S = 30.0
"""A running job whose worker says nothing for so long has lost it: workers say something every second."""
MOST_LOSSES = 3
"""Workers that go silent with a job before it is given up; one that is told to stop gives it back, and is none."""
SHUTDOWN_S = 90
KEPT_DAYS = 90
FORGET_S = 3_600.0


def worker_name() -> str:
    """Return what tells this worker from every other."""
    return f"{socket.gethostname()}:{os.getpid()}"


def work(home: Home) -> int:
    """Do jobs until SIGINT or SIGTERM, and return how many; the one at hand is then stopped where it can go on."""
    queue = open_queue(home.settings)
    worker = Worker(home, worker_name())
    task = task_of(queue, worker.carry_out)
    consumer = queue.create_consumer(
        workers=1, periodic=False, check_worker_health=False, max_delay=1.0, shutdown_timeout=SHUTDOWN_S
    )
    stop, forgetting = threading.Event(), Forgetting(home)
    consumer.start()
    try:
        with _listening(stop.set):
            while not stop.wait(LOOK_S):
                look_after(home, announce=lambda job: task(job.id))
                forgetting.go_on()
    finally:
        worker.begin_to_stop()
        consumer.stop(graceful=True)
    return worker.done


def drain(home: Home) -> int:
    """Do every job that waits, and return how many; what SIGINT or SIGTERM stops is given back."""
    worker = Worker(home, worker_name())
    stop = threading.Event()

    def end() -> None:
        stop.set()
        worker.begin_to_stop()

    with _listening(end):
        look_after(home)
        Forgetting(home).go_on()
        while not stop.is_set() and (waiting := _waiting(home)):
            worker.carry_out(waiting[0].id)
    return worker.done


class Forgetting:
    """Forgets jobs that ended long ago, with what they said: at once, and every hour from then on."""

    def __init__(self, home: Home) -> None:
        self._jobs = home.catalog.jobs
        self._next_s = time.monotonic()

    def go_on(self) -> None:
        """Forget what is old by now, unless that was done within the hour."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + FORGET_S
        long_ago = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
        self._jobs.forget(before=long_ago.isoformat(timespec="seconds"))


def look_after(home: Home, *, announce: Callable[[Job], object] = lambda _: None) -> None:
    """Ask for what schedules want by now, queue silent jobs again, or give them up in the end, announce what waits.

    A job that waits may have lost its announcement; one too many does no harm.
    """
    submit_due(home)
    jobs = home.catalog.jobs
    for job in jobs.silent(SILENT_S):
        if job.is_cancelled:
            jobs.end(job, JobState.CANCELLED)
        elif job.losses + 1 >= MOST_LOSSES:
            why = f"Its worker {job.worker} went away, as {job.losses} before it; the job's log says how far it was."
            jobs.end(job, JobState.INTERRUPTED, error=why)
            logger.error("Job %d is given up: %s", job.id, why)
        elif jobs.lose(job, seconds=SILENT_S):
            jobs.say(job.id, [f"The worker {job.worker} went away; another attempt follows."])
            logger.warning("Job %d waits again: its worker %s went away.", job.id, job.worker)
    for job in _waiting(home):
        announce(job)


def _waiting(home: Home) -> list[Job]:
    """Return the jobs that wait, the oldest first."""
    return home.catalog.jobs.list(Listed(states=[JobState.QUEUED], limit=1_000))[::-1]


@contextmanager
def _listening(stop: Callable[[], object]) -> Iterator[None]:
    """Take SIGINT and SIGTERM for the wish to stop."""

    def heard(_number: int, _frame: object) -> None:
        stop()

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
