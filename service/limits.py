"""What a request may be: how large its body, from which site, and for which host."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval.errors import TandemError
from service.problems import problem, problem_of

MAX_BODY_BYTES = 32_000_000
SMALL_BYTES = 64_000
"""A body up to this size is read from anybody, however much of others is held."""
MAX_HELD_BYTES = 4 * MAX_BODY_BYTES
"""Of larger bodies that are being received or answered at a time, whoever sends them."""
MAX_LISTS, MAX_COMMAS = 300_000, 2_000_000
"""In a JSON body: nothing else is answered while it is parsed, and parsing takes as long as it has values."""
DRAINED_BODIES = 8
"""A larger body is read and thrown away up to this many times the limit, so that its sender reads the answer."""
MAX_PAUSE_S = 20.0
MAX_BODY_S = 300.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
"""What Sec-Fetch-Site says of the page's own requests, and of those that a person typed."""


class BodyLimit:
    """Answers 413 to a body larger than the limit, whether its size was declared or not, and keeps none of it.

    408 to one that does not arrive, 415 to a compressed one, which nobody here inflates, and 503 when too much is held.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = MAX_BODY_BYTES,
        *,
        small_bytes: int = SMALL_BYTES,
        most_of: Callable[[Scope], Awaitable[int | None]] | None = None,
    ) -> None:
        """`most_of` returns how many bytes whoever asks may send, None for `max_bytes`, or raises a TandemError.

        It is asked only about a body that turns out larger than `small_bytes`.
        """
        self._app = app
        self._max_bytes, self._small_bytes = max_bytes, min(small_bytes, max_bytes)
        self._most_of = most_of
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body; one whose sender went away before the end is dropped."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            refusal = _refusal_of(scope) or await self._received(scope, receive, body) or _too_much_in(scope, body)
            if refusal is None:
                await self._app(scope, _replay(bytes(body), receive), send)
            else:
                refusal.headers["connection"] = "close"
                await refusal(scope, receive, send)
        except _SenderLeft:
            return
        finally:
            self._let_go(body)

    async def _received(self, scope: Scope, receive: Receive, body: bytearray) -> Response | None:
        """Fill in the body; return why it is refused, None for one that is whole. Raises _SenderLeft."""
        try:
            async with asyncio.timeout(MAX_BODY_S):
                size, most = await self._read(scope, receive, body)
        except TimeoutError:
            detail = f"The body did not arrive: nothing for {MAX_PAUSE_S:g} s, or not all within {MAX_BODY_S:g} s."
            return problem(HTTPStatus.REQUEST_TIMEOUT, detail)
        if isinstance(most, TandemError):
            return problem_of(most)
        if size > most:
            advice = "send fewer documents at a time" if most == self._max_bytes else "this key only reads"
            detail = f"The body is larger than {most} bytes; {advice}."
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        if len(body) < size:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "Others send large bodies now; come back in a few seconds.")
        return None

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> tuple[int, int | TandemError]:
        """Read a body to its end, or far beyond the limit; return its size, and the most that it may have, or why none.

        What is too much, or has no room, is not kept.
        """
        size, most = 0, None
        while True:
            async with asyncio.timeout(MAX_PAUSE_S):
                message = await receive()
            if message["type"] != "http.request":
                raise _SenderLeft
            part = message.get("body", b"")
            size += len(part)
            if size > self._small_bytes and most is None:
                most = await self._most(scope)
            if self._is_too_much(size, most, len(part)):
                self._let_go(body)
            elif len(body) + len(part) == size:
                body += part
                self._held += len(part)
            if not message.get("more_body", False) or size > DRAINED_BODIES * self._max_bytes:
                return size, self._max_bytes if most is None else most

    async def _most(self, scope: Scope) -> int | TandemError:
        """Return how much whoever asks may send, or why nothing."""
        if self._most_of is None:
            return self._max_bytes
        try:
            most = await self._most_of(scope)
        except TandemError as error:
            return error
        return self._max_bytes if most is None else min(most, self._max_bytes)

    def _is_too_much(self, size: int, most: int | TandemError | None, part: int) -> bool:
        """Tell whether a body of this size so far, with this part, may not or cannot be kept."""
        if most is None:
            return False
        return isinstance(most, TandemError) or size > most or self._held + part > MAX_HELD_BYTES

    def _let_go(self, body: bytearray) -> None:
        self._held -= len(body)
        body.clear()


def _refusal_of(scope: Scope) -> Response | None:
    encodings = {value.strip().lower() for name, value in scope["headers"] if name == b"content-encoding"}
    if encodings <= {b"", b"identity"}:
        return None
    return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, without Content-Encoding.")


def _too_much_in(scope: Scope, body: bytearray) -> Response | None:
    """Refuse JSON that would take long to parse; what stands in strings counts too, which is far less in any prose."""
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if len(body) <= MAX_LISTS or not (kind == "application/json" or kind.endswith("+json")):
        return None
    if body.count(b"[") + body.count(b"{") <= MAX_LISTS and body.count(b",") <= MAX_COMMAS:
        return None
    detail = f"The body has more than {MAX_LISTS} lists and objects, or {MAX_COMMAS} commas; send less at a time."
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


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


class SameOrigin:
    """Answers 403 to a request that changes something and that another site's page has made a browser send.

    A browser says where a request comes from: in Sec-Fetch-Site, older ones in Origin. Programs send neither.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless another site sends it."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and _is_foreign(Headers(scope=scope)):
            detail = "Another site's page has sent this; only programs and Tandem's own page may change anything."
            await problem(HTTPStatus.FORBIDDEN, detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_foreign(headers: Headers) -> bool:
    if site := headers.get("sec-fetch-site"):
        return site not in OWN_SITES
    origin = headers.get("origin")
    return origin is not None and host_of(origin) != headers.get("host", "").lower()


def host_of(origin: str) -> str:
    """Return the host, and port, of an Origin header; "" where it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


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
