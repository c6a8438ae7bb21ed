"""tandem serve"""

import ipaddress
import socket
from typing import Annotated

import typer

from retrieval.console import HomeOption, note, opened
from retrieval.errors import UsageError


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

    from service.app import create_app
    from service.serving import Serving

    with opened(context, home) as opened_home, _bound(host, port) as listener:
        address = f"http://{_for_url(host)}:{listener.getsockname()[1]}"
        app = create_app(Serving(opened_home, address=address))
        note(f"Tandem answers at {address} (the interface is described at {address}/docs). Ctrl-C ends it.")
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Cannot listen on {host} port {port}: {error.strerror}. Choose another with --port."
        ) from error
    return listener


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
