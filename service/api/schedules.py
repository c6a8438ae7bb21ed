"""/v1/schedules: work that is asked for again and again"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from retrieval.catalog.schedules import Rhythm, Schedule
from retrieval.home import Home
from retrieval.types import JsonValue
from service.api.described import problems
from service.api.schedule_schemas import ScheduleBody, ScheduleRequest, SchedulesBody, SchedulesLink
from service.auth import Admin
from service.jobs.asked_from_afar import asked_from_afar
from service.jobs.kinds import collections_of, work_of
from service.jobs.scheduling import add_schedule, switch_schedule

router = APIRouter(prefix="/v1/schedules", tags=["schedules"])
ScheduleId = Annotated[int, Path(ge=1, lt=2**63, description="The schedule's number.", examples=[1])]


def _seen(request: Request, caller: Admin, schedule: ScheduleId) -> Schedule:
    """Return a schedule; one that the caller may not see is as unknown as one that never was."""
    return _home(request).catalog.schedules.get(schedule, only=caller.only)


OwnSchedule = Annotated[Schedule, Depends(_seen)]


@router.get("", response_model=SchedulesBody, responses=problems(422), summary="List schedules")
def list_schedules(request: Request, caller: Admin, asked: Annotated[SchedulesLink, Query()]) -> dict[str, JsonValue]:
    """List the schedules, the oldest first."""
    collection = asked.collection or caller.only
    if collection:
        caller.check(collection)
    return {"schedules": [found.to_json() for found in _home(request).catalog.schedules.list(collection)]}


@router.post(
    "",
    status_code=201,
    response_model=ScheduleBody,
    responses=problems(400, 404, 409, 413, 422),
    summary="Schedule work",
)
def create(request: Request, caller: Admin, body: ScheduleRequest) -> dict[str, JsonValue]:
    """Have work asked for at every time that a cron expression names, as long as a worker runs.

    Times that are missed because none did are made up for once. While the same work waits or runs, none is asked for.
    """
    caller.check(body.collection)
    home = _home(request)
    work = work_of(body.kind, body.collection, body.parameters)
    for collection in collections_of(work):
        caller.check(collection)
    work = asked_from_afar(work, home.settings)
    return add_schedule(home, work, Rhythm(body.cron, body.timezone), made_by=caller.name).to_json()


@router.get("/{schedule}", response_model=ScheduleBody, responses=problems(404, 422), summary="Show a schedule")
def show(schedule: OwnSchedule) -> dict[str, JsonValue]:
    """Show a schedule: what it asks for, when it did last, and when it does next."""
    return schedule.to_json()


@router.post(
    "/{schedule}/disable", response_model=ScheduleBody, responses=problems(404, 422), summary="Let a schedule rest"
)
def disable(request: Request, schedule: OwnSchedule) -> dict[str, JsonValue]:
    """Let a schedule rest until it is enabled; what it asked for goes on."""
    return switch_schedule(_home(request), schedule.id, is_enabled=False).to_json()


@router.post(
    "/{schedule}/enable", response_model=ScheduleBody, responses=problems(404, 422), summary="Let a schedule go on"
)
def enable(request: Request, schedule: OwnSchedule) -> dict[str, JsonValue]:
    """Let a schedule go on, from its next time: what it missed is not made up for."""
    return switch_schedule(_home(request), schedule.id, is_enabled=True).to_json()


@router.delete("/{schedule}", response_model=ScheduleBody, responses=problems(404, 422), summary="Remove a schedule")
def remove(request: Request, schedule: OwnSchedule) -> dict[str, JsonValue]:
    """Remove a schedule, and return what it was; what it asked for goes on."""
    return _home(request).catalog.schedules.remove(schedule.id).to_json()


def _home(request: Request) -> Home:
    home: Home = request.app.state.serving.home
    return home
