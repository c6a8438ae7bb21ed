"""/v1/evaluations: what was measured, compared and trained so far, and asking for more"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from retrieval.types import JsonValue
from service.api.described import problems
from service.api.evaluation_schemas import (
    EvaluationBody,
    EvaluationRequest,
    EvaluationsBody,
    EvaluationsLink,
    WholeEvaluation,
)
from service.api.job_schemas import JobBody
from service.auth import Reader, Writer
from service.found import Found, find, found_in, older
from service.jobs.announcing import JobQueue
from service.jobs.kinds import work_of
from service.serving import Serving

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"])
FindingId = Annotated[
    str, Path(max_length=200, description="The finding's id, as a list gives it.", examples=["job-1"])
]


@router.post(
    "",
    status_code=202,
    response_model=JobBody,
    responses=problems(400, 404, 409, 413, 422),
    summary="Measure or compare arms",
)
def submit(request: Request, caller: Writer, body: EvaluationRequest) -> dict[str, JsonValue]:
    """Queue a job that measures arms by judged queries, or says whether one is better than another.

    Follow it at `/v1/jobs`; what it finds is listed here once it is done.
    """
    caller.check(body.collection)
    queue: JobQueue = request.app.state.queue
    return queue.submit(work_of(body.kind, body.collection, body.parameters()), made_by=caller.name).to_json()


@router.get("", response_model=EvaluationsBody, responses=problems(404, 422), summary="List what was found")
def list_found(request: Request, caller: Reader, asked: Annotated[EvaluationsLink, Query()]) -> EvaluationsBody:
    """List trainings, comparisons and evaluations that are done, by jobs and by commands, the newest first."""
    if asked.collection:
        caller.check(asked.collection)
    home = _serving(request).home
    wanted = [one for one in caller.visible(home.catalog.collections.list()) if asked.collection in (None, one.name)]
    found = [one for one in found_in(home, wanted) if asked.kind in (None, one.kind)]
    found = [one for one in found if not asked.model or one.is_about(asked.model)]
    left = older(found, asked.after)
    page = left[: asked.limit]
    return EvaluationsBody(
        evaluations=[_body(one) for one in page], next=page[-1].place if len(left) > asked.limit else None
    )


@router.get("/{finding}", response_model=WholeEvaluation, responses=problems(404, 422), summary="Show what was found")
def show(request: Request, caller: Reader, finding: FindingId) -> WholeEvaluation:
    """Show one of them whole. Runs that a command kept are measured by the judgments that there are now."""
    home = _serving(request).home
    found = find(home, caller.visible(home.catalog.collections.list()), finding)
    return WholeEvaluation(**_body(found).model_dump(), content=dict(found.content))


def _body(found: Found) -> EvaluationBody:
    return EvaluationBody(
        id=found.id,
        kind=found.kind,
        collection=found.collection,
        judgments=found.judgments,
        headline=found.headline,
        verdict=found.verdict or None,
        arms=list(found.arms),
        version=found.version or None,
        made_at=found.made_at,
        job=found.job,
        page=f"/reports/{found.id}",
    )


def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving
