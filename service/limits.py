"""What a request may be: how large its body, and for which host."""

from collections.abc import Collection
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import problem

MAX_BODY_BYTES = 32_000_000
DRAINED_BODIES = 8
"""A larger body is read and thrown away up to this many times the limit, so that its sender reads the answer."""


class BodyLimit:
    """Answers 413 to a body larger than the limit, whether its size was declared or not, and keeps none of it."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body; one whose sender went away before the end is dropped."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._body(receive)
        if body is None:
            return
        if len(body) > self._max_bytes:
            detail = f"The body is larger than {self._max_bytes} bytes; send fewer documents at a time."
            refusal = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
            refusal.headers["connection"] = "close"
            await refusal(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _body(self, receive: Receive) -> bytes | None:
        """Return the body, or of one that is too large just more than the limit; None when the sender went away."""
        body = bytearray()
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            size += len(part)
            body += part[: self._max_bytes + 1 - len(body)]
            if not message.get("more_body", False) or size > DRAINED_BODIES * self._max_bytes:
                return bytes(body)


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
