"""Files that are sent from the page: chosen or dropped there."""

from functools import partial

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from retrieval.errors import TandemError
from service.api.file_schemas import FilesBody
from service.api.files import Files, keep_files
from service.auth import Caller, Writer
from service.web.forms import OwnSite
from service.web.pages import documents_page
from service.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.post("/documents", dependencies=[OwnSite])
async def upload(request: Request, caller: Writer, form: Files) -> Response:
    """Keep files, and show what became of them: on the page, or for its script by itself."""
    show = partial(_shown, request, caller, form.collection)
    try:
        done = await keep_files(request, caller, form)
    except TandemError as error:
        return await run_in_threadpool(show, problem=caller.told(error), status=409)
    return await run_in_threadpool(show, uploaded=done, status=200 if done.files else 422)


def _shown(
    request: Request,
    caller: Caller,
    collection: str,
    *,
    uploaded: FilesBody | None = None,
    problem: str = "",
    status: int,
) -> Response:
    if request.headers.get("x-part") == "uploaded":
        told = {"collection": collection, "uploaded": uploaded, "problem": problem}
        return page(request, "uploaded.html", status=status, **told)
    return documents_page(request, caller, collection, uploaded=uploaded, problem=problem, status=status)
