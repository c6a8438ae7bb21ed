"""The HTTP server of `tandem serve`."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from service.serving import Serving

STOP_WITHIN_S = 2
"""Requests have this long to end once the server is told to stop."""
MAX_HEAD_BYTES = 262_144
"""Of a request's line and headers: a link may carry the longest query there is, percent-encoded."""


class Server(uvicorn.Server):
    """Uvicorn, ended by SIGINT or SIGTERM as by a wish: long work is told at once, and the process succeeds."""

    def __init__(self, app: FastAPI, serving: Serving, *, on_exit: Callable[[], None] = lambda: None) -> None:
        """`on_exit` is called when the server is told to stop."""
        config = uvicorn.Config(
            app,
            log_config=None,  # the entry point's handler prints everything
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        super().__init__(config)
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
