"""/v1/jobs: work that takes minutes or hours, asked for, followed, cancelled, resumed"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from retrieval.catalog.jobs import Job, Jobs, Line, Listed
from retrieval.types import JsonValue
from service.api.described import problems
from service.api.job_schemas import JobBody, JobRequest, JobsBody, JobsLink, LogBody, LogLink
from service.jobs.announcing import JobQueue
from service.jobs.asked_from_afar import asked_from_afar
from service.jobs.kinds import work_of
from service.serving import Serving

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
LOOK_S = 0.5
LINES_AT_ONCE = 1_000
JobId = Annotated[int, Path(ge=1, lt=2**63, description="The job's number.")]


@router.post(
    "", status_code=202, response_model=JobBody, responses=problems(400, 404, 409, 413, 422), summary="Ask for work"
)
def submit(request: Request, body: JobRequest) -> dict[str, JsonValue]:
    """Queue work for a worker. The same work is not queued while it waits or runs."""
    work = work_of(body.kind, body.collection, body.parameters)
    allowed = asked_from_afar(work, _serving(request).home.settings)
    queue: JobQueue = request.app.state.queue
    return queue.submit(allowed, made_by="http").to_json()


@router.get("", response_model=JobsBody, responses=problems(422), summary="List jobs")
def list_jobs(request: Request, asked: Annotated[JobsLink, Query()]) -> dict[str, JsonValue]:
    """List jobs, the newest first."""
    found = _jobs(request).list(Listed(asked.collection, asked.kind, asked.state, asked.before, asked.limit))
    return {"jobs": [job.to_json() for job in found], "next": found[-1].id if len(found) == asked.limit else None}


@router.get("/{job}", response_model=JobBody, responses=problems(404, 422), summary="Show a job")
def show(request: Request, job: JobId) -> dict[str, JsonValue]:
    """Show a job: what was asked for, how far it is, what came of it."""
    return _jobs(request).get(job).to_json()


@router.post("/{job}/cancel", response_model=JobBody, responses=problems(400, 404, 422), summary="Cancel a job")
def cancel(request: Request, job: JobId) -> dict[str, JsonValue]:
    """Take a job back. A queued one is over at once; a running one as soon as it has saved what it has."""
    return _jobs(request).cancel(job).to_json()


@router.post(
    "/{job}/resume",
    status_code=202,
    response_model=JobBody,
    responses=problems(400, 404, 409, 422),
    summary="Resume a job",
)
def resume(request: Request, job: JobId) -> dict[str, JsonValue]:
    """Queue a job again that was cancelled, interrupted or failed; a training goes on where it was."""
    queue: JobQueue = request.app.state.queue
    return queue.resume(job).to_json()


@router.get("/{job}/log", response_model=LogBody, responses=problems(404, 422), summary="Read what a job said")
def log(request: Request, job: JobId, asked: Annotated[LogLink, Query()]) -> dict[str, JsonValue]:
    """Read what a job said, in order."""
    jobs = _jobs(request)
    jobs.get(job)
    lines = jobs.lines(job, after=asked.after, limit=asked.limit)
    return {
        "lines": [_line(line) for line in lines],
        "next": lines[-1].id if len(lines) == asked.limit else None,
    }


def _existing(request: Request, job: JobId) -> Job:
    """Return a job before anything is answered."""
    return _jobs(request).get(job)


@router.get(
    "/{job}/events",
    response_class=EventSourceResponse,
    responses=problems(404, 422),
    summary="Follow a job",
)
async def events(
    request: Request,
    first: Annotated[Job, Depends(_existing)],
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow a job as server-sent events: `job` whenever it has changed, `line` for each line; it ends with the job.

    A client that comes back with Last-Event-ID gets the lines after that one.
    """
    jobs = _jobs(request)
    last = int(last_event_id) if last_event_id and last_event_id.isdecimal() else 0
    shown: Job | None = None
    while not _serving(request).is_stopping:
        found, lines = await run_sync(partial(_news, jobs, first.id, after=last))
        for line in lines:
            last = line.id
            yield ServerSentEvent(event="line", id=str(line.id), data=_line(line))
        if found != shown:
            shown = found
            yield ServerSentEvent(event="job", data=found.to_json())
        if found.state.is_over and len(lines) < LINES_AT_ONCE:
            return
        await anyio.sleep(LOOK_S if len(lines) < LINES_AT_ONCE else 0)


def _news(jobs: Jobs, job: int, *, after: int) -> tuple[Job, list[Line]]:
    found = jobs.get(job)  # before the lines: all that it said is there once it is over
    return found, jobs.lines(job, after=after, limit=LINES_AT_ONCE)


def _line(line: Line) -> dict[str, JsonValue]:
    return {"id": line.id, "at": line.at, "text": line.text}


def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


def _jobs(request: Request) -> Jobs:
    return _serving(request).home.catalog.jobs
