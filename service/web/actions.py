"""What the page's forms do: ask for jobs, cancel and resume them, promote, roll back, sign in and out."""

from pathlib import Path
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from indexer.promotion import promote, rollback
from retrieval.catalog.keys import Scope
from retrieval.errors import NotFound, TandemError
from service.auth import COOKIE, Access, Caller, requires
from service.jobs.announcing import JobQueue
from service.jobs.kinds import work_of
from service.web.forms import own_form
from service.web.pages import Reader, catalog_of, job_page, jobs_page, models_page, serving_of
from service.web.rendering import HEADERS, page

router = APIRouter(include_in_schema=False)
Writer = Annotated[Caller, Depends(requires(Scope.WRITE))]
Admin = Annotated[Caller, Depends(requires(Scope.ADMIN))]
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""A report is a page of its own, with its style in it and no script."""


@router.post("/jobs")
async def submit(request: Request, caller: Admin) -> Response:
    """Ask for a job."""
    form = await own_form(request)
    kind, collection = form.get("kind", ""), form.get("collection", "default")
    told = {"promote": True} if kind == "train" and form.get("promote") else {}
    caller.check(collection)
    queue: JobQueue = request.app.state.queue
    try:
        job = await run_sync(lambda: queue.submit(work_of(kind, collection, told), made_by=caller.name))
    except TandemError as error:
        return jobs_page(request, caller, problem=str(error), status=409)
    return _to(f"/jobs/{job.id}")


@router.post("/jobs/{number}/{what}")
async def change(request: Request, caller: Admin, number: int, what: str) -> Response:
    """Cancel or resume a job."""
    await own_form(request)
    jobs, queue = catalog_of(request).jobs, request.app.state.queue
    found = jobs.get(number)
    caller.check(found.work.collection)
    try:
        if what == "cancel":
            jobs.cancel(number)
        elif what == "resume":
            queue.resume(number)
        else:
            raise NotFound(f"A job is cancelled or resumed, not {what[:20]!r}.")
    except TandemError as error:
        return job_page(request, found, problem=str(error), status=409)
    return _to(f"/jobs/{number}")


@router.get("/jobs/{number}/report")
def report(request: Request, caller: Reader, number: int) -> Response:
    """Show the report of a training."""
    found = catalog_of(request).jobs.get(number)
    caller.check(found.work.collection)
    home = serving_of(request).home.settings.home
    told = found.result.get("report") if isinstance(found.result, dict) else None
    file = Path(str(told or ""))
    if not told or not file.resolve().is_relative_to((home / "training").resolve()) or not file.is_file():
        raise NotFound(f"Job {number} has no report, or it was dropped for newer ones.")
    return HTMLResponse(file.read_text(encoding="utf-8"), headers={**HEADERS, "Content-Security-Policy": REPORT_POLICY})


@router.post("/models/promote")
async def promote_model(request: Request, caller: Admin) -> Response:
    """Promote a model on its verdict."""
    form = await own_form(request)
    version, collection = form.get("version", ""), form.get("collection", "default")
    caller.check(collection)
    home = serving_of(request).home
    try:
        done = await run_sync(lambda: promote(home, home.catalog.collections.get(collection), version))
    except TandemError as error:
        return models_page(request, caller, problem=str(error), status=409)
    return models_page(request, caller, done=f"{collection} is searched with {done.after} now.")


@router.post("/models/rollback")
async def roll_back(request: Request, caller: Admin) -> Response:
    """Go back to the model before the last promotion."""
    collection = (await own_form(request)).get("collection", "default")
    caller.check(collection)
    home = serving_of(request).home
    try:
        done = await run_sync(lambda: rollback(home, home.catalog.collections.get(collection)))
    except TandemError as error:
        return models_page(request, caller, problem=str(error), status=409)
    return models_page(request, caller, done=f"{collection} is searched with {done.promotion.after} again.")


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Keep a key in a cookie that scripts cannot read and other sites cannot send."""
    form = await own_form(request)
    access: Access = request.app.state.access
    sent, to = form.get("key", "").strip(), _own_path(form.get("to", "/"))
    try:
        await run_sync(access.caller, sent, request.client.host if request.client else "")
    except TandemError as error:
        return page(request, "login.html", status=401, to=to, problem=str(error))
    response = _to(to)
    is_https = request.url.scheme == "https"
    response.set_cookie(COOKIE, sent, httponly=True, samesite="strict", secure=is_https, max_age=30 * 86_400)
    return response


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """Forget the key."""
    await own_form(request)
    response = _to("/")
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _own_path(to: str) -> str:
    """Return a path of this service, whatever a link says."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303, headers=HEADERS)
