"""Watches over requests: an id for each, its measures, and a line about it in the log."""

import logging
import re
import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.logs import REQUEST
from service.monitoring import Metrics

access_log = logging.getLogger("tandem.access")

REQUEST_ID = "x-request-id"
_HEADER = REQUEST_ID.encode()
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""Stands for every path and method that is none of ours: what strangers make up makes no series, and no log."""


class Watched:
    """Gives every request an id, measures it, and writes a line about it into the log."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own, began, status = _id_of(scope), time.perf_counter(), 500
        REQUEST.set(own)  # for good: the task that the server made for this request ends with it

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (_HEADER, own.encode())]}
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", OTHER)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._metrics.answered(method, route, status, seconds)
        took_ms = round(seconds * 1_000, 1)
        told = {"method": method, "path": route, "status": status, "duration_ms": took_ms, "job": _job_of(scope)}
        access_log.info("%s %s %d %.1f ms %s", method, route, status, took_ms, REQUEST.get(), extra=told)


def _id_of(scope: Scope) -> str:
    """Return the id that a proxy gave the request, if it is one, or a new one."""
    given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
    return given.decode() if _GIVEN.fullmatch(given) else uuid.uuid4().hex


def _job_of(scope: Scope) -> int | None:
    """Return the number of the job that the request is about."""
    written = str(scope.get("path_params", {}).get("job", ""))
    return int(written) if re.fullmatch("[0-9]{1,18}", written) else None
