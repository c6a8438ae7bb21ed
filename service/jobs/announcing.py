"""Ask for work: into the catalog first, then to whichever worker listens."""

import logging
from collections.abc import Callable
from typing import Any

from huey import Huey  # type: ignore[import-untyped]

from retrieval.catalog.collections import check_name
from retrieval.catalog.database import Along, nothing_else
from retrieval.catalog.job import Job, Work
from retrieval.home import Home
from service.jobs.queueing import open_queue

logger = logging.getLogger(__name__)

TASK = "carry_out"


def task_of(queue: Huey, carry_out: Callable[[int], None]) -> Any:
    """Register what workers do with a job's number, under one name for those who ask and those who do."""

    def task(number: int) -> None:
        carry_out(number)

    return queue.task(name=TASK)(task)


class JobQueue:
    """Submits jobs, and tells workers of them."""

    def __init__(self, home: Home) -> None:
        self._collections = home.catalog.collections
        self._jobs = home.catalog.jobs
        self._announce = task_of(open_queue(home.settings), _nothing)

    def submit(self, work: Work, *, made_by: str, along: Along[Job] = nothing_else) -> Job:
        """Queue work.

        Raises NotFound for a collection that is not there, UsageError for one that an ingest could not make, and
        SameJob where the same waits or runs already.
        """
        if work.kind == "ingest":
            check_name(work.collection)
        else:
            self._collections.get(work.collection)
        job = self._jobs.submit(work, made_by=made_by, along=along)
        self._tell(job)
        return job

    def resume(self, number: int) -> Job:
        """Queue what was cancelled, interrupted or failed once more; raises what `Jobs.queue_again` raises."""
        job = self._jobs.queue_again(self._jobs.get(number))
        self._tell(job)
        return job

    def _tell(self, job: Job) -> None:
        try:
            self._announce(job.id)
        except Exception as error:  # the queue is down: workers look into the catalog now and then
            logger.warning("Job %d waits for a worker to look for it: the queue failed (%s).", job.id, error)


def _nothing(_number: int) -> None:
    """Stand for the work where it is only asked for."""
