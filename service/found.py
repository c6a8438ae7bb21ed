"""What trainings, comparisons and evaluations have found so far, wherever it is kept.

The results of jobs say most. Beside them stand what commands left: the reports of trainings in the home, and verdicts
and runs in the catalog, unless a job or a training left them on its way.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any

from retrieval.catalog import Collection
from retrieval.catalog.job import Job, JobState, Listed
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.errors import NotFound
from retrieval.home import Home
from retrieval.types import JsonValue
from trainer.measures import measured
from trainer.training.run import TrainingRun
from trainer.trec import parse_run

MOST_JOBS = 500
"""Jobs of a kind and a collection that are looked at."""
_JOB = re.compile("job-([1-9][0-9]{0,17})")
_UTC, _AND = "+00:00", "~"
_MARGIN_S = 60.0
"""What a training takes beside the steps that it times."""


class FoundBy(StrEnum):
    """What found it."""

    TRAINING = "training"
    COMPARISON = "comparison"
    EVALUATION = "evaluation"


KINDS = {"train": FoundBy.TRAINING, "compare": FoundBy.COMPARISON, "evaluate": FoundBy.EVALUATION}


@dataclass(frozen=True, slots=True)
class Found:
    """One finding. `content` is what its command prints with --json, or what is left of it; in a list, its outline.

    `arms` are what it is about, the one that was tried first; `began` and `made_at` bound the time of the work, ISO
    8601 in UTC. `page` is the report that a training wrote, if it is still there.
    """

    id: str
    kind: FoundBy
    collection: str
    judgments: str
    headline: str
    made_at: str
    content: Mapping[str, JsonValue] = field(repr=False)
    verdict: str = ""
    arms: tuple[str, ...] = ()
    version: str = ""
    job: int | None = None
    page: Path | None = None
    began: str = ""

    @property
    def place(self) -> str:
        """Where it stands among others, for whoever goes on after it, even once it is gone."""
        return f"{self.made_at.removesuffix(_UTC)}{_AND}{self.id}"

    def is_about(self, version: str) -> bool:
        """Whether a model takes part in it."""
        return version == self.version or any(arm.partition("@")[2] == version for arm in self.arms)

    def covers(self, judgments: str, moment: str) -> bool:
        """Whether something that was kept at a moment under a judgment set's name was kept on its way."""
        return self.judgments in ("", judgments) and bool(self.began) and self.began <= moment <= self.made_at


def found_in(home: Home, collections: Iterable[Collection]) -> list[Found]:
    """Return what was found of collections, the newest first; of a job's result only the outline is read."""
    found = [one for collection in collections for one in _found(home, collection)]
    return sorted(found, key=lambda one: _order(one.place), reverse=True)


def older(found: Sequence[Found], after: str) -> Sequence[Found]:
    """Return those after a place, or after a finding by its id, which raises NotFound for none; all where it is ""."""
    if not after:
        return found
    place = after if _AND in after else next((one.place for one in found if one.id == after), None)
    if place is None:
        raise NotFound(f"There is no report {after[:80]!r} to go on after; leave `after` out to begin with the newest.")
    return [one for one in found if _order(one.place) < _order(place)]


def _order(place: str) -> tuple[str, int, str]:
    """Return what places are compared by: the moment, then the job's number."""
    moment, _, key = place.partition(_AND)
    by_job = _JOB.fullmatch(key)
    return moment, int(by_job[1]) if by_job else 0, key


def find(home: Home, collections: Iterable[Collection], key: str) -> Found:
    """Return a finding by its id, with all of its content; raises NotFound."""
    if (by_job := _JOB.fullmatch(key)) is not None:
        found = _by_job(home, collections, int(by_job[1]))
    else:
        found = next((one for one in found_in(home, collections) if one.id == key), None)
    if found is not None:
        return _with_measures(home, found)
    raise NotFound(f"There is no report {key[:80]!r}; it may have been dropped for newer ones, or forgotten.")


def _by_job(home: Home, collections: Iterable[Collection], number: int) -> Found | None:
    """Return what a job of one of the collections found; nothing else is looked at."""
    with suppress(NotFound):
        job = home.catalog.jobs.glance(number)
        collection = next((one for one in collections if one.name == job.work.collection), None)
        if collection is not None and job.work.kind in KINDS and _has_found(job, collection):
            return _of_job(home, job, home.catalog.jobs.get(number).result)
    return None


def _has_found(job: Job, collection: Collection) -> bool:
    """Return whether a job left a finding of this collection, and not of one of the same name before it."""
    return job.state is JobState.DONE and isinstance(job.outline, dict) and job.made_at >= collection.created_at


def _found(home: Home, collection: Collection) -> Iterator[Found]:
    whole = [*_of_jobs(home, collection), *_of_trainings(home, collection)]
    yield from whole
    for verdict in home.catalog.verdicts.all(collection):
        if not any(one.covers(verdict.judgments, verdict.made_at) and verdict.b in one.arms for one in whole):
            yield _of_verdict(collection, verdict)
    yield from _of_runs(home, collection, whole)


def _of_jobs(home: Home, collection: Collection) -> Iterator[Found]:
    for kind in KINDS:
        listed = Listed(collection.name, kind, [JobState.DONE], limit=MOST_JOBS)
        for job in home.catalog.jobs.list(listed):
            if _has_found(job, collection):
                yield _of_job(home, job, job.outline)


def _of_job(home: Home, job: Job, result: Mapping[str, Any]) -> Found:
    named = job.work.parameters.get("judgments")
    return _described(
        f"job-{job.id}",
        KINDS[job.work.kind],
        job.work.collection,
        result,
        judgments=str(result.get("judgments") or named or ""),
        job=job.id,
        page=report_of(home, result.get("report")),
        began=job.started_at,
        made_at=job.ended_at,
    )


def _of_trainings(home: Home, collection: Collection) -> Iterator[Found]:
    """Yield trainings that were not jobs themselves: those have their result. A night's are among them."""
    told = {str(job.id) for job in home.catalog.jobs.list(Listed(collection.name, "train", limit=MOST_JOBS))}
    for run in TrainingRun.all(home.settings, collection.name):
        beside = run.report.with_suffix(".json")
        if run.job in told or not run.is_done or not beside.is_file():
            continue
        content = json.loads(beside.read_text(encoding="utf-8"))
        ended = datetime.fromtimestamp(beside.stat().st_mtime, UTC)
        took_s = float(content.get("seconds", {}).get("total", 0.0)) + _MARGIN_S
        yield _described(
            f"training-{collection.name}-{run.number}",
            FoundBy.TRAINING,
            collection.name,
            content,
            judgments=content.get("judgments", ""),
            page=report_of(home, str(run.report)),
            began=(ended - timedelta(seconds=took_s)).isoformat(timespec="seconds"),
            made_at=ended.isoformat(timespec="seconds"),
        )


def _described(
    key: str, kind: FoundBy, collection: str, content: Mapping[str, Any], *, judgments: str, made_at: str, **more: Any
) -> Found:
    compared = content.get("comparison") or (content if "verdict" in content and "a" in content else {})
    pair = tuple(compared[side] for side in ("b", "a") if side in compared)
    arms = pair or tuple(content.get("arms") or {})
    return Found(
        id=key,
        kind=kind,
        collection=collection,
        judgments=judgments,
        headline=_headline(content, arms, judgments),
        made_at=made_at,
        content=content,
        verdict=str(content.get("verdict") or ""),
        arms=arms,
        version=str(content.get("version") or ""),
        **more,
    )


def _headline(content: Mapping[str, Any], arms: Sequence[str], judgments: str) -> str:
    if isinstance(summary := content.get("summary"), dict) and "headline" in summary:
        return str(summary["headline"])
    if "verdict" in content:
        return f"{arms[0]} against {arms[1]}"
    return f"{len(arms)} arms measured{f' by {judgments}' if judgments else ''}"


def _of_verdict(collection: Collection, verdict: KeptVerdict) -> Found:
    """Return a comparison of which only the verdict was kept."""
    content = {"a": verdict.a, "b": verdict.b, "verdict": verdict.verdict, **verdict.evidence}
    return Found(
        id=f"verdict-{_digest(collection.name, verdict.a, verdict.b, verdict.judgments)}",
        kind=FoundBy.COMPARISON,
        collection=collection.name,
        judgments=verdict.judgments,
        headline=f"{verdict.b} against {verdict.a}",
        made_at=verdict.made_at,
        content=content,
        verdict=verdict.verdict,
        arms=(verdict.b, verdict.a),
    )


def _of_runs(home: Home, collection: Collection, whole: Sequence[Found]) -> Iterator[Found]:
    """Yield the runs that were kept for a judgment set, where more than jobs and trainings made them."""
    sets: dict[str, dict[str, str]] = {}
    for judgments, arm, made_at in home.catalog.runs.kept(collection):
        sets.setdefault(judgments, {})[arm] = made_at
    for judgments, made in sets.items():
        if all(any(one.covers(judgments, moment) for one in whole) for moment in made.values()):
            continue
        yield Found(
            id=f"runs-{_digest(collection.name, judgments)}",
            kind=FoundBy.EVALUATION,
            collection=collection.name,
            judgments=judgments,
            headline=f"{len(made)} {'arm' if len(made) == 1 else 'arms'} ranked the queries of {judgments}",
            made_at=max(made.values()),
            content={"ranked_at": made},
            arms=tuple(made),
        )


def _with_measures(home: Home, found: Found) -> Found:
    """Measure runs that were kept by the judgments that there are now, over the queries that any of them answers."""
    ranked_at = found.content.get("ranked_at")
    if not ranked_at:
        return found
    from trainer.compare import HELD_OUT

    collection = home.catalog.collections.get(found.collection)
    judged = home.catalog.judgments.get(collection, found.judgments.removesuffix(HELD_OUT))
    runs = {}
    for arm in ranked_at:
        if (kept := home.catalog.runs.get(collection, found.judgments, arm)) is not None:
            runs[arm] = parse_run(kept.trec)
    asked = {query for run in runs.values() for query in run}
    qrels = {
        query.id: grades
        for query in judged
        if query.id in asked and (grades := {d: grade for d, grade in query.grades.items() if grade is not None})
    }
    if not qrels:
        return found
    arms = {arm: {**measured(qrels, run).means, "queries": len(qrels)} for arm, run in runs.items()}
    return replace(found, content={**found.content, "arms": arms})


def report_of(home: Home, told: object) -> Path | None:
    """Return the page that a training says it wrote, if it lies among the home's trainings and is still there."""
    if not isinstance(told, str) or not told:
        return None
    file = Path(told)
    inside = file.resolve().is_relative_to((home.settings.home / "training").resolve())
    return file if inside and file.is_file() else None


def _digest(*parts: str) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()
