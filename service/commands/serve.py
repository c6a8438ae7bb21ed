"""tandem serve"""

import ipaddress
import os
import socket
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.console import HomeOption, note, opened
from retrieval.errors import UsageError
from retrieval.home import Home

if TYPE_CHECKING:
    from service.auth import Access

BACKLOG = 128


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="The address to listen on; whoever asks at one that others can reach needs a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one.")] = 8080,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Ask nobody for a key, whoever can reach the address.")
    ] = False,
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="Have a worker do jobs beside it, in a process of its own.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Answer searches and take documents over HTTP; own the index while running."""
    from service.app import LOOPBACK_HOSTS, create_app
    from service.jobs.beside import worker_beside
    from service.server import Server
    from service.serving import Serving

    with opened(context, home) as opened_home, listening(host, port) as listener:
        bound, taken = listener.getsockname()[:2]
        is_private = _is_loopback(bound)
        access = _access(opened_home, is_private=is_private, insecure=insecure)
        address = f"http://{_for_url(_reachable(host, bound))}:{taken}"
        with Serving(opened_home, address=address) as serving:
            hosts = (*LOOPBACK_HOSTS, _for_url(host)) if is_private else None
            server = Server(create_app(serving, hosts, access=access), serving)
            note(f"Tandem answers at {address} (the interface is described at {address}/docs). Ctrl-C ends it.")
            with worker_beside(opened_home.settings) if with_worker else nullcontext():
                server.run(sockets=[listener])
    _leave_unfinished_work()


def _access(home: Home, *, is_private: bool, insecure: bool) -> "Access":
    """Tell who may ask: everybody on loopback, unless the settings say otherwise; elsewhere whoever has a key."""
    from service.auth import Access, make_local_token

    if insecure or (is_private and not home.settings.auth):
        if not is_private:
            note("Warning: whoever can reach this address may read, change and delete everything (--insecure).")
        return Access()
    if not any(not key.is_over for key in home.catalog.keys.list()):
        raise UsageError(
            "Others can reach this address, and there is no key yet to tell who may: make one with `tandem keys create "
            "NAME --scope admin`, or serve on 127.0.0.1."
        )
    return Access(home.catalog.keys, rate=home.settings.rate_limit, local_token=make_local_token(home.settings.home))


def _reachable(host: str, bound: str) -> str:
    """Return where commands on this machine reach the service."""
    if bound == "0.0.0.0":  # noqa: S104  # every address of this machine, and so this one
        return "127.0.0.1"
    return "::1" if bound == "::" else host


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


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens already: who connects while the index opens waits instead of being refused."""
    listener: socket.socket | None = None
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a second answer waits 40 ms to be sent
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        reason = error.strerror or str(error)
        raise UsageError(f"Cannot listen on {host} port {port}: {reason}. Choose another with --port.") from error
    return listener


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
