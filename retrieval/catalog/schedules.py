"""Schedules in the catalog: work that is asked for again and again, each time by exactly one of the workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update

from retrieval.catalog import schema
from retrieval.catalog.collections import Collection
from retrieval.catalog.database import Database, now
from retrieval.catalog.job import Work
from retrieval.catalog.jobs import queued
from retrieval.catalog.schema_recurring import schedules
from retrieval.errors import NotFound, UsageError
from retrieval.types import JsonValue


class SameSchedule(UsageError):
    """The same work is scheduled for the same times already."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When work is done: a cron expression, read in a time zone."""

    cron: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work, and when it is done. Times are ISO 8601 in UTC; `last_run_at` is "" before the first.

    `last_job` is the job that the last run asked for, or that was doing the same already.
    """

    id: int
    work: Work
    rhythm: Rhythm
    is_enabled: bool
    made_by: str
    made_at: str
    last_run_at: str
    next_run_at: str
    last_job: int | None

    @classmethod
    def of(cls, row: Row[Any]) -> "Schedule":
        """Read a row, joined with its collection's name."""
        return cls(
            id=row.id,
            work=Work(row.kind, row.collection, row.parameters),
            rhythm=Rhythm(row.cron, row.timezone),
            is_enabled=bool(row.is_enabled),
            made_by=row.made_by,
            made_at=row.made_at,
            last_run_at=row.last_run_at,
            next_run_at=row.next_run_at,
            last_job=row.last_job,
        )

    def to_json(self) -> dict[str, JsonValue]:
        """Return the schedule as the API and `--json` give it."""
        return {
            "id": self.id,
            "kind": self.work.kind,
            "collection": self.work.collection,
            "parameters": dict(self.work.parameters),
            "cron": self.rhythm.cron,
            "timezone": self.rhythm.timezone,
            "is_enabled": self.is_enabled,
            "made_by": self.made_by,
            "made_at": self.made_at,
            "last_run_at": self.last_run_at or None,
            "next_run_at": self.next_run_at if self.is_enabled else None,
            "last_job": self.last_job,
        }


class Schedules:
    """Keep and find schedules, and take those that are due."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, collection: Collection, work: Work, rhythm: Rhythm, *, next_run_at: str, made_by: str) -> Schedule:
        """Keep a schedule for a collection's work; raises SameSchedule."""
        row = {
            "collection_id": collection.id,
            "kind": work.kind,
            "parameters": dict(work.parameters),
            "cron": rhythm.cron,
            "timezone": rhythm.timezone,
            "is_enabled": 1,
            "made_by": made_by,
            "made_at": now(),
            "last_run_at": "",
            "next_run_at": next_run_at,
            "last_job": None,
        }
        with self._database.write() as connection:
            known = [Schedule.of(row) for row in connection.execute(_joined(collection.name))]
            same = next((one for one in known if (one.work.key, one.rhythm) == (work.key, rhythm)), None)
            made = None if same else connection.execute(insert(schedules).values(row)).inserted_primary_key
        if same is not None:
            raise SameSchedule(
                f"Schedule {same.id} does the same at the same times; `tandem schedules remove {same.id}` removes it."
            )
        assert made is not None  # noqa: S101  # an INSERT of one row has a key
        return self.get(int(made[0]))

    def get(self, schedule: int, *, only: str | None = None) -> Schedule:
        """Return a schedule; raises NotFound, also for one of another collection than the `only` one to be seen."""
        with self._database.read() as connection:
            row = connection.execute(_joined(only).where(schedules.c.id == schedule)).first()
        if row is None:
            raise NotFound(f"There is no schedule {schedule}; `tandem schedules list` shows those there are.")
        return Schedule.of(row)

    def list(self, collection: str | None = None) -> "list[Schedule]":
        """Return the schedules of a collection, or all, the oldest first."""
        with self._database.read() as connection:
            return [Schedule.of(row) for row in connection.execute(_joined(collection).order_by(schedules.c.id))]

    def remove(self, schedule: int) -> Schedule:
        """Drop a schedule and return what it was; what it asked for goes on. Raises NotFound."""
        found = self.get(schedule)
        with self._database.write() as connection:
            connection.execute(delete(schedules).where(schedules.c.id == schedule))
        return found

    def switch(self, schedule: int, *, is_enabled: bool, next_run_at: str) -> Schedule:
        """Let a schedule rest, or go on with a next time; raises NotFound."""
        values = {"is_enabled": int(is_enabled), "next_run_at": next_run_at}
        with self._database.write() as connection:
            connection.execute(update(schedules).where(schedules.c.id == schedule).values(values))
        return self.get(schedule)

    def due(self, at: str) -> Sequence[Schedule]:
        """Return the schedules whose time has come by a moment, those that wait longest first."""
        is_due = (schedules.c.is_enabled == 1, schedules.c.next_run_at <= at)
        with self._database.read() as connection:
            rows = connection.execute(_joined().where(*is_due).order_by(schedules.c.next_run_at, schedules.c.id))
            return [Schedule.of(row) for row in rows]

    def take(self, schedule: Schedule, *, at: str, next_run_at: str) -> int | None:
        """Ask for a schedule's work, and set its next time; return the job.

        Both happen or neither, and for one of those who try: None for the others. Where the same waits or runs, that
        is the job.
        """
        mine = (
            schedules.c.id == schedule.id,
            schedules.c.is_enabled == 1,
            schedules.c.next_run_at == schedule.next_run_at,
        )
        with self._database.write() as connection:
            taken = update(schedules).where(*mine).values(last_run_at=at, next_run_at=next_run_at)
            if not connection.execute(taken).rowcount:
                return None
            job = queued(connection, schedule.work, made_by=f"schedule {schedule.id}").id
            connection.execute(update(schedules).where(schedules.c.id == schedule.id).values(last_job=job))
        return job


def _joined(collection: str | None = None) -> Select[Any]:
    """Return the statement that reads schedules with the names of their collections."""
    owner = schema.collections
    statement = select(schedules, owner.c.name.label("collection")).join(owner, owner.c.id == schedules.c.collection_id)
    return statement if collection is None else statement.where(owner.c.name == collection)
