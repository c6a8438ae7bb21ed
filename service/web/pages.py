"""The pages: documents, jobs, models, signing in."""

from collections.abc import Sequence
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from indexer.documents import document_json
from indexer.model_uses import uses_of
from retrieval.catalog import Catalog
from retrieval.catalog.job import Job, JobState, Listed
from retrieval.catalog.keys import Scope
from service.api.collections import described
from service.api.file_schemas import FilesBody
from service.api.jobs import ReadJob
from service.auth import Caller, Reader
from service.found import KINDS as FOUND_BY
from service.jobs.outcomes import lines_of
from service.serving import Serving
from service.web.rendering import ASSETS, HEADERS, STATIC, asset, page

router = APIRouter(include_in_schema=False)
LISTED = 100
SHOWN_LINES = 2_000
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@router.get("/static/{digest}/{name}")
def static(digest: str, name: str) -> Response:
    """Return a file of the page."""
    if name not in ASSETS or asset(name) != f"/static/{digest}/{name}":
        return Response(status_code=404)
    return Response((STATIC / name).read_bytes(), media_type=ASSETS[name], headers=FOREVER)


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
    jobs = catalog_of(request).jobs
    lines = jobs.lines(found.id, limit=SHOWN_LINES)
    has_report = found.work.kind in FOUND_BY and found.state is JobState.DONE and isinstance(found.outline, dict)
    return page(
        request,
        "job.html",
        status=status,
        job=found,
        lines=lines,
        came_of=lines_of(found.work.kind, jobs.get(found.id).result) if found.state.is_over else [],
        report=f"/reports/job-{found.id}" if has_report else "",
        problem=problem,
    )


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
