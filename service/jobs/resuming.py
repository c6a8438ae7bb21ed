"""What an earlier attempt at a job has left: something to go on with, or the result itself."""

import json
from dataclasses import dataclass

from retrieval.catalog.job import Job
from retrieval.home import Home
from retrieval.types import JsonValue
from service.jobs.kinds import command_of


@dataclass(frozen=True, slots=True)
class Left:
    """The words of the command to run now, or the result where nothing is left to do."""

    words: list[str]
    result: JsonValue = None


def left_by_earlier_attempts(home: Home, job: Job) -> Left:
    """Return how a job goes on. A training that this job began is resumed; every other command is simply run again.

    So is a nightly, which knows itself by the job's number what it has begun.
    """
    whole = command_of(job.work)
    if job.work.kind not in ("train", "nightly"):
        return Left(whole)
    whole.append(f"--job={job.id}")
    if job.attempt == 1 or job.work.kind == "nightly":
        return Left(whole)
    from trainer.training.run import TrainingRun

    newest = TrainingRun.all(home.settings, job.work.collection)[-1:]
    if not newest or newest[0].job != str(job.id):
        return Left(whole)
    run = newest[0]
    if not run.is_done:
        return Left([*whole, "--resume"])
    found = json.loads(run.report.with_suffix(".json").read_text(encoding="utf-8"))
    if job.work.parameters.get("promote") and found["may_be_promoted"]:
        promote = ["models", "promote", f"--collection={job.work.collection}", "--json", "--", found["version"]]
        if home.catalog.collections.get(job.work.collection).config.model != found["version"]:
            return Left(promote)
    return Left([], {**found, "report": str(run.report)})
