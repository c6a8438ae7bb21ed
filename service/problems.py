"""Errors over HTTP: one place that turns a TandemError into an RFC 9457 problem document."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from indexer.permission import PromotionRefused
from retrieval.catalog.collections import CollectionExists
from retrieval.catalog.idempotency import KeyInUse, KeyReused
from retrieval.catalog.job import SameJob
from retrieval.catalog.schedules import SameSchedule
from retrieval.catalog.unchanged import DocumentChanged
from retrieval.errors import CatalogError, IndexBusy, ModelError, NotFound, TandemError, UsageError
from retrieval.types import JsonValue
from service.auth import Caller
from service.errors import Forbidden, TooManyRequests, Unauthorized
from service.logs import REQUEST
from service.web.rendering import HEADERS, login_link, page, wants_page

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_DETAIL = 2_000
MAX_SHOWN = 100
"""Of a value that is at fault, characters."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
STATUSES: tuple[tuple[type[TandemError], HTTPStatus], ...] = (
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (KeyInUse, HTTPStatus.CONFLICT),
    (CollectionExists, HTTPStatus.CONFLICT),
    (SameJob, HTTPStatus.CONFLICT),
    (SameSchedule, HTTPStatus.CONFLICT),
    (PromotionRefused, HTTPStatus.CONFLICT),
    (DocumentChanged, HTTPStatus.PRECONDITION_FAILED),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (IndexBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (ModelError, HTTPStatus.SERVICE_UNAVAILABLE),
    (CatalogError, HTTPStatus.SERVICE_UNAVAILABLE),
)
UNREADABLE = "There was an error parsing the body"
"""What FastAPI says of any body that it cannot read."""
SILENT = "Something failed that should not have; the service's log says what."


def problem(status: HTTPStatus, detail: str, more: Mapping[str, JsonValue] | None = None) -> JSONResponse:
    """Return a problem document; `more` are extension members."""
    shown = detail.encode("utf-8", "replace").decode()[:MAX_DETAIL]
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": shown, **(more or {})}
    return JSONResponse(body, status.value, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    app.add_exception_handler(TandemError, _tandem_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def problem_of(error: TandemError) -> JSONResponse:
    """Return the problem document of an error."""
    response = problem(_status_of(error), str(error))
    response.headers.update(getattr(error, "headers", {}))
    return response


def status_of(request: Request, error: TandemError) -> HTTPStatus:
    """Return the status of an error; one that is not the fault of whoever asks is told to the log."""
    status = _status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s failed: %s", _asked(request), error)
    return status


def _status_of(error: TandemError) -> HTTPStatus:
    return next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


async def _tandem_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TandemError)  # noqa: S101  # what the handler is registered for
    caller: Caller | None = getattr(request.state, "caller", None)  # None: nobody knows who asks
    response = _answer(request, status_of(request, error), caller.told(error) if caller else str(error))
    response.headers.update(getattr(error, "headers", {}))
    return response


def _answer(request: Request, status: HTTPStatus, detail: str) -> Response:
    """Return a problem document, or a page where a person looks at it; who has no key is led to where to sign in."""
    if not wants_page(request):
        return problem(status, detail)
    if status is HTTPStatus.UNAUTHORIZED:
        return RedirectResponse(login_link(request), HTTPStatus.SEE_OTHER, headers=HEADERS)
    return page(request, "error.html", status=status, title=status.phrase, problem=detail)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # what the handler is registered for
    return _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, faults(error.errors(), request.url.path))


def faults(found: Sequence[Mapping[str, Any]], place: str) -> str:
    """Return what a schema found wrong as one line; `place` is named where the whole value is at fault."""
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or place}: {_fault(fault)}" for fault in found)


def _fault(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "json_invalid":
        return f"this is not JSON, from character {fault['loc'][-1]} on ({fault['ctx']['error']})"
    if fault["type"] == "model_attributes_type":
        return "send a JSON object, with the header Content-Type: application/json"
    if fault["type"] == "too_long" and isinstance(fault.get("input"), str):  # which the library calls items
        return f"it has {fault['ctx']['actual_length']} characters; at most {fault['ctx']['max_length']} are allowed"
    said = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return "no such field is known here; leave it out, or see /docs for those there are"
    if fault["type"] == "missing":
        return "this is needed and was not given"
    if fault["type"] == "value_error":  # our own words, which name the value
        return said
    return f"{said[:1].lower()}{said[1:]}, and it is {_shown(fault.get('input'))}"


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # what the handler is registered for
    response = _answer(request, HTTPStatus(error.status_code), _explained(request, error))
    response.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    """Return the methods that a path has, whichever routes they are of; the framework names those of one route."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    routes = request.app.routes
    found = [method for method in METHODS if any(route.matches(scopes[method])[0] is Match.FULL for route in routes)]
    return ["GET", "HEAD", *found[1:]] if "GET" in found else found


def _explained(request: Request, error: HTTPException) -> str:
    asked = f"{request.method} {request.url.path[:200]}"
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"There is no {asked}; /docs describes what there is."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{asked} is not possible; /docs describes what is."
    if error.detail == UNREADABLE:
        return "The body is not JSON in UTF-8, or nests too deep, or holds a number of thousands of digits."
    return str(error.detail)


async def _unexpected(request: Request, _: Exception) -> Response:
    logger.error("%s failed; what follows says how.", _asked(request))  # the server logs the error
    response = _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, SILENT)
    response.headers["x-request-id"] = REQUEST.get()  # this is answered outside of what gives the others theirs
    return response


def _asked(request: Request) -> str:
    """Return what was asked for, without what its sender made up."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', 'of an unknown path')}"
