"""tandem jobs"""

import json
import time
from typing import Annotated, Any

import typer

from indexer.progress import duration
from retrieval.catalog.job import Job, JobState, Listed
from retrieval.catalog.jobs import Jobs
from retrieval.console import (
    DEFAULT,
    CollectionOption,
    HomeOption,
    JsonOption,
    note,
    opened,
    print_json,
    print_line,
    table,
)
from retrieval.errors import UsageError
from service.jobs.outcomes import lines_of

JobArgument = Annotated[int, typer.Argument(metavar="JOB", help="Its number, as `tandem jobs list` shows it.")]
MADE_BY = "command line"
LOOK_S = 0.5

jobs = typer.Typer(
    help="Work that takes long: ask for it, follow it, cancel it; `tandem worker` does it.", no_args_is_help=True
)


@jobs.command("submit")
def submit(
    context: typer.Context,
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="ingest, reindex, embed, evaluate, compare, train, nightly, audit.")
    ],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE ...", help="What it is told, as JSON or plain text: sources='[\"docs\"]'."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show how far it is until it is over.")] = False,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Ask for work; a worker does it."""
    from service.jobs.announcing import JobQueue
    from service.jobs.kinds import work_of

    told = told_by(parameters or [])
    with opened(context, home) as opened_home:
        job = JobQueue(opened_home).submit(work_of(kind, collection, told), made_by=MADE_BY)
        if follow:
            job = _followed(opened_home.catalog.jobs, job)
    _show(job, as_json=as_json)
    if follow and job.state is not JobState.DONE:
        raise typer.Exit(1)


@jobs.command("list")
def list_jobs(
    context: typer.Context,
    state: Annotated[list[JobState] | None, typer.Option("--state", help="Only jobs in this state; repeat it.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    home: HomeOption = None,
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only jobs of this collection.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs without their results, the newest first."""
    with opened(context, home) as opened_home:
        found = opened_home.catalog.jobs.list(Listed(collection, kind, state or (), limit=limit))
    if as_json:
        print_json({"jobs": [job.to_json() for job in found]})
        return
    header = ["JOB", "KIND", "COLLECTION", "STATE", "ASKED FOR", "BY", "HOW FAR"]
    rows = [
        [str(job.id), job.work.kind, job.work.collection, job.state, job.made_at, job.made_by, _how_far(job)]
        for job in found
    ]
    table(rows, header)


@jobs.command("show")
def show(
    context: typer.Context,
    job: JobArgument,
    log: Annotated[bool, typer.Option("--log", help="Print what it said, too.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Show how far it is until it is over.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a job: what was asked for, how far it is, what came of it."""
    with opened(context, home) as opened_home:
        kept = opened_home.catalog.jobs
        found = kept.get(job)
        if follow:
            found = _followed(kept, found)
        lines = [line.text for line in kept.lines(job, limit=100_000)] if log else []
    if as_json:
        print_json({**found.to_json(), **({"log": lines} if log else {})})
        return
    _show(found, as_json=False)
    for line in lines:
        print_line(f"  {line}")


@jobs.command("cancel")
def cancel(context: typer.Context, job: JobArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take a job back; a training keeps what it has, and `tandem jobs resume` goes on."""
    with opened(context, home) as opened_home:
        found = opened_home.catalog.jobs.cancel(job)
    if not as_json and found.state is JobState.RUNNING:
        note("It is told to stop; what it has is kept.")
    _show(found, as_json=as_json)


@jobs.command("resume")
def resume(context: typer.Context, job: JobArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Queue a job again that was cancelled, interrupted or failed; a training goes on where it was."""
    from service.jobs.announcing import JobQueue

    with opened(context, home) as opened_home:
        found = JobQueue(opened_home).resume(job)
    _show(found, as_json=as_json)


def told_by(parameters: list[str]) -> dict[str, Any]:
    """Return what NAME=VALUE words tell; raises UsageError for another word."""
    told: dict[str, Any] = {}
    for written in parameters:
        name, separator, value = written.partition("=")
        if not separator or not name.strip():
            raise UsageError(f"A job is told NAME=VALUE, not {written!r}.")
        told[name.strip().replace("-", "_")] = _value(value)
    return told


def _value(written: str) -> Any:
    try:
        return json.loads(written)
    except ValueError:
        return written


def _followed(kept: Jobs, job: Job) -> Job:
    """Print what a job says on stderr until it is over."""
    last, shown = 0, ""
    while True:
        job = kept.glance(job.id)  # before the lines: all that it said is there once it is over
        for line in kept.lines(job.id, after=last):
            last = line.id
            note(line.text)
        if job.state.is_over:
            return kept.get(job.id)
        if (far := _how_far(job)) and far != shown:
            shown = far
            note(far)
        time.sleep(LOOK_S)


def _show(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(job.to_json())
        return
    parameters = " ".join(f"{name}={json.dumps(value)}" for name, value in job.work.parameters.items())
    print_line(f"Job {job.id}: {job.work.kind} of {job.work.collection} {parameters}".rstrip())
    print_line(f"{job.state}, asked for {job.made_at} by {job.made_by}, attempt {job.attempt}")
    if far := _how_far(job):
        print_line(far)
    if job.error:
        print_line(f"{'Failed' if job.state is JobState.FAILED else 'It said'}: {job.error}")
    for line in lines_of(job.work.kind, job.result):
        print_line(f"  {line}")


def _how_far(job: Job) -> str:
    if job.state is not JobState.RUNNING:
        return ""
    progress = job.progress
    said = ", ".join(str(progress[name]) for name in ("step", "text") if progress.get(name))
    left = progress.get("left_s")
    return f"{said} ({duration(left)} left)" if isinstance(left, float) and "left" not in said else said
