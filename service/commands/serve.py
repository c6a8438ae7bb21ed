"""tandem serve"""

import ipaddress
import os
import socket
import sys
import threading
from typing import Annotated

import typer

from retrieval.console import HomeOption, note, opened
from retrieval.errors import UsageError

BACKLOG = 128


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
    from service.app import LOOPBACK_HOSTS, create_app
    from service.server import Server
    from service.serving import Serving

    with opened(context, home) as opened_home, _bound(host, port) as listener:
        address = f"http://{_for_url(host)}:{listener.getsockname()[1]}"
        with Serving(opened_home, address=address) as serving:
            server = Server(create_app(serving, hosts=(*LOOPBACK_HOSTS, _for_url(host))), serving)
            note(f"Tandem answers at {address} (the interface is described at {address}/docs). Ctrl-C ends it.")
            server.run(sockets=[listener])
    _leave_unfinished_work()


def _leave_unfinished_work() -> None:
    """End the process here when a request it waited for no longer is still at work, everything being flushed.

    Such a thread is most likely inside the model, whose runtime aborts the process if the interpreter ends around it.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
