"""/reports: what trainings, comparisons and evaluations found, and a page for each"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from retrieval.errors import NotFound
from service.auth import Caller, Reader
from service.found import Found, FoundBy, find, found_in, older
from service.web.pages import serving_of
from service.web.rendering import HEADERS, page
from service.web.report_views import NAMES, TONES, answers, changed, compared, facts, grids, prose

router = APIRouter(include_in_schema=False)
LISTED = 50
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""A report that a training wrote is a page of its own, with its style in it and no script."""


@router.get("/reports")
def reports(
    request: Request,
    caller: Reader,
    collection: Annotated[str, Query(max_length=63)] = "",
    kind: FoundBy | None = None,
    model: Annotated[str, Query(max_length=160)] = "",
    after: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """List what was found, the newest first."""
    home = serving_of(request).home
    seen = caller.visible(home.catalog.collections.list())
    if collection:
        caller.check(collection)
    found = found_in(home, [one for one in seen if collection in ("", one.name)])
    found = [one for one in found if kind in (None, one.kind) and (not model or one.is_about(model))]
    left = older(found, after)
    asked = {"collection": collection, "kind": kind.value if kind else "", "model": model}

    def link(**more: str) -> str:
        given = {name: value for name, value in {**asked, **more}.items() if value}
        return f"/reports?{urlencode(given)}" if given else "/reports"

    return page(
        request,
        "reports.html",
        found=left[:LISTED],
        more=left[LISTED - 1].place if len(left) > LISTED else "",
        collections=[one.name for one in seen],
        asked=asked,
        link=link,
        kinds=[(one.value, NAMES[one]) for one in FoundBy],
        names=NAMES,
        tones=TONES,
    )


@router.get("/reports/{finding}")
def report(request: Request, caller: Reader, finding: str) -> Response:
    """Show what was found by one training, comparison or evaluation."""
    found = _found(request, caller, finding)
    return page(
        request,
        "report.html",
        found=found,
        kind=NAMES[found.kind],
        tone=TONES.get(found.verdict, ""),
        compared=compared(found),
        facts=list(facts(found)),
        answers=list(answers(found)),
        grids=list(grids(found)),
        changed=changed(found),
        prose=prose,
    )


@router.get("/reports/{finding}/whole")
def whole(request: Request, caller: Reader, finding: str) -> Response:
    """Show the page that a training wrote: it has its style in itself, and may do nothing."""
    found = _found(request, caller, finding)
    if found.page is None:
        raise NotFound(f"Of {finding[:80]} no page was written, or it was dropped for newer ones.")
    return sandboxed(found.page.read_text(encoding="utf-8"))


def sandboxed(text: str) -> Response:
    """Return a report that a training wrote."""
    return HTMLResponse(text, headers={**HEADERS, "Content-Security-Policy": REPORT_POLICY})


def _found(request: Request, caller: Caller, finding: str) -> Found:
    home = serving_of(request).home
    return find(home, caller.visible(home.catalog.collections.list()), finding)
