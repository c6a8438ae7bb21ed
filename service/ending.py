"""The end of a service's process: within a stated time, whatever a request is still doing."""

import asyncio
import logging
import os
import sys
import threading

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import problem_of
from service.served import Stopping

logger = logging.getLogger(__name__)

WITHIN_S = 10.0
"""A service that is told to stop is gone after so long, its worker aside."""


class Ending:
    """Sees to it that the process ends, and ends well: what was acknowledged stands in the catalog by then."""

    def __init__(self, *, more_s: float = 0) -> None:
        """`more_s` is granted beyond the stated time, to what runs beside the service."""
        self._within_s = WITHIN_S + more_s
        self._is_told = threading.Event()
        self._is_over = threading.Event()
        # From the beginning on: a signal's handler must not start threads, whose locks its own thread may hold.
        self._watch = threading.Thread(target=self._wait, name="ending", daemon=True)
        self._watch.start()

    def begin(self) -> None:
        """Let the time run; a signal's handler may call this."""
        self._is_told.set()

    def leave(self) -> None:
        """End the process here when a request it waited for no longer is still at work, everything being flushed.

        The interpreter would wait for such a thread; one inside the model would make the runtime abort the process.
        """
        self._is_over.set()
        if set(threading.enumerate()) - {threading.main_thread(), self._watch}:
            _exit()

    def _wait(self) -> None:
        self._is_told.wait()
        if not self._is_over.wait(self._within_s):
            logger.error(
                "Something did not end within %.0f s, and is not waited for. Nothing that was acknowledged is lost: "
                "the index follows when it is next opened.",
                self._within_s,
            )
            _exit()


class AnsweredToTheEnd:
    """Answers 503 to requests that the server's end cuts short, whatever they were doing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the server cancels its task when it waits no longer."""
        began = False

        async def told(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, told)
        except asyncio.CancelledError:
            if began or scope["type"] != "http":
                raise
            await problem_of(Stopping())(scope, receive, send)


def _exit() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
