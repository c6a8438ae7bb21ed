"""What goes over HTTP about schedules."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from service.api.job_schemas import ABOUT_KINDS, KindName
from service.api.schemas import CollectionName, Strict
from service.jobs.cron import MAX_CHARS


class ScheduleRequest(Strict):
    """Work that is to be done again and again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "nightly", "collection": "default", "cron": "0 3 * * *", "timezone": "Europe/Berlin"},
            ]
        }
    )

    kind: Annotated[KindName, Field(description=ABOUT_KINDS)]
    collection: CollectionName = "default"
    parameters: Annotated[
        dict[str, Any],
        Field(default_factory=dict, description="The options of its command, by name; docs/jobs.md lists them."),
    ]
    cron: Annotated[
        str,
        Field(
            max_length=MAX_CHARS,
            description="Five fields of numbers: minute, hour, day of the month, month, day of the week (0: Sunday).",
        ),
    ]
    timezone: Annotated[str, Field(max_length=64, description="In which the expression is read.")] = "UTC"


class ScheduleBody(Strict):
    """A schedule."""

    id: int
    kind: str
    collection: str
    parameters: dict[str, Any]
    cron: str
    timezone: str
    is_enabled: bool
    made_by: str
    made_at: Annotated[str, Field(description="ISO 8601, UTC.")]
    last_run_at: Annotated[str | None, Field(description="When it last asked for its work; null for never.")]
    next_run_at: Annotated[str | None, Field(description="When it asks next; null while it rests.")]
    last_job: Annotated[int | None, Field(description="The job it asked for, or that did the same already.")]


class SchedulesBody(Strict):
    """Schedules, the oldest first."""

    schedules: list[ScheduleBody]


class SchedulesLink(Strict):
    """Which schedules are listed."""

    collection: Annotated[CollectionName | None, Field(description="Only of this collection.")] = None
