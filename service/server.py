"""The HTTP server of `tandem serve`."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.serving import Serving

STOP_WITHIN_S = 2
"""Requests have this long to end once the server is told to stop."""
MAX_HEAD_BYTES = 262_144
"""Of a request's line and headers: a link may carry the longest query there is, percent-encoded."""


HEAD_WITHIN_S = 20.0
"""A request's line and headers have to be there so long after they began, or after the connection did."""


class Impatient(H11Protocol):
    """HTTP as Uvicorn speaks it, for clients that get their requests out: the others are hung up on."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as Uvicorn has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what has come; a request that has begun to be answered is waited for no longer."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._deadline is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def config_of(app: ASGIApp) -> uvicorn.Config:
    """Return how Uvicorn serves an application here."""
    return uvicorn.Config(
        app,
        log_config=None,  # the entry point's handler prints everything
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        http=Impatient,
    )


class Server(uvicorn.Server):
    """Uvicorn, ended by SIGINT or SIGTERM as by a wish: long work is told at once, and the process succeeds."""

    def __init__(self, app: FastAPI, serving: Serving, *, on_exit: Callable[[], None] = lambda: None) -> None:
        """`on_exit` is called when the server is told to stop."""
        super().__init__(config_of(app))
        self._serving = serving
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._on_exit()
        self._serving.begin_to_stop()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while running; Uvicorn raises them again afterwards, and there they end."""
        which = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in which}
        try:
            with super().capture_signals():
                yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
