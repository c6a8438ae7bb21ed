"""Writes that take long: few at a time, and not waited for when the service stops."""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeVar

from fastapi import Request, Response

from service.api.schemas import FailureBody
from service.background import in_daemon_thread
from service.problems import problem
from service.served import Stopping

WRITERS = 2
"""Requests that write at once: embedding takes every core, and searches need threads while documents come in."""
T = TypeVar("T")


async def written(request: Request, work: Callable[[], T]) -> T:
    """Do a write when its turn comes; raises Stopping where the service stops before it is done."""
    try:
        async with request.app.state.writers:
            return await in_daemon_thread(work)
    except asyncio.CancelledError:  # the server stops, and waits no longer
        raise Stopping from None


def nothing_kept(failures: Sequence[FailureBody]) -> Response:
    """Return the problem document of a request of which nothing was kept."""
    reasons = "; ".join(f"{failure.id[:80]!r}: {failure.reason}" for failure in failures[:3])
    told = [failure.model_dump() for failure in failures]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"No document was kept. {reasons}", {"failures": told})
