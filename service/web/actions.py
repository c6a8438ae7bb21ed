"""What the page's forms do: ask for jobs, cancel and resume them, schedules, promote, roll back, sign in and out."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from indexer.promotion import promote, rollback
from retrieval.errors import NotFound, TandemError
from service.api.jobs import ReadJob
from service.api.schedules import OwnSchedule
from service.auth import COOKIE, Access, Admin
from service.found import report_of
from service.jobs.announcing import JobQueue
from service.jobs.kinds import work_of
from service.jobs.scheduling import switch_schedule
from service.web.forms import Form
from service.web.pages import catalog_of, job_page, jobs_page, models_page, serving_of
from service.web.rendering import HEADERS, page
from service.web.reports import sandboxed

router = APIRouter(include_in_schema=False)
PROMOTING = ("train", "nightly")
"""Kinds of jobs that promote a model where they are told to."""


@router.post("/jobs")
def submit(request: Request, caller: Admin, form: Form) -> Response:
    """Ask for a job."""
    kind, collection = form.get("kind", ""), form.get("collection", "default")
    told = {"promote": bool(form.get("promote"))} if kind in PROMOTING else {}
    caller.check(collection)
    queue: JobQueue = request.app.state.queue
    try:
        job = queue.submit(work_of(kind, collection, told), made_by=caller.name)
    except TandemError as error:
        return jobs_page(request, caller, problem=caller.told(error), status=409)
    return _to(f"/jobs/{job.id}")


@router.post("/jobs/{job}/{what}")
def change(request: Request, caller: Admin, _form: Form, job: ReadJob, what: str) -> Response:
    """Cancel or resume a job."""
    jobs, queue = catalog_of(request).jobs, request.app.state.queue
    try:
        if what == "cancel":
            jobs.cancel(job.id)
        elif what == "resume":
            queue.resume(job.id)
        else:
            raise NotFound(f"A job is cancelled or resumed, not {what[:20]!r}.")
    except TandemError as error:
        return job_page(request, job, problem=caller.told(error), status=409)
    return _to(f"/jobs/{job.id}")


@router.post("/schedules/{schedule}/{what}")
def change_schedule(request: Request, caller: Admin, _form: Form, schedule: OwnSchedule, what: str) -> Response:
    """Let a schedule rest or go on, or remove it."""
    home = serving_of(request).home
    try:
        if what == "remove":
            home.catalog.schedules.remove(schedule.id)
        elif what in ("enable", "disable"):
            switch_schedule(home, schedule.id, is_enabled=what == "enable")
        else:
            raise NotFound(f"A schedule is enabled, disabled or removed, not {what[:20]!r}.")
    except TandemError as error:
        return jobs_page(request, caller, problem=caller.told(error), status=409)
    return _to("/jobs")


@router.get("/jobs/{job}/report")
def report(request: Request, job: ReadJob) -> Response:
    """Show the report of a training."""
    told = job.outline.get("report") if isinstance(job.outline, dict) else None
    file = report_of(serving_of(request).home, told)
    if file is None:
        raise NotFound(f"Job {job.id} has no report, or it was dropped for newer ones.")
    return sandboxed(file.read_text(encoding="utf-8"))


@router.post("/models/promote")
def promote_model(request: Request, caller: Admin, form: Form) -> Response:
    """Promote a model on its verdict."""
    caller.sees_all()  # as the page does that this answers with
    version, collection = form.get("version", ""), form.get("collection", "default")
    serving = serving_of(request)
    try:
        done = promote(serving.home, serving.home.catalog.collections.get(collection), version, tell=serving.go_on)
    except TandemError as error:
        return models_page(request, caller, problem=error.in_full, status=409)
    return models_page(request, caller, done=f"{collection} is searched with {done.after} now.")


@router.post("/models/rollback")
def roll_back(request: Request, caller: Admin, form: Form) -> Response:
    """Go back to the model before the last promotion."""
    caller.sees_all()
    collection = form.get("collection", "default")
    serving = serving_of(request)
    try:
        done = rollback(serving.home, serving.home.catalog.collections.get(collection), serving.go_on)
    except TandemError as error:
        return models_page(request, caller, problem=error.in_full, status=409)
    return models_page(request, caller, done=f"{collection} is searched with {done.promotion.after} again.")


@router.post("/login")
def sign_in(request: Request, form: Form) -> Response:
    """Keep a key in a cookie that scripts cannot read and other sites cannot send."""
    access: Access = request.app.state.access
    sent, to = form.get("key", "").strip(), _own_path(form.get("to", "/"))
    try:
        access.caller(sent, request.client.host if request.client else "")
    except TandemError as error:
        return page(request, "login.html", status=401, to=to, problem=str(error))
    response = _to(to)
    if not access.is_required:  # then nothing was checked, and what was typed is no key
        return response
    is_https = request.url.scheme == "https"
    response.set_cookie(COOKIE, sent, httponly=True, samesite="strict", secure=is_https, max_age=30 * 86_400)
    return response


@router.post("/logout")
def sign_out(_form: Form) -> Response:
    """Forget the key."""
    response = _to("/")
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _own_path(to: str) -> str:
    """Return a path of this service, whatever a link says."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303, headers=HEADERS)
