"""tandem serve"""

import ipaddress
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.console import HomeOption, note, opened
from retrieval.errors import UsageError

if TYPE_CHECKING:
    import uvicorn

BACKLOG = 128
STOP_WITHIN_S = 2
MAX_HEAD_BYTES = 262_144
"""Of a request's line and headers: a link may carry the longest query there is, percent-encoded."""


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one.")] = 8080,
    home: HomeOption = None,
) -> None:
    """Answer searches and take documents over HTTP; own the index while running.

    There is no authentication yet, so it binds to loopback addresses only.
    """
    if not _is_loopback(host):
        raise UsageError(f"--host is {host!r}, which others could reach; use 127.0.0.1, ::1 or localhost.")
    import uvicorn

    from service.app import LOOPBACK_HOSTS, create_app
    from service.serving import Serving

    with opened(context, home) as opened_home, _bound(host, port) as listener:
        address = f"http://{_for_url(host)}:{listener.getsockname()[1]}"
        with Serving(opened_home, address=address) as serving:
            app = create_app(serving, hosts=(*LOOPBACK_HOSTS, _for_url(host)))
            config = uvicorn.Config(
                app,
                log_config=None,  # the entry point's handler prints everything
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_WITHIN_S,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            )
            note(f"Tandem answers at {address} (the interface is described at {address}/docs). Ctrl-C ends it.")
            server = uvicorn.Server(config)
            with _signals_to(server):
                server.run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _signals_to(server: "uvicorn.Server") -> Iterator[None]:
    """Let a signal stop the server, and end there: the server raises it again once it has shut down."""

    def stop(*_: object) -> None:
        server.should_exit = True

    before = {which: signal.signal(which, stop) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens already: who connects while the index opens waits instead of being refused."""
    listener: socket.socket | None = None
    try:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        reason = error.strerror or str(error)
        raise UsageError(f"Cannot listen on {host} port {port}: {reason}. Choose another with --port.") from error
    if not _is_loopback(bound := str(listener.getsockname()[0])):
        listener.close()
        raise UsageError(f"--host {host!r} is {bound} on this machine, which others could reach; use 127.0.0.1.")
    return listener


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
