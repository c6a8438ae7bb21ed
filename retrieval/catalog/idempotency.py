"""Answers kept under the keys that callers sent with their requests: a request sent again is answered, not done again.

A key is claimed before the work begins. Whoever has the claim says now and then that the work goes on; where that
stops, the process is gone, and the next one that asks may begin anew. Where work would not be found unchanged then, its
answer is kept in the transaction that does it, so that no process is gone in between.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from retrieval.catalog.database import Along, Database, T
from retrieval.catalog.rows import insert_for
from retrieval.catalog.schema_idempotency import idempotency_keys
from retrieval.errors import TandemError, UsageError

KEPT_S = 24 * 3_600
SILENT_S = 60.0
"""After so long without a word, whoever claimed a key is taken for gone."""
RUNNING = 0


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request with a key: whose it is, and a digest of what it asks for."""

    caller: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do a request's work; `token` tells it from any earlier claim of the same key."""

    request: Keyed
    token: str


class KeyReused(UsageError):
    """A key came back with another request."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} was sent with another request in the last {KEPT_S // 3_600} hours; make a "
            "key for each request, and send it again only with that."
        )


class KeyInUse(TandemError):
    """A request came again while it is still being answered."""

    headers = {"Retry-After": "2"}  # noqa: RUF012  # never changed

    def __init__(self, key: str) -> None:
        super().__init__(f"The request with the idempotency key {key!r} is still being answered; try again soon.")


class Idempotency:
    """Claim keys, keep answers under them, forget both after a day."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, request: Keyed) -> Claim | Answer:
        """Return the right to do the work, or the answer it had; raises KeyReused and KeyInUse."""
        token, now = secrets.token_hex(16), time.time()
        with self._database.write() as connection:
            connection.execute(delete(idempotency_keys).where(idempotency_keys.c.made_at < now - KEPT_S))
            if _inserted(connection, request, token, now):
                return Claim(request, token)
            found = connection.execute(select(idempotency_keys).where(*_of(request))).first()
            if found is None:  # on a server, given up by another connection just now
                raise KeyInUse(request.key)
            if found.fingerprint != request.fingerprint:
                raise KeyReused(request.key)
            if found.status != RUNNING:
                return Answer(found.status, found.media_type, found.body)
            if found.beat_at < now - SILENT_S and _taken_over(connection, request, found, token):
                return Claim(request, token)
        raise KeyInUse(request.key)

    def beat(self, claim: Claim) -> None:
        """Say that the work goes on."""
        with self._database.write() as connection:
            connection.execute(update(idempotency_keys).where(*_held(claim)).values(beat_at=time.time()))

    def keep(self, claim: Claim, answer: Answer) -> None:
        """Keep the answer for whoever asks again; nothing where the claim was taken over."""
        with self._database.write() as connection:
            _keep(connection, claim, answer)

    def keep_along(self, claim: Claim, answer: Callable[[T], Answer]) -> Along[T]:
        """Return what keeps an answer in the transaction that does the work, from what came of it."""

        def along(connection: Connection, done: T) -> None:
            _keep(connection, claim, answer(done))

        return along

    def give_up(self, claim: Claim) -> None:
        """Let the key be used again, unless an answer was kept: nothing was done under it."""
        with self._database.write() as connection:
            connection.execute(delete(idempotency_keys).where(*_held(claim)))


def _keep(connection: Connection, claim: Claim, answer: Answer) -> None:
    mine = (*_of(claim.request), idempotency_keys.c.claim == claim.token)
    values = {"status": answer.status, "media_type": answer.media_type, "body": answer.body}
    connection.execute(update(idempotency_keys).where(*mine).values(values))


def _inserted(connection: Connection, request: Keyed, token: str, now: float) -> bool:
    row = {
        "caller": request.caller,
        "key": request.key,
        "fingerprint": request.fingerprint,
        "claim": token,
        "status": RUNNING,
        "media_type": "",
        "body": b"",
        "made_at": now,
        "beat_at": now,
    }
    statement = insert_for(connection, idempotency_keys).values(row).on_conflict_do_nothing()
    return bool(connection.execute(statement).rowcount)


def _taken_over(connection: Connection, request: Keyed, found: Row[Any], token: str) -> bool:
    now = time.time()
    theirs = (*_of(request), idempotency_keys.c.claim == found.claim)
    values = {"claim": token, "made_at": now, "beat_at": now}
    return bool(connection.execute(update(idempotency_keys).where(*theirs).values(values)).rowcount)


def _of(request: Keyed) -> tuple[Any, ...]:
    return (idempotency_keys.c.caller == request.caller, idempotency_keys.c.key == request.key)


def _held(claim: Claim) -> tuple[Any, ...]:
    table = idempotency_keys
    return (*_of(claim.request), table.c.claim == claim.token, table.c.status == RUNNING)
