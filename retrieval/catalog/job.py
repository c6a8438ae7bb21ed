"""What a job is, and where it is.

A job goes QUEUED -> RUNNING -> DONE, FAILED or CANCELLED. A running job whose worker goes silent is queued again, or
INTERRUPTED once that has happened too often.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from retrieval.catalog.outline import outline_of
from retrieval.errors import UsageError
from retrieval.types import JsonValue


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    """It waits for a worker."""
    RUNNING = "running"
    DONE = "done"
    """The work was done; `result` is what came of it."""
    FAILED = "failed"
    """The work failed; `error` says why."""
    CANCELLED = "cancelled"
    """Somebody took it back."""
    INTERRUPTED = "interrupted"
    """Its workers went away, too often for another attempt; `error` says so."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class SameJob(UsageError):
    """The same work waits or runs already."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked for: a kind of work, the collection it is about, and its parameters."""

    kind: str
    collection: str
    parameters: Mapping[str, JsonValue]

    @property
    def key(self) -> str:
        """The same for the same work."""
        written = json.dumps([self.kind, self.collection, dict(self.parameters)], sort_keys=True)
        return sha256(written.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is now. Times are ISO 8601 in UTC, "" before they come; `worker` names the one that has or had it.

    `progress` is how far it is, `result` what came of it, where that was read, and `outline` what is short in that.
    `attempt` is how often a worker took it up, `losses`, which only the catalog tells, how often one went silent with
    it since it was asked for or resumed.
    """

    id: int
    work: Work
    state: JobState
    progress: Mapping[str, JsonValue]
    result: JsonValue
    error: str
    attempt: int
    made_by: str
    worker: str
    is_cancelled: bool
    made_at: str
    started_at: str
    ended_at: str
    outline: JsonValue = None
    losses: int = 0

    @classmethod
    def of(cls, row: Row[Any]) -> "Job":
        """Read a row, which may be without its result."""
        return cls(
            id=row.id,
            work=Work(row.kind, row.collection, row.parameters),
            state=JobState(row.state),
            progress=row.progress,
            result=getattr(row, "result", None),
            error=row.error,
            attempt=row.attempt,
            made_by=row.made_by,
            worker=row.worker,
            is_cancelled=bool(row.is_cancelled),
            made_at=row.made_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            outline=row.outline,
            losses=row.losses,
        )

    @classmethod
    def from_json(cls, body: Mapping[str, JsonValue]) -> "Job":
        """Read what `to_json` gave, such as a service's answer."""
        return cls(
            id=body["id"],
            work=Work(body["kind"], body["collection"], body["parameters"]),
            state=JobState(body["state"]),
            progress=body["progress"],
            result=body["result"],
            error=body["error"] or "",
            attempt=body["attempt"],
            made_by=body["made_by"],
            worker=body["worker"] or "",
            is_cancelled=body["is_cancelled"],
            made_at=body["made_at"],
            started_at=body["started_at"] or "",
            ended_at=body["ended_at"] or "",
            outline=outline_of(body["result"]),
        )

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job as the API and `--json` give it."""
        return {
            "id": self.id,
            "kind": self.work.kind,
            "collection": self.work.collection,
            "parameters": dict(self.work.parameters),
            "state": self.state.value,
            "progress": dict(self.progress),
            "result": self.result,
            "error": self.error or None,
            "attempt": self.attempt,
            "made_by": self.made_by,
            "worker": self.worker or None,
            "is_cancelled": self.is_cancelled,
            "made_at": self.made_at,
            "started_at": self.started_at or None,
            "ended_at": self.ended_at or None,
        }


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a job, without what it left; `started_at` is "" where no worker took it up."""

    id: int
    attempt: int
    kind: str
    state: str
    started_at: str
    ended_at: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a job said; `id` grows, so that a reader can ask for those after the last one seen."""

    id: int
    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Which jobs to list: those that fit what is given; `before` an id, for the next page."""

    collection: str | None = None
    kind: str | None = None
    states: Sequence[JobState] = ()
    before: int | None = None
    limit: int = 50
