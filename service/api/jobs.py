"""/v1/jobs: work that takes minutes or hours, asked for, followed, cancelled, resumed"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from retrieval.catalog.database import Along
from retrieval.catalog.job import Job, Line, Listed
from retrieval.catalog.jobs import Jobs
from retrieval.catalog.keys import Scope
from retrieval.types import JsonValue
from service.api.described import problems
from service.api.idempotent import Once, kept_along
from service.api.job_schemas import JobBody, JobRequest, JobsBody, JobsLink, LogBody, LogLink
from service.auth import Reader, Writer
from service.jobs.announcing import JobQueue
from service.jobs.asked_from_afar import asked_from_afar
from service.jobs.kinds import collections_of, work_of
from service.serving import Serving

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
LOOK_S = 0.5
LINES_AT_ONCE = 1_000
MOST_LINES = 2**63 - 1
"""The highest id that a database takes."""
CHANGE_WHAT_IS_SEARCHED = ("train", "nightly", "reindex")
"""Kinds that need the scope admin: they take the machine for hours, or change more than documents."""
JobId = Annotated[int, Path(ge=1, lt=2**63, description="The job's number.", examples=[1])]
ChangedId = Annotated[int, Path(ge=1, lt=2**63, description="The job's number.", examples=[2])]


def _seen(request: Request, caller: Reader, job: JobId) -> Job:
    """Return a job without its result, before anything is answered; NotFound for one that the caller may not see."""
    return _jobs(request).glance(job, only=caller.only)


def _changed(request: Request, caller: Writer, job: ChangedId) -> Job:
    """Return a job that the caller may change."""
    found = _seen(request, caller, job)
    if found.work.kind in CHANGE_WHAT_IS_SEARCHED:
        caller.needs(Scope.ADMIN)
    return found


ReadJob = Annotated[Job, Depends(_seen)]
WriteJob = Annotated[Job, Depends(_changed)]


@router.post(
    "",
    status_code=202,
    response_model=JobBody,
    responses=problems(400, 404, 409, 413, 422),
    summary="Ask for work",
    dependencies=[Once],
)
def submit(request: Request, caller: Writer, body: JobRequest) -> dict[str, JsonValue]:
    """Queue work for a worker. The same work is not queued while it waits or runs."""
    caller.check(body.collection)
    work = work_of(body.kind, body.collection, body.parameters)
    if body.kind in CHANGE_WHAT_IS_SEARCHED:
        caller.needs(Scope.ADMIN)
    for collection in collections_of(work):
        caller.check(collection)
    allowed = asked_from_afar(work, _serving(request).home.settings)
    queue: JobQueue = request.app.state.queue
    along: Along[Job] = kept_along(request, 202, lambda job: JobBody(**job.to_json()))
    return queue.submit(allowed, made_by=caller.name, along=along).to_json()


@router.get("", response_model=JobsBody, responses=problems(422), summary="List jobs")
def list_jobs(request: Request, caller: Reader, asked: Annotated[JobsLink, Query()]) -> dict[str, JsonValue]:
    """List jobs, the newest first, without their results: `result` is null in a list, and there where one is shown."""
    collection = asked.collection or caller.only
    if collection:
        caller.check(collection)
    found = _jobs(request).list(Listed(collection, asked.kind, asked.state, asked.before, asked.limit))
    return {"jobs": [job.to_json() for job in found], "next": found[-1].id if len(found) == asked.limit else None}


@router.get("/{job}", response_model=JobBody, responses=problems(404, 422), summary="Show a job")
def show(request: Request, job: ReadJob) -> dict[str, JsonValue]:
    """Show a job: what was asked for, how far it is, what came of it."""
    return _jobs(request).get(job.id).to_json()


@router.post("/{job}/cancel", response_model=JobBody, responses=problems(400, 404, 422), summary="Cancel a job")
def cancel(request: Request, job: WriteJob) -> dict[str, JsonValue]:
    """Take a job back. A queued one is over at once; a running one as soon as it has saved what it has."""
    return _jobs(request).cancel(job.id).to_json()


@router.post(
    "/{job}/resume",
    status_code=202,
    response_model=JobBody,
    responses=problems(400, 404, 409, 422),
    summary="Resume a job",
)
def resume(request: Request, job: WriteJob) -> dict[str, JsonValue]:
    """Queue a job again that was cancelled, interrupted or failed; a training goes on where it was."""
    queue: JobQueue = request.app.state.queue
    return queue.resume(job.id).to_json()


@router.get("/{job}/log", response_model=LogBody, responses=problems(404, 422), summary="Read what a job said")
def log(request: Request, job: ReadJob, asked: Annotated[LogLink, Query()]) -> dict[str, JsonValue]:
    """Read what a job said, in order."""
    lines = _jobs(request).lines(job.id, after=asked.after, limit=asked.limit)
    return {
        "lines": [_line(line) for line in lines],
        "next": lines[-1].id if len(lines) == asked.limit else None,
    }


@router.get(
    "/{job}/events",
    response_class=EventSourceResponse,
    responses=problems(404, 422),
    summary="Follow a job",
)
async def events(
    request: Request,
    job: ReadJob,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow a job as server-sent events: `job` whenever it has changed, `line` for each line; it ends with the job.

    The last event is the job with its result.

    A client that comes back with Last-Event-ID gets the lines after that one.
    """
    jobs = _jobs(request)
    last = min(int(last_event_id), MOST_LINES) if last_event_id and last_event_id.isdecimal() else 0
    shown: Job | None = None
    while not _serving(request).is_stopping:
        found, lines = await run_sync(partial(_news, jobs, job.id, after=last))
        for line in lines:
            last = line.id
            yield ServerSentEvent(event="line", id=str(line.id), data=_line(line))
        has_more = len(lines) == LINES_AT_ONCE
        if found.state.is_over and not has_more:
            yield ServerSentEvent(event="job", data=(await run_sync(jobs.get, job.id)).to_json())
            return
        if found != shown and not found.state.is_over:
            shown = found
            yield ServerSentEvent(event="job", data=found.to_json())
        await anyio.sleep(0 if has_more else LOOK_S)


def _news(jobs: Jobs, job: int, *, after: int) -> tuple[Job, list[Line]]:
    found = jobs.glance(job)  # before the lines: all that it said is there once it is over
    return found, jobs.lines(job, after=after, limit=LINES_AT_ONCE)


def _line(line: Line) -> dict[str, JsonValue]:
    return {"id": line.id, "at": line.at, "text": line.text}


def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


def _jobs(request: Request) -> Jobs:
    return _serving(request).home.catalog.jobs
