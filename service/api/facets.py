"""GET and POST /v1/facets: how often metadata has which values"""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from retrieval import query as questions
from retrieval.faceting import MAX_COUNTED, Facet, counted, facet_of
from retrieval.filter_parsing import parse_filter, parse_where
from retrieval.filters import Filter
from service.api.described import problems
from service.api.reading_schemas import FacetBody, FacetsBody, FacetsLink, FacetsRequest
from service.auth import Reader
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["search"])
PROBLEMS = problems(400, 404, 422, 503)


@router.get("/facets", response_model=FacetsBody, responses=PROBLEMS, summary="Count metadata by a link")
def facets_by_link(request: Request, caller: Reader, asked: Annotated[FacetsLink, Query()]) -> FacetsBody:
    """Count the values of metadata over what a query finds, or over a whole collection."""
    body = FacetsRequest(fields=asked.field, query=asked.q, **asked.model_dump(exclude={"field", "q", "where"}))
    caller.check(body.collection)
    return _counted(request.app.state.serving, body, parse_where(asked.where))


@router.post("/facets", response_model=FacetsBody, responses=PROBLEMS | problems(413), summary="Count metadata")
def facets(request: Request, caller: Reader, body: FacetsRequest) -> FacetsBody:
    """Count the values of metadata, with any metadata filter."""
    caller.check(body.collection)
    where = parse_filter(body.where) if body.where is not None else None
    return _counted(request.app.state.serving, body, where)


def _counted(serving: Serving, asked: FacetsRequest, where: Filter | None) -> FacetsBody:
    if asked.query.strip():
        return _over_found(serving, asked, where)
    catalog = serving.home.catalog
    counts = {field: serving.facet(asked.collection, field, where, MAX_COUNTED) for field in asked.fields}
    return FacetsBody(
        over="collection",
        documents=catalog.documents.count(catalog.collections.get(asked.collection)) if where is None else None,
        facets=[_body(facet_of(field, found, limit=asked.limit)) for field, found in counts.items()],
    )


def _over_found(serving: Serving, asked: FacetsRequest, where: Filter | None) -> FacetsBody:
    query = questions.Query(asked.query, 1, asked.mode, where, True, asked.model)
    found = serving.search(asked.collection, query).found
    documents = [one.metadata for one in serving.home.catalog.documents.shown(found).values()]
    counts = {field: counted(documents, field) for field in asked.fields}
    return FacetsBody(
        over="found",
        documents=len(documents),
        facets=[_body(facet_of(field, found, limit=asked.limit)) for field, found in counts.items()],
    )


def _body(facet: Facet) -> FacetBody:
    return FacetBody.model_validate(facet, from_attributes=True)
