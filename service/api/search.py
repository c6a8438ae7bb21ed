"""GET and POST /v1/search"""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request

from retrieval import query as questions
from retrieval.filter_parsing import parse_filter, parse_where
from service.api.conditional import NOT_MODIFIED, SearchTag
from service.api.described import problems
from service.api.schemas import SearchBody, SearchLink, SearchRequest
from service.auth import Reader
from service.searching import Searching

router = APIRouter(prefix="/v1", tags=["search"])
PROBLEMS = problems(400, 404, 422, 503)


@router.get(
    "/search",
    response_model=SearchBody,
    response_model_exclude_unset=True,
    responses=PROBLEMS | NOT_MODIFIED,
    summary="Search by a link",
    dependencies=[SearchTag],
)
def search_by_link(request: Request, caller: Reader, asked: Annotated[SearchLink, Query()]) -> dict[str, object]:
    """Search a collection: keywords and meaning together, exact identifiers first. A link can be shared."""
    caller.check(asked.collection)
    where = parse_where(asked.where)
    return _answer(request, asked, questions.Query(asked.q, asked.k, asked.mode, where, asked.group, asked.model))


@router.post(
    "/search",
    response_model=SearchBody,
    response_model_exclude_unset=True,
    responses=PROBLEMS | problems(413),
    summary="Search",
)
def search(request: Request, caller: Reader, body: SearchRequest) -> dict[str, object]:
    """Search a collection, with any metadata filter."""
    caller.check(body.collection)
    where = parse_filter(body.where) if body.where is not None else None
    return _answer(request, body, questions.Query(body.query, body.k, body.mode, where, body.group, body.model))


def _answer(request: Request, asked: SearchLink | SearchRequest, query: questions.Query) -> dict[str, object]:
    searching: Searching = request.app.state.searching
    query = replace(query, explain=asked.explain)
    return searching.search(asked.collection, query, cursor=asked.cursor).to_json(texts=asked.texts)
