"""POST /v1/context: passages for a language model to answer from"""

from fastapi import APIRouter, Request

from retrieval.context import Budget, Source
from retrieval.filter_parsing import parse_filter
from retrieval.query import Query
from service.api.described import problems
from service.api.reading_schemas import ContextBody, ContextDocument, ContextRequest, SourceBody
from service.auth import Reader
from service.contexts import context_of
from service.searching import Searching

router = APIRouter(prefix="/v1", tags=["search"])
PROBLEMS = problems(400, 404, 413, 422, 503)


@router.post("/context", response_model=ContextBody, responses=PROBLEMS, summary="Passages to answer from")
def context(request: Request, caller: Reader, body: ContextRequest) -> ContextBody:
    """Search, and pack the best passages with those around them into so many tokens, each under a marker to cite."""
    caller.check(body.collection)
    where = parse_filter(body.where) if body.where is not None else None
    searching: Searching = request.app.state.searching
    result = searching.search(body.collection, Query(body.query, body.k, body.mode, where, True, body.model))
    home = request.app.state.serving.home
    collection = home.catalog.collections.get(body.collection)
    found = context_of(home, collection, result, Budget(body.tokens, body.neighbours))
    return ContextBody(
        query_id=result.query_id,
        query=result.query,
        text=found.text,
        tokens=found.tokens,
        sources=[_body(source) for source in found.sources],
        arm=result.arm,
        notes=list(result.notes),
    )


def _body(source: Source) -> SourceBody:
    return SourceBody(
        number=source.number,
        rank=source.rank,
        score=source.score,
        document=ContextDocument(id=source.document_id, title=source.title, url=source.url),
        headings=list(source.headings),
        chunk_ids=list(source.chunk_ids),
        text=source.text,
        is_cut=source.is_cut,
    )
