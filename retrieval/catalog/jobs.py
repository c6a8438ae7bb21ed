"""Jobs in the catalog: kept, found, and moved from state to state."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from retrieval.catalog import schema
from retrieval.catalog.database import Along, Database, nothing_else, now
from retrieval.catalog.job import Ended, Job, JobState, Line, Listed, SameJob, Work
from retrieval.catalog.outline import outline_of
from retrieval.catalog.rows import insert_for
from retrieval.errors import NotFound, UsageError
from retrieval.types import JsonValue

NEWEST = Listed()
_WITHOUT_RESULT = [column for column in schema.jobs.c if column.name != "result"]


class Jobs:
    """Keep and find jobs. Every change of a state is one transaction that names the state it leaves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, work: Work, *, made_by: str, along: Along[Job] = nothing_else) -> Job:
        """Queue work; raises SameJob where the same waits or runs already."""
        with self._database.write() as connection:
            asked = queued(connection, work, made_by=made_by)
            job = Job.of(connection.execute(select(schema.jobs).where(schema.jobs.c.id == asked.id)).one())
            if asked.is_new:
                along(connection, job)
        if not asked.is_new:
            raise SameJob(
                f"Job {asked.id} does the same already ({work.kind} of {work.collection!r}); follow it: "
                f"`tandem jobs show {asked.id}`, or cancel it first: `tandem jobs cancel {asked.id}`."
            )
        return job

    def get(self, job: int, *, only: str | None = None) -> Job:
        """Return a job with its result, which may have megabytes.

        Raises NotFound, also for one of another collection than the `only` one to be seen.
        """
        return self._found(select(schema.jobs), job, only)

    def glance(self, job: int, *, only: str | None = None) -> Job:
        """Return a job without its result; raises NotFound as `get` does."""
        return self._found(select(*_WITHOUT_RESULT), job, only)

    def _found(self, statement: Select[Any], job: int, only: str | None) -> Job:
        with self._database.read() as connection:
            row = connection.execute(statement.where(schema.jobs.c.id == job)).first()
        if row is None or only not in (None, row.collection):
            raise NotFound(f"There is no job {job}; `tandem jobs list` shows those there are.")
        return Job.of(row)

    def take_up(self, job: int, worker: str) -> Job | None:
        """Let a worker begin a queued job; None where it is queued no more."""
        began = {"state": JobState.RUNNING, "worker": worker, "started_at": now(), "beat_at": time.time(), "error": ""}
        table = schema.jobs
        with self._database.write() as connection:
            changed = connection.execute(
                update(table)
                .where(table.c.id == job, table.c.state == JobState.QUEUED)
                .values(**began, attempt=table.c.attempt + 1)
            ).rowcount
        return self.get(job) if changed else None

    def beat(self, job: Job, progress: Mapping[str, JsonValue]) -> bool:
        """Say that a job is at work, and how far; return whether it should go on.

        It should not once it was cancelled, or given to another worker.
        """
        table = schema.jobs
        with self._database.write() as connection:
            changed = connection.execute(
                update(table).where(*_mine(job)).values(beat_at=time.time(), progress=dict(progress))
            ).rowcount
            wanted = select(table.c.is_cancelled).where(table.c.id == job.id)
            return bool(changed) and not connection.execute(wanted).scalar()

    def end(self, job: Job, state: JobState, *, result: JsonValue = None, error: str = "") -> None:
        """Record what became of a running job; no change where another worker has it."""
        over = {"state": state, "error": error, "ended_at": now(), "active_key": None}
        over |= {"result": result, "outline": outline_of(result)}
        with self._database.write() as connection:
            connection.execute(update(schema.jobs).where(*_mine(job)).values(over))

    def cancel(self, job: int) -> Job:
        """Take a job back: a queued one is over at once, a running one as soon as its worker sees it.

        Raises NotFound, and UsageError for one that is over.
        """
        table = schema.jobs
        over = {"state": JobState.CANCELLED, "ended_at": now(), "active_key": None, "is_cancelled": 1}
        with self._database.write() as connection:
            waiting = update(table).where(table.c.id == job, table.c.state == JobState.QUEUED).values(over)
            running = update(table).where(table.c.id == job, table.c.state == JobState.RUNNING).values(is_cancelled=1)
            changed = connection.execute(waiting).rowcount or connection.execute(running).rowcount
        found = self.get(job)
        if not changed:
            raise UsageError(f"Job {job} is {found.state} already; there is nothing to cancel.")
        return found

    def queue_again(self, job: Job) -> Job:
        """Queue once more what was cancelled, failed or interrupted: training goes on where it stopped.

        Raises UsageError for a job that is at work or done, SameJob where the same is queued or at work by now.
        """
        if job.state not in (JobState.CANCELLED, JobState.FAILED, JobState.INTERRUPTED):
            raise UsageError(f"Job {job.id} is {job.state}; only what was cancelled, interrupted or failed is resumed.")
        again = {"state": JobState.QUEUED, "active_key": job.work.key, "is_cancelled": 0, "error": "", "ended_at": ""}
        again["losses"] = 0
        table = schema.jobs
        try:
            with self._database.write() as connection:
                same = connection.execute(select(table.c.id).where(table.c.active_key == job.work.key)).scalar()
                if same is None:
                    connection.execute(
                        update(table).where(table.c.id == job.id, table.c.state == job.state).values(again)
                    )
        except IntegrityError:  # on a server, another one may come in between
            same = job.id
        if same is not None:
            raise SameJob(f"Job {same} does the same already; follow it: `tandem jobs show {same}`.")
        return self.get(job.id)

    def silent(self, seconds: float) -> list[Job]:
        """Return running jobs whose workers have said nothing for so long."""
        table = schema.jobs
        gone = (table.c.state == JobState.RUNNING, table.c.beat_at < time.time() - seconds)
        with self._database.read() as connection:
            rows = connection.execute(select(*_WITHOUT_RESULT).where(*gone).order_by(table.c.id))
            return [Job.of(row) for row in rows]

    def give_back(self, job: Job) -> bool:
        """Queue a job again whose worker stops; False where another has it."""
        with self._database.write() as connection:
            given = update(schema.jobs).where(*_mine(job)).values(state=JobState.QUEUED)
            return bool(connection.execute(given).rowcount)

    def lose(self, job: Job, *, seconds: float) -> bool:
        """Queue a job again whose worker has said nothing for so long, and count that.

        False where its worker, or another, was heard of meanwhile.
        """
        table = schema.jobs
        quiet = table.c.beat_at < time.time() - seconds
        with self._database.write() as connection:
            lost = update(table).where(*_mine(job), quiet).values(state=JobState.QUEUED, losses=table.c.losses + 1)
            return bool(connection.execute(lost).rowcount)

    def say(self, job: int, lines: Sequence[str]) -> None:
        """Keep lines that a job said."""
        if lines:
            at = now()
            with self._database.write() as connection:
                connection.execute(
                    insert(schema.job_lines), [{"job_id": job, "at": at, "text": line} for line in lines]
                )

    def lines(self, job: int, *, after: int = 0, limit: int = 1_000) -> list[Line]:
        """Return what a job said, in order, after the line with this id."""
        table = schema.job_lines
        statement = select(table).where(table.c.job_id == job, table.c.id > after).order_by(table.c.id).limit(limit)
        with self._database.read() as connection:
            return [Line(row.id, row.at, row.text) for row in connection.execute(statement)]

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many jobs there are by kind and state."""
        table = schema.jobs
        counted = select(table.c.kind, table.c.state, func.count()).group_by(table.c.kind, table.c.state)
        with self._database.read() as connection:
            return {(kind, state): count for kind, state, count in connection.execute(counted)}

    def queue(self) -> tuple[int, float]:
        """Return how many jobs wait for a worker, and for how many seconds the oldest of them has."""
        table = schema.jobs
        waiting = select(func.count(), func.min(table.c.made_at)).where(table.c.state == JobState.QUEUED)
        with self._database.read() as connection:
            count, oldest = connection.execute(waiting).one()
        return count, max(0.0, (_moment(now()) - _moment(oldest)).total_seconds()) if oldest else 0.0

    def ended(self, *, since: str) -> list[Ended]:
        """Return what became of the jobs that ended at a moment (ISO 8601, UTC) or later."""
        table = schema.jobs
        wanted = [table.c[name] for name in ("id", "attempt", "kind", "state", "started_at", "ended_at")]
        over = (table.c.ended_at != "", table.c.ended_at >= since)
        with self._database.read() as connection:
            rows = connection.execute(select(*wanted).where(*over).order_by(table.c.id))
            return [Ended(*row) for row in rows]

    def forget(self, *, before: str) -> int:
        """Forget jobs that ended before a moment (ISO 8601, UTC); return how many."""
        table = schema.jobs
        old = (table.c.ended_at != "", table.c.ended_at < before)
        with self._database.write() as connection:
            return _deleted(connection, old)

    def list(self, listed: Listed = NEWEST) -> list[Job]:
        """Return jobs without their results, the newest first."""
        table = schema.jobs
        statement: Select[Any] = select(*_WITHOUT_RESULT).order_by(table.c.id.desc()).limit(listed.limit)
        if listed.collection is not None:
            statement = statement.where(table.c.collection == listed.collection)
        if listed.kind is not None:
            statement = statement.where(table.c.kind == listed.kind)
        if listed.states:
            statement = statement.where(table.c.state.in_(listed.states))
        if listed.before is not None:
            statement = statement.where(table.c.id < listed.before)
        with self._database.read() as connection:
            return [Job.of(row) for row in connection.execute(statement)]


@dataclass(frozen=True, slots=True)
class Queued:
    """The job that does some work, and whether it was queued just now."""

    id: int
    is_new: bool


def queued(connection: Connection, work: Work, *, made_by: str) -> Queued:
    """Queue work in a transaction, unless the same waits or runs."""
    row = {
        "kind": work.kind,
        "collection": work.collection,
        "parameters": dict(work.parameters),
        "active_key": work.key,
        "state": JobState.QUEUED,
        "progress": {},
        "result": None,
        "outline": None,
        "error": "",
        "attempt": 0,
        "losses": 0,
        "made_by": made_by,
        "worker": "",
        "is_cancelled": 0,
        "made_at": now(),
        "started_at": "",
        "ended_at": "",
        "beat_at": 0.0,
    }
    table = schema.jobs
    same = select(table.c.id).where(table.c.active_key == work.key)
    if (known := connection.execute(same).scalar()) is not None:
        return Queued(known, is_new=False)
    # On a server, another transaction may queue the same in between, which is a conflict then.
    statement = insert_for(connection, table).values(row).on_conflict_do_nothing(index_elements=[table.c.active_key])
    is_new = bool(connection.execute(statement).rowcount)
    return Queued(connection.execute(same).scalar_one(), is_new)


def _mine(job: Job) -> tuple[Any, ...]:
    """Return what holds of a job's row as long as this attempt of this worker has it."""
    table = schema.jobs
    return (
        table.c.id == job.id,
        table.c.state == JobState.RUNNING,
        table.c.worker == job.worker,
        table.c.attempt == job.attempt,
    )


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _deleted(connection: Connection, old: tuple[Any, ...]) -> int:
    return connection.execute(delete(schema.jobs).where(*old)).rowcount
