"""/: the search, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from retrieval.catalog.searches import Origin
from retrieval.errors import TandemError
from retrieval.query import MAX_K, MAX_QUERY_CHARS
from retrieval.query import Query as Asked
from retrieval.results import SearchResult
from retrieval.types import Metadata, Mode
from service.auth import Caller, Reader
from service.cursors import MAX_CURSOR_CHARS
from service.problems import status_of
from service.searching import Searching
from service.web.narrowing import Chosen, chips, groups, query_of
from service.web.pages import catalog_of, document_link, visible
from service.web.rendering import page

router = APIRouter(include_in_schema=False)
MAX_CHOICES = 20
Choice = Annotated[str, StringConstraints(max_length=500)]


class Form(NamedTuple):
    """What the search form holds."""

    q: str = ""
    collection: str = "default"
    mode: str = "hybrid"
    where: str = ""
    k: int = 10
    filter: tuple[str, ...] = ()
    between: tuple[str, ...] = ()
    cursor: str = ""
    """Only ever in a link to the next page, and in what such a link asks for."""

    def link(self, **changed: Any) -> str:
        """Return a link to the same search, with something changed."""
        given = query_of(self._replace(**changed)._asdict(), Form()._asdict())
        return f"/?{urlencode(given)}" if given else "/"

    @property
    def chosen(self) -> Chosen:
        """The filters."""
        return Chosen(self.where, self.filter, self.between)


@dataclass(frozen=True, slots=True)
class Shares:
    """What share of the best score of its kind a hit's score is: how long its bar is."""

    best: Mapping[str, float]

    @classmethod
    def of(cls, result: SearchResult) -> "Shares":
        """Find the best scores of a result."""
        best = {"all": max((hit.score for hit in result.hits), default=0.0)}
        for hit in result.hits:
            for leg, found in hit.legs.items():
                best[leg] = max(best.get(leg, 0.0), found.score)
        return cls(best)

    def __call__(self, kind: str, score: float) -> float:
        """Return the share, from 0 to 1."""
        best = self.best.get(kind, 0.0)
        return round(max(0.0, min(1.0, score / best)), 3) if best > 0 else 0.0


@router.get("/")
def search(
    request: Request,
    caller: Reader,
    q: Annotated[str, Query(max_length=MAX_QUERY_CHARS)] = "",
    collection: Annotated[str, Query(max_length=63)] = "",
    mode: Mode = Mode.HYBRID,
    where: Annotated[str, Query(max_length=2_000)] = "",
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 10,
    filter: Annotated[list[Choice], Query(max_length=MAX_CHOICES)] = [],  # noqa: A002, B006  # its name there; copied
    between: Annotated[list[Choice], Query(max_length=MAX_CHOICES)] = [],  # noqa: B006  # copied
    cursor: Annotated[str, Query(max_length=MAX_CURSOR_CHARS)] = "",
) -> Response:
    """Show the search, and what it finds."""
    names = visible(catalog_of(request), caller)
    chosen = collection or ("default" if "default" in names or not names else names[0])
    form = Form(q, chosen, mode.value, where, k, tuple(filter), tuple(between), cursor)
    result, problem, status = None, "", HTTPStatus.OK
    try:
        result = _result(request, caller, form) if names else None
    except TandemError as error:
        problem = caller.told(error)
        status = HTTPStatus.OK if _is_part(request) else status_of(request, error)  # half a filter is no error yet
    return _search_page(request, form, names, result, problem=problem, status=status)


def _result(request: Request, caller: Caller, form: Form) -> SearchResult | None:
    """Return what a form finds, None for one without a query; raises what a search raises."""
    caller.check(form.collection)
    if not form.q.strip():
        catalog_of(request).collections.get(form.collection)  # raises NotFound
        return None
    searching: Searching = request.app.state.searching
    query = Asked(form.q, form.k, Mode(form.mode), form.chosen.parsed(), True)
    origin = Origin.TYPING if _is_part(request) else Origin.PAGE
    return searching.search(form.collection, query, cursor=form.cursor, origin=origin)


def _is_part(request: Request) -> bool:
    """Return whether the page's script asks for the results alone."""
    return request.headers.get("x-part") == "results"


def _search_page(
    request: Request, form: Form, names: Sequence[str], result: SearchResult | None, *, problem: str, status: int
) -> Response:
    """Return the page of a search, or its results alone, with what went wrong."""
    link = form._replace(cursor="").link
    return page(
        request,
        "results.html" if _is_part(request) else "search.html",
        status=status,
        asked=form,
        collections=names,
        result=result.to_json() if result else None,
        problem=problem,
        link=link,
        found=len(result.found) if result else 0,
        is_later=bool(form.cursor),
        chips=chips(form.chosen, link) if not problem else [],
        narrowing=groups(_metadata(request, result), form.chosen, link) if result else [],
        document_link=partial(document_link, form.collection),
        share=Shares.of(result) if result else Shares({}),
    )


def _metadata(request: Request, result: SearchResult) -> list[Metadata]:
    """Return the metadata of all that was found."""
    return [document.metadata for document in catalog_of(request).documents.shown(result.found).values()]
