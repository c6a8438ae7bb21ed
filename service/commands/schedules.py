"""tandem schedules add|list|enable|disable|remove"""

import json
from dataclasses import replace
from typing import Annotated

import typer

from indexer.sources import lasting
from retrieval.catalog.job import Work
from retrieval.catalog.schedules import Rhythm, Schedule
from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, opened, print_json, print_line, table
from service.commands.jobs import MADE_BY, told_by

ScheduleArgument = Annotated[int, typer.Argument(metavar="SCHEDULE", help="Its number, as the list shows it.")]

schedules = typer.Typer(
    help="Work that is asked for again and again, such as every night; `tandem worker` does it.", no_args_is_help=True
)


@schedules.command("add")
def add(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="nightly, ingest, or what `tandem jobs submit` takes.")],
    cron: Annotated[
        str, typer.Option("--cron", help="Minute, hour, day, month, day of the week: '0 3 * * *' is at three.")
    ],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE ...", help="What it is told, as JSON or plain text: min_new=50."),
    ] = None,
    timezone: Annotated[str, typer.Option(help="In which --cron is read, such as Europe/Berlin.")] = "UTC",
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Have work asked for again and again; a worker that runs then does it."""
    from service.jobs.kinds import work_of
    from service.jobs.scheduling import add_schedule

    work = _lasting(work_of(kind, collection, told_by(parameters or [])))
    with opened(context, home) as opened_home:
        made = add_schedule(opened_home, work, Rhythm(cron, timezone), made_by=MADE_BY)
    _show(made, as_json=as_json)


@schedules.command("list")
def list_schedules(
    context: typer.Context,
    home: HomeOption = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Only schedules of this collection.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the schedules, the oldest first."""
    with opened(context, home) as opened_home:
        found = opened_home.catalog.schedules.list(collection)
    if as_json:
        print_json({"schedules": [schedule.to_json() for schedule in found]})
        return
    header = ["SCHEDULE", "KIND", "COLLECTION", "CRON", "TIME ZONE", "NEXT", "LAST", "JOB", "BY"]
    rows = [
        [
            str(one.id),
            one.work.kind,
            one.work.collection,
            one.rhythm.cron,
            one.rhythm.timezone,
            one.next_run_at if one.is_enabled else "rests",
            one.last_run_at or "-",
            str(one.last_job or "-"),
            one.made_by,
        ]
        for one in found
    ]
    table(rows, header)


@schedules.command("enable")
def enable(
    context: typer.Context, schedule: ScheduleArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Let a schedule go on, from its next time."""
    from service.jobs.scheduling import switch_schedule

    with opened(context, home) as opened_home:
        found = switch_schedule(opened_home, schedule, is_enabled=True)
    _show(found, as_json=as_json)


@schedules.command("disable")
def disable(
    context: typer.Context, schedule: ScheduleArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Let a schedule rest; what it asked for goes on."""
    from service.jobs.scheduling import switch_schedule

    with opened(context, home) as opened_home:
        found = switch_schedule(opened_home, schedule, is_enabled=False)
    _show(found, as_json=as_json)


@schedules.command("remove")
def remove(
    context: typer.Context, schedule: ScheduleArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Remove a schedule; what it asked for goes on."""
    with opened(context, home) as opened_home:
        found = opened_home.catalog.schedules.remove(schedule)
    if as_json:
        print_json(found.to_json())
    else:
        print_line(f"Schedule {found.id} ({found.work.kind} of {found.work.collection}) is removed.")


def _lasting(work: Work) -> Work:
    """Return work with paths that mean the same wherever its worker runs."""
    if work.kind != "ingest":
        return work
    return replace(work, parameters={**work.parameters, "sources": [*map(lasting, work.parameters["sources"])]})


def _show(schedule: Schedule, *, as_json: bool) -> None:
    if as_json:
        print_json(schedule.to_json())
        return
    parameters = " ".join(f"{name}={json.dumps(value)}" for name, value in schedule.work.parameters.items())
    print_line(f"Schedule {schedule.id}: {schedule.work.kind} of {schedule.work.collection} {parameters}".rstrip())
    when = f"next at {schedule.next_run_at}" if schedule.is_enabled else "it rests"
    print_line(f"{schedule.rhythm.cron} ({schedule.rhythm.timezone}), {when}; a worker must run then.")
