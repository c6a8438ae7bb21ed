"""GET and POST /v1/search"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from retrieval import query as questions
from retrieval.filter_parsing import parse_filter, parse_where
from retrieval.types import Mode
from service.api.schemas import ProblemBody, SearchBody, SearchRequest
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["search"])
PROBLEMS: dict[int | str, dict[str, Any]] = {code: {"model": ProblemBody} for code in (400, 404, 422, 503)}


@router.get("/search", response_model=SearchBody, responses=PROBLEMS)
def search_by_link(
    request: Request,
    q: Annotated[str, Query(min_length=1, max_length=questions.MAX_QUERY_CHARS, examples=["asyncio.to_thread"])],
    k: Annotated[int, Query(ge=1, le=questions.MAX_K)] = 10,
    mode: Mode = Mode.HYBRID,
    collection: str = "default",
    where: Annotated[list[str] | None, Query(description="k=v, k!=v, k>=v, ...; all must hold.")] = None,
    group: bool = True,
) -> dict[str, object]:
    """Search by a link that can be shared."""
    asked = questions.Query(q, k, mode, parse_where(where or []), group)
    return _answer(request, collection, asked)


@router.post("/search", response_model=SearchBody, responses=PROBLEMS)
def search(request: Request, body: SearchRequest) -> dict[str, object]:
    """Search with a metadata filter."""
    where = parse_filter(body.where) if body.where is not None else None
    return _answer(request, body.collection, questions.Query(body.query, body.k, body.mode, where, body.group))


def _answer(request: Request, collection: str, query: questions.Query) -> dict[str, object]:
    serving: Serving = request.app.state.serving
    return serving.of(collection).searcher.search(query).to_json()
