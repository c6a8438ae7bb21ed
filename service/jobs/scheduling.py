"""Schedules: checked when they are made, and asked for when their time has come, by one of the workers."""

import logging
from datetime import UTC, datetime

from retrieval.catalog.job import Work
from retrieval.catalog.schedules import Rhythm, Schedule
from retrieval.errors import TandemError, UsageError
from retrieval.home import Home
from service.jobs.cron import Cron

logger = logging.getLogger(__name__)


def add_schedule(home: Home, work: Work, rhythm: Rhythm, *, made_by: str) -> Schedule:
    """Keep a schedule for work that is checked.

    Raises UsageError for times that cannot be read or never come, NotFound where there is no such collection: not even
    an ingest is scheduled for one, as it would make a collection again that was deleted.
    """
    collection = home.catalog.collections.get(work.collection)
    kept = Rhythm(" ".join(rhythm.cron.split()), rhythm.timezone)
    next_run_at = _next(kept, datetime.now(UTC))
    return home.catalog.schedules.add(collection, work, kept, next_run_at=next_run_at, made_by=made_by)


def switch_schedule(home: Home, schedule: int, *, is_enabled: bool) -> Schedule:
    """Let a schedule rest or go on: from now on, without the times that it missed. Raises NotFound."""
    found = home.catalog.schedules.get(schedule)
    next_run_at = _next(found.rhythm, datetime.now(UTC))
    return home.catalog.schedules.switch(schedule, is_enabled=is_enabled, next_run_at=next_run_at)


def submit_due(home: Home, at: datetime | None = None) -> list[int]:
    """Ask for the work of every schedule whose time has come, and return the jobs.

    Once for each, however many times were missed and however many workers look.
    """
    moment = at or datetime.now(UTC)
    return [job for due in home.catalog.schedules.due(_written(moment)) if (job := _taken(home, due, moment))]


def _taken(home: Home, due: Schedule, moment: datetime) -> int | None:
    try:
        next_run_at = _next(due.rhythm, moment)
        job = home.catalog.schedules.take(due, at=_written(moment), next_run_at=next_run_at)
    except TandemError as error:  # one that fails does not keep the others waiting, and is tried again
        logger.warning("Schedule %d (%s of %s) failed: %s", due.id, due.work.kind, due.work.collection, error)
        return None
    if job is not None:
        logger.info("Schedule %d asks for %s of %s: job %d", due.id, due.work.kind, due.work.collection, job)
    return job


def _next(rhythm: Rhythm, moment: datetime) -> str:
    found = Cron.parse(rhythm.cron, rhythm.timezone).after(moment)
    if found is None:
        raise UsageError(f"The cron expression {rhythm.cron!r} names no time in the next nine years.")
    return _written(found)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
