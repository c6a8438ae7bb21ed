"""tandem worker"""

from typing import Annotated

import typer

from retrieval.console import HomeOption, JsonOption, opened, print_json, print_line
from retrieval.settings import Settings


def worker(
    context: typer.Context,
    burst: Annotated[bool, typer.Option("--burst", help="Do what waits, and end.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the jobs that were asked for, one at a time, until Ctrl-C; a job that is stopped so goes on later."""
    from service.jobs.working import drain, work
    from service.logs import logging_as_set

    with logging_as_set(Settings.from_environment(home=home)) as tell, opened(context, home) as opened_home:
        if burst:
            jobs = drain(opened_home)
        else:
            tell("Waiting for jobs. Ctrl-C ends it; the job at hand goes on when a worker is back.")
            jobs = work(opened_home)
    if as_json:
        print_json({"jobs": jobs})
    else:
        print_line(f"Jobs done: {jobs}; `tandem jobs list` says how each ended.")
