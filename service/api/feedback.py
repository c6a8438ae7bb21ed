"""POST /v1/feedback: what readers made of an answer"""

from functools import partial
from http import HTTPStatus

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import Response

from retrieval.catalog.searches import FeedbackKind, LoggedSearch, Said
from retrieval.errors import NotFound
from service.api.described import problems
from service.api.reading_schemas import FeedbackBody, FeedbackRequest
from service.api.schemas import ProblemBody
from service.auth import Caller, Reader
from service.problems import problem
from service.search_log import MAX_SHOWN
from service.searching import Searching

router = APIRouter(prefix="/v1", tags=["search"])
TELLERS = 2
"""Feedback that is written at once: where the catalog makes writers wait, it must not take the threads of searches."""
PROBLEMS = problems(413, 422, 503) | {
    404: {"model": ProblemBody, "description": "No search is known by this id, or none any more."}
}


@router.post("/feedback", response_model=FeedbackBody, responses=PROBLEMS, summary="Tell what a reader chose")
async def give_feedback(request: Request, caller: Reader, body: FeedbackRequest) -> FeedbackBody | Response:
    """Keep a click, or a thumb up or down, on an answer or a document that it showed; said twice, it counts once."""
    return await run_sync(partial(_said, request, caller, body), limiter=request.app.state.tellers)


def _said(request: Request, caller: Caller, body: FeedbackRequest) -> FeedbackBody | Response:
    searching: Searching = request.app.state.searching
    asked = _logged(searching, caller, body.query_id)
    refusal = _refusal(body, asked)
    if refusal:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, refusal)
    rank = body.rank or asked.rank_of(body.document)
    said = Said(asked.id, body.kind, body.document, rank)
    return FeedbackBody(recorded=request.app.state.serving.home.catalog.searches.say(said))


def _logged(searching: Searching, caller: Caller, query_id: str) -> LoggedSearch:
    """Return the search; one of a collection that the key is not for is as unknown as one that never was."""
    found = searching.logged(query_id)
    if found is None or caller.only not in (None, found.collection):
        raise NotFound(f"No search {query_id!r} is known: it was not logged, or is forgotten by now.")
    return found


def _refusal(body: FeedbackRequest, asked: LoggedSearch) -> str:
    if body.document and asked.rank_of(body.document) is None:
        return (
            f"document: the answer did not show {body.document[:200]!r} among its first {MAX_SHOWN}; send the id of "
            "one that it did."
        )
    if body.kind is FeedbackKind.CLICK and not body.document:
        return "document: a click is on a document; send its id."
    return ""
