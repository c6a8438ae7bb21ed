"""The pages: search, documents, jobs, models, signing in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints
from starlette.responses import RedirectResponse, Response

from indexer.documents import document_json
from indexer.model_uses import uses_of
from retrieval.catalog import Catalog
from retrieval.catalog.job import Job, JobState, Listed
from retrieval.catalog.keys import Scope
from retrieval.catalog.searches import Origin
from retrieval.errors import TandemError
from retrieval.query import MAX_K, MAX_QUERY_CHARS
from retrieval.query import Query as Asked
from retrieval.results import SearchResult
from retrieval.types import Metadata, Mode
from service.api.collections import described
from service.api.file_schemas import FilesBody
from service.api.jobs import ReadJob
from service.auth import Caller, Reader
from service.cursors import MAX_CURSOR_CHARS
from service.found import KINDS as FOUND_BY
from service.searching import Searching
from service.serving import Serving
from service.web.narrowing import Chosen, chips, groups, query_of
from service.web.rendering import ASSETS, HEADERS, STATIC, asset, page

router = APIRouter(include_in_schema=False)
LISTED = 100
MAX_CHOICES = 20
Choice = Annotated[str, StringConstraints(max_length=500)]
SHOWN_LINES = 2_000
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


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
    """Only ever in a link to the next page."""

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


@router.get("/static/{digest}/{name}")
def static(digest: str, name: str) -> Response:
    """Return a file of the page."""
    if name not in ASSETS or asset(name) != f"/static/{digest}/{name}":
        return Response(status_code=404)
    return Response((STATIC / name).read_bytes(), media_type=ASSETS[name], headers=FOREVER)


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
    form = Form(q, chosen, mode.value, where, k, tuple(filter), tuple(between))
    is_part = request.headers.get("x-part") == "results"
    result, problem = None, ""
    if q.strip() and names:
        try:
            caller.check(chosen)
            searching: Searching = request.app.state.searching
            query, origin = Asked(q, k, mode, form.chosen.parsed(), True), Origin.TYPING if is_part else Origin.PAGE
            result = searching.search(chosen, query, cursor=cursor, origin=origin)
        except TandemError as error:
            problem = caller.told(error)
    return page(
        request,
        "results.html" if is_part else "search.html",
        asked=form,
        collections=names,
        result=result.to_json() if result else None,
        problem=problem,
        link=form.link,
        found=len(result.found) if result else 0,
        is_later=bool(cursor),
        chips=chips(form.chosen, form.link) if not problem else [],
        narrowing=groups(_metadata(request, result), form.chosen, form.link) if result else [],
        document_link=partial(document_link, chosen),
        share=Shares.of(result) if result else Shares({}),
    )


def _metadata(request: Request, result: SearchResult) -> list[Metadata]:
    """Return the metadata of all that was found."""
    return [document.metadata for document in catalog_of(request).documents.shown(result.found).values()]


def document_link(collection: str, document: str) -> str:
    """Return where a document is shown as it was understood."""
    return f"/document?{urlencode({'collection': collection, 'id': document})}"


@router.get("/documents")
def documents(request: Request, caller: Reader, collection: str = "", after: str = "") -> Response:
    """Show the collections, and the documents of one."""
    return documents_page(request, caller, collection, after=after)


def documents_page(
    request: Request,
    caller: Caller,
    collection: str,
    *,
    after: str = "",
    uploaded: FilesBody | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    """Return the page of documents, with what became of files that were sent."""
    catalog = catalog_of(request)
    names = visible(catalog, caller)
    chosen = chosen_of(names, caller, collection)
    shown = catalog.documents.listed(catalog.collections.get(chosen), after=after, limit=LISTED) if names else []
    return page(
        request,
        "documents.html",
        status=status,
        collections=[described(catalog, catalog.collections.get(name)) for name in names],
        collection=chosen,
        documents=shown,
        after=after,
        more=shown[-1].id if len(shown) == LISTED else "",
        may_write=caller.may(Scope.WRITE),
        uploaded=uploaded,
        problem=problem,
    )


@router.get("/document")
def document(request: Request, caller: Reader, id: str, collection: str = "default") -> Response:  # noqa: A002  # its name there
    """Show a document as it was understood."""
    caller.check(collection)
    catalog = catalog_of(request)
    found = catalog.documents.get(catalog.collections.get(collection), id)
    return page(request, "document.html", document=document_json(found))


@router.get("/jobs")
def jobs(request: Request, caller: Reader) -> Response:
    """Show the jobs."""
    return jobs_page(request, caller)


def jobs_page(request: Request, caller: Caller, *, problem: str = "", status: int = 200) -> Response:
    """Return the page of jobs, with what went wrong."""
    catalog = catalog_of(request)
    return page(
        request,
        "jobs.html",
        status=status,
        jobs=catalog.jobs.list(Listed(collection=caller.only, limit=LISTED)),
        schedules=catalog.schedules.list(caller.only) if caller.may(Scope.ADMIN) else [],
        collections=visible(catalog, caller),
        problem=problem,
        reported=tuple(FOUND_BY),
    )


@router.get("/jobs/{job}")
def show_job(request: Request, job: ReadJob) -> Response:
    """Show a job."""
    return job_page(request, job)


def job_page(request: Request, found: Job, *, problem: str = "", status: int = 200) -> Response:
    """Return the page of a job, with what went wrong."""
    lines = catalog_of(request).jobs.lines(found.id, limit=SHOWN_LINES)
    has_report = found.work.kind in FOUND_BY and found.state is JobState.DONE and isinstance(found.result, dict)
    return page(
        request,
        "job.html",
        status=status,
        job=found,
        lines=lines,
        result=_plain(found.result),
        report=f"/reports/job-{found.id}" if has_report else "",
        problem=problem,
    )


def _plain(result: Any) -> list[tuple[str, Any]]:
    """Return what of a result is said in a line."""
    if not isinstance(result, dict):
        return []
    summary = result.get("summary")
    headline = [("in short", summary["headline"])] if isinstance(summary, dict) and "headline" in summary else []
    return headline + [
        (name, value)
        for name, value in result.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool) and name != "report"
    ]


@router.get("/models")
def models(request: Request, caller: Reader) -> Response:
    """Show the models."""
    caller.sees_all()
    return models_page(request, caller)


def models_page(request: Request, caller: Caller, *, problem: str = "", done: str = "", status: int = 200) -> Response:
    """Return the page of models, with what was done or went wrong."""
    home = serving_of(request).home
    infos = home.models.list_models()
    uses = uses_of(home.catalog, [info.version for info in infos])
    return page(
        request,
        "models.html",
        status=status,
        models=[{"version": info.version, "info": info, "use": uses[info.version]} for info in infos],
        collections=visible(home.catalog, caller),
        problem=problem,
        done=done,
    )


@router.get("/login")
def login(request: Request, to: str = "/") -> Response:
    """Show where to sign in."""
    return page(request, "login.html", to=to, problem="")


@router.get("/favicon.ico")
def favicon() -> Response:
    """Lead browsers that ask for it to the icon."""
    return RedirectResponse(asset("icon.svg"), headers=HEADERS)


def visible(catalog: Catalog, caller: Caller) -> list[str]:
    """Return the names of the collections that the caller may search."""
    return [one.name for one in caller.visible(catalog.collections.list())]


def chosen_of(names: Sequence[str], caller: Caller, wanted: str) -> str:
    """Return the name that is wanted, for "" one of those that the caller may search; raises Forbidden."""
    chosen = wanted or caller.only or ("default" if "default" in names or not names else names[0])
    caller.check(chosen)
    return chosen


def may_write(caller: Caller) -> bool:
    """Return whether the caller may change documents and judgments."""
    return caller.key is None or caller.key.allows(Scope.WRITE)


def serving_of(request: Request) -> Serving:
    """Return what the service has open."""
    serving: Serving = request.app.state.serving
    return serving


def catalog_of(request: Request) -> Catalog:
    """Return the catalog."""
    return serving_of(request).home.catalog
