"""tandem serve"""

import ipaddress
import os
import socket
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.console import HomeOption, opened
from retrieval.errors import UsageError
from retrieval.home import Home
from retrieval.settings import Settings

if TYPE_CHECKING:
    from service.auth import Access
    from service.logs import Tell

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
    from service.ending import Ending
    from service.jobs.beside import worker_beside
    from service.jobs.working import SHUTDOWN_S
    from service.logs import logging_as_set
    from service.server import Server
    from service.serving import Serving

    with (
        logging_as_set(Settings.from_environment(home=home)) as tell,
        opened(context, home) as opened_home,
        listening(host, port) as listener,
    ):
        bound, taken = listener.getsockname()[:2]
        is_private = _is_loopback(bound)
        access = _access(opened_home, is_private=is_private, insecure=insecure, tell=tell)
        address = f"http://{_for_url(_reachable(host, bound))}:{taken}"
        ending = Ending(more_s=SHUTDOWN_S if with_worker else 0)
        with Serving(opened_home, address=address) as serving:
            hosts = (*LOOPBACK_HOSTS, _for_url(host)) if is_private else None
            server = Server(create_app(serving, hosts, access=access), serving, on_exit=ending.begin)
            tell(f"Tandem answers at {address} (the interface is described at {address}/docs). Ctrl-C ends it.")
            with worker_beside(opened_home.settings) if with_worker else nullcontext():
                server.run(sockets=[listener])
                serving.stop()  # all is flushed before the worker is waited for, which may take long
    ending.leave()


def _access(home: Home, *, is_private: bool, insecure: bool, tell: "Tell") -> "Access":
    """Tell who may ask: everybody on loopback, unless the settings say otherwise; elsewhere whoever has a key."""
    from service.auth import Access, make_local_token

    if insecure or (is_private and not home.settings.auth):
        if not is_private:
            tell("Warning: whoever can reach this address may read, change and delete everything (--insecure).")
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
        raise UsageError(
            f"Cannot listen on {host} port {port}: {reason}. Choose others with --host and --port."
        ) from error
    return listener


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
