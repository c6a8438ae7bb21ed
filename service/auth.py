"""Who asks, and what they may: keys, scopes, collections, and how often."""

import hmac
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import Scope as Asked

from retrieval.catalog import Collection
from retrieval.catalog.keys import Key, Keys, Scope
from retrieval.errors import TandemError, UsageError
from service.errors import Forbidden, TooManyRequests, Unauthorized
from service.remote import LOCAL_TOKEN

COOKIE = "tandem_key"
"""What the web page keeps the key in."""
FAILURES = "30/minute"
"""Wrong keys from one address."""
READER_BYTES = 1_000_000
"""Of a body from whoever may only read: searches are asked, and no documents sent."""

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="key", description="A key that `tandem keys create` made; needed unless on loopback."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks: by a key, or without one where none is needed."""

    name: str
    key: Key | None = None

    @property
    def identity(self) -> str:
        """What tells it from every other caller: names are not unique."""
        return f"key {self.key.id}" if self.key else self.name

    def may(self, scope: Scope) -> bool:
        """Return whether it has a scope."""
        return self.key is None or self.key.allows(scope)

    def needs(self, scope: Scope) -> None:
        """Raise Forbidden where the key does not have a scope."""
        if self.key and not self.may(scope):
            raise Forbidden(f"This needs the scope {scope}; the key {self.name!r} has {', '.join(self.key.scopes)}.")

    def check(self, collection: str) -> None:
        """Raise Forbidden for a collection that the key is not for."""
        if self.key and self.key.collection and self.key.collection != collection:
            raise Forbidden(f"This key is for the collection {self.key.collection!r} only, not for {collection!r}.")

    def told(self, error: TandemError) -> str:
        """Return what an error tells this caller: the names of everything there is only if it may see everything."""
        return error.in_full if self.only is None else str(error)

    def visible(self, collections: Sequence[Collection]) -> list[Collection]:
        """Return those of the collections that it may see."""
        return [one for one in collections if self.only in (None, one.name)]

    def sees_all(self) -> None:
        """Raise Forbidden for a key that is for one collection."""
        if self.only is not None:
            raise Forbidden(f"This tells of every collection; the key {self.name!r} is for {self.only!r} only.")

    @property
    def only(self) -> str | None:
        """The one collection that it may see, or None for all."""
        return (self.key.collection or None) if self.key else None


ANYBODY = Caller("anybody")


class Access:
    """Tells who asks. Without `keys`, everybody may do everything: for loopback addresses."""

    def __init__(self, keys: Keys | None = None, *, rate: str = "", local_token: str = "") -> None:
        self._keys = keys
        self._local_token = local_token
        self._rate = rate_of(rate) if rate else None
        self._failures = parse(FAILURES)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    @property
    def is_required(self) -> bool:
        """Whether a key is needed."""
        return self._keys is not None

    def caller(self, sent: str | None, address: str) -> Caller:
        """Return who sent a key; raises Unauthorized, and TooManyRequests."""
        if self._keys is None:
            return ANYBODY
        caller = self._known(sent, address)
        if caller.key and self._rate and not self._limiter.hit(self._rate, caller.key.id):
            raise self._too_many(self._rate, caller.key.id)
        return caller

    async def most_of(self, asked: Asked) -> int | None:
        """Return how many bytes a request's sender may send, None for all that anybody may.

        Raises Unauthorized, and TooManyRequests.

        This is asked before the body is read, and counts as no request of its own.
        """
        if self._keys is None:
            return None
        caller = await run_in_threadpool(self._known, *credentials(HTTPConnection(asked)))
        return None if caller.may(Scope.WRITE) else READER_BYTES

    def _known(self, sent: str | None, address: str) -> Caller:
        """Return who sent a key; raises Unauthorized, and TooManyRequests where somebody guesses."""
        assert self._keys is not None  # noqa: S101  # without keys, nobody is asked for one
        if sent and self._local_token and hmac.compare_digest(sent.encode(), self._local_token.encode()):
            return Caller("command line")
        key = self._keys.held(sent) if sent else None
        if key is None:  # whoever has a good one gets in, whatever others behind the same address have sent
            if sent and not self._limiter.hit(self._failures, address):
                raise self._too_many(self._failures, address)
            raise Unauthorized(
                "Send a key with the header `Authorization: Bearer KEY`; `tandem keys create` makes one."
                if not sent
                else "This key is unknown, revoked or expired; `tandem keys create` makes another."
            )
        return Caller(key.name, key)

    def _too_many(self, item: RateLimitItem, who: str) -> TooManyRequests:
        wait_s = max(1, math.ceil(self._limiter.get_window_stats(item, who).reset_time - time.time()))
        return TooManyRequests(f"More than {item}; come back in {wait_s} s.", wait_s=wait_s)


def credentials(asking: HTTPConnection) -> tuple[str | None, str]:
    """Return the key that a request shows, if any, and the address that it comes from."""
    kind, _, sent = asking.headers.get("authorization", "").partition(" ")
    key = sent.strip() if kind.lower() == "bearer" else ""
    return key or asking.cookies.get(COOKIE), asking.client.host if asking.client else ""


def rate_of(written: str) -> RateLimitItem:
    """Read a rate such as 600/minute; raises UsageError."""
    try:
        return parse(written)
    except ValueError:
        raise UsageError(f"TANDEM_RATE_LIMIT is {written!r}; write it as 600/minute or 20/second.") from None


async def _caller(
    request: Request,
    _: HTTPAuthorizationCredentials | None = Security(_BEARER),  # noqa: B008  # for the description of the interface
) -> Caller:
    access: Access = request.app.state.access
    return await run_in_threadpool(access.caller, *credentials(request)) if access.is_required else ANYBODY


Somebody = Annotated[Caller, Depends(_caller)]
"""Whoever asks, whatever they may; however often a request depends on it, its key is looked at once."""


def requires(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency that lets only callers with this scope in."""

    async def dependency(request: Request, caller: Somebody) -> Caller:
        request.state.caller = caller
        caller.needs(scope)
        return caller

    return dependency


async def _anyone(
    request: Request,
    _: HTTPAuthorizationCredentials | None = Security(_BEARER),  # noqa: B008  # for the description
) -> Caller | None:
    """Return who asks, None for one who sent no key of use: for what is answered without one, too."""
    try:
        return await _caller(request)
    except (Unauthorized, TooManyRequests):
        return None


Anyone = Annotated[Caller | None, Depends(_anyone)]
Reader = Annotated[Caller, Depends(requires(Scope.READ))]
Writer = Annotated[Caller, Depends(requires(Scope.WRITE))]
Admin = Annotated[Caller, Depends(requires(Scope.ADMIN))]


def make_local_token(home: Path) -> str:
    """Write what commands of this home's owner show to the service, readable by nobody else; return it."""
    token = secrets.token_urlsafe(32)
    file = home / LOCAL_TOKEN
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(token, encoding="utf-8")
    return token
