"""Writes that may be sent twice and are done once: the header Idempotency-Key.

A route asks for it with `dependencies=[Once]`. The dependency claims the key, or ends the request with the answer that
was kept; `KeepAnswers` around the application keeps what the route answers. Only success is kept: a request that failed
has done nothing, so the same key may be sent with it again, or with one that is better.
"""

import asyncio
import json
import logging
from collections.abc import Callable, MutableMapping
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval.catalog.database import Along, T, nothing_else
from retrieval.catalog.idempotency import SILENT_S, Answer, Claim, Idempotency, Keyed
from service.auth import Writer

logger = logging.getLogger(__name__)

HEADER = b"idempotency-key"
REPEATED = "Idempotency-Replayed"
BEAT_S = SILENT_S / 4
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="Chosen by you, another one for each write: the same request with the same key is done once, and "
        "has the same answer for 24 hours.",
    ),
]


class AnsweredBefore(Exception):
    """A request that came again, and what it was answered."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


async def _once(request: Request, caller: Writer, idempotency_key: IdempotencyKey = None) -> None:
    if idempotency_key is None:
        return
    keyed = Keyed(caller.identity, idempotency_key, await fingerprint(request))
    found = await run_in_threadpool(_kept(request.app).claim, keyed)
    if isinstance(found, Answer):
        raise AnsweredBefore(found)
    request.state.claim = found


Once = Depends(_once)


def kept_along(request: Request, status: int, body: Callable[[T], BaseModel]) -> Along[T]:
    """Return what keeps a request's answer in the transaction that does its work, if the request has a key.

    So a service that is killed before it has answered does nothing twice: whoever asks again has that answer.
    """
    claim: Claim | None = getattr(request.state, "claim", None)
    if claim is None:
        return nothing_else
    return _kept(request.app).keep_along(
        claim, lambda done: Answer(status, "application/json", body(done).model_dump_json().encode())
    )


def add_idempotency(app: FastAPI) -> None:
    """Keep the answers of an application's requests that have a key."""
    app.add_exception_handler(AnsweredBefore, _answer_again)
    app.add_middleware(KeepAnswers)


async def fingerprint(request: Request) -> str:
    """Return a digest of what a request asks for: not of how a form happens to be written."""
    digest = sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(request.headers.get("if-match", "").encode() + b"\n")
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        digest.update(await request.body())
        return digest.hexdigest()
    for name, value in (await request.form()).multi_items():
        told = [name, value.filename, await _digest_of(value)] if not isinstance(value, str) else [name, value]
        digest.update(json.dumps(told).encode() + b"\n")
    return digest.hexdigest()


async def _digest_of(file: Any) -> str:
    data: bytes = await file.read()
    await file.seek(0)
    return sha256(data).hexdigest()


async def _answer_again(_: Request, error: Exception) -> Response:
    assert isinstance(error, AnsweredBefore)  # noqa: S101  # what the handler is registered for
    answer = error.answer
    return Response(answer.body, answer.status, {REPEATED: "true"}, answer.media_type)


class KeepAnswers:
    """Keeps the answer of every request whose key was claimed, before anything of it is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; of one with a claim, hold the answer back until it is kept."""
        if scope["type"] != "http" or not any(name == HEADER for name, _ in scope["headers"]):
            await self._app(scope, receive, send)
            return
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        held: list[Message] = []

        async def hold(message: Message) -> None:
            if "claim" in state:
                held.append(message)
            else:
                await send(message)

        beating = asyncio.create_task(_beat(scope))
        try:
            await self._app(scope, receive, hold)
        finally:
            beating.cancel()
            if "claim" in state:
                await run_in_threadpool(_settle, _kept(scope["app"]), state["claim"], held)
        for message in held:
            await send(message)


async def _beat(scope: Scope) -> None:
    """Say now and then that a claimed request is still at work."""
    while True:
        await asyncio.sleep(BEAT_S)
        if (claim := scope["state"].get("claim")) is not None:
            await run_in_threadpool(_carefully, _kept(scope["app"]).beat, claim)


def _settle(kept: Idempotency, claim: Claim, held: list[Message]) -> None:
    """Keep a whole answer that says that something was done; let go of the key otherwise."""
    is_whole = bool(held) and not held[-1].get("more_body", False)
    if is_whole and 200 <= held[0]["status"] < 300:
        media_type = dict(held[0]["headers"]).get(b"content-type", b"").decode("latin-1")
        body = b"".join(message.get("body", b"") for message in held[1:])
        _carefully(kept.keep, claim, Answer(held[0]["status"], media_type, body))
    else:
        _carefully(kept.give_up, claim)


def _carefully(what: Callable[..., None], *told: Any) -> None:
    """Do something with a claim; where the catalog fails, the request is answered nevertheless."""
    try:
        what(*told)
    except Exception as error:
        logger.error("An idempotency key could not be looked after: %s", error)  # noqa: TRY400  # one line


def _kept(app: FastAPI) -> Idempotency:
    kept: Idempotency = app.state.serving.home.catalog.idempotency
    return kept
