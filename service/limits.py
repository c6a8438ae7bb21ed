"""What a request may be: how large its body, and for which host."""

import asyncio
from collections.abc import Collection, Sequence
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import problem

MAX_BODY_BYTES = 32_000_000
MAX_HELD_BYTES = 4 * MAX_BODY_BYTES
"""Of bodies that are being received or answered at a time, whoever sends them."""
DRAINED_BODIES = 8
"""A larger body is read and thrown away up to this many times the limit, so that its sender reads the answer."""
MAX_PAUSE_S = 20.0
MAX_BODY_S = 300.0


class BodyLimit:
    """Answers 413 to a body larger than the limit, whether its size was declared or not, and keeps none of it.

    408 to one that does not arrive, 415 to a compressed one, which nobody here inflates, and 503 when too much is held.
    """

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body; one whose sender went away before the end is dropped."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            refusal = self._refusal_of(scope["headers"]) or await self._received(receive, body)
            if refusal is None:
                await self._app(scope, _replay(bytes(body), receive), send)
            else:
                refusal.headers["connection"] = "close"
                await refusal(scope, receive, send)
        except _SenderLeft:
            return
        finally:
            self._let_go(body)

    def _refusal_of(self, headers: Sequence[tuple[bytes, bytes]]) -> Response | None:
        encodings = {value.strip().lower() for name, value in headers if name == b"content-encoding"}
        if encodings <= {b"", b"identity"}:
            return None
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, without Content-Encoding.")

    async def _received(self, receive: Receive, body: bytearray) -> Response | None:
        """Fill in the body; return why it is refused, None for one that is whole. Raises _SenderLeft."""
        try:
            async with asyncio.timeout(MAX_BODY_S):
                size = await self._read(receive, body)
        except TimeoutError:
            detail = f"The body did not arrive: nothing for {MAX_PAUSE_S:g} s, or not all within {MAX_BODY_S:g} s."
            return problem(HTTPStatus.REQUEST_TIMEOUT, detail)
        if size > self._max_bytes:
            detail = f"The body is larger than {self._max_bytes} bytes; send fewer documents at a time."
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        if len(body) < size:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "Others send large bodies now; come back in a few seconds.")
        return None

    async def _read(self, receive: Receive, body: bytearray) -> int:
        """Read a body to its end, or far beyond the limit; return its size. What there is no room for is not kept."""
        size = 0
        while True:
            async with asyncio.timeout(MAX_PAUSE_S):
                message = await receive()
            if message["type"] != "http.request":
                raise _SenderLeft
            part = message.get("body", b"")
            size += len(part)
            if size > self._max_bytes or self._held + len(part) > MAX_HELD_BYTES:
                self._let_go(body)
            elif len(body) + len(part) == size:
                body += part
                self._held += len(part)
            if not message.get("more_body", False) or size > DRAINED_BODIES * self._max_bytes:
                return size

    def _let_go(self, body: bytearray) -> None:
        self._held -= len(body)
        body.clear()


class _SenderLeft(Exception):
    """Whoever sent the body went away before its end."""


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


class TrustedHosts:
    """Answers 400 to a request for another host than those given, whatever its port.

    A web page elsewhere can give its own name a loopback address, but cannot make a browser send another Host.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """`hosts` are names and addresses, IPv6 ones in brackets."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it is for one of the hosts."""
        if scope["type"] in ("http", "websocket"):
            named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if len(named) != 1 or _without_port(named[0]) not in self._hosts:
                shown = repr(named[0][:100]) if named else "missing"
                detail = f"The Host header is {shown}; this service answers for {', '.join(sorted(self._hosts))}."
                await problem(HTTPStatus.BAD_REQUEST, detail)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _without_port(host: str) -> str:
    name, separator, port = host.rpartition(":")
    is_port = bool(separator) and (not port or (port.isascii() and port.isdigit())) and not name.endswith(":")
    return (name if is_port else host).lower()
