"""Connections that go only to checked addresses and end at a deadline, for httpcore's pool."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from indexer.sources.addresses import is_public
from retrieval.errors import SourceError

Resolve = Callable[[str, int], Iterable[str]]
"""Host and port to the IP addresses the name has now; raises OSError or UnicodeError where there are none."""


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system's resolver gives them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class CheckedBackend(httpcore.NetworkBackend):
    """Resolves a name once, checks every address it has, and connects to one of exactly these.

    The check and the connection share one lookup, so a name that answers differently the second time gains nothing.
    """

    def __init__(self, *, resolve: Resolve, allow_private: bool, timeout_s: float) -> None:
        """Start the clock: everything sent or received through this backend must end within `timeout_s`."""
        self._resolve = resolve
        self._allow_private = allow_private
        self._clock = Deadline(timeout_s)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first checked address that answers."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            try:
                limit = self._clock.left(timeout)
                stream = httpcore.SyncBackend().connect_tcp(address, port, limit, local_address, socket_options)
                return _DeadlineStream(stream, self._clock)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise SourceError(f"The name {host!r} has no address ({error}); check the spelling.") from None
        refused = [address for address in addresses if not is_public(address)]
        if refused and not self._allow_private:
            raise SourceError(
                f"{host!r} leads to {refused[0]}, which is not a public address; "
                "if it is yours and you mean it, pass --allow-private."
            )
        return addresses


class Deadline:
    """A moment by which all the reading and writing of one answer has to be over."""

    def __init__(self, timeout_s: float) -> None:
        """Start the clock."""
        self._timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    def left(self, timeout: float | None) -> float:
        """Return the seconds one operation may take; raises ReadTimeout when none are left."""
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise httpcore.ReadTimeout(f"no complete answer within {self._timeout_s:g} s")
        return min(remaining, timeout or remaining)


class _DeadlineStream(httpcore.NetworkStream):
    """A stream whose every wait is cut to what is left, so that a slow drip of bytes cannot hold it for ever."""

    def __init__(self, inner: httpcore.NetworkStream, clock: Deadline) -> None:
        self._inner = inner
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(
            self._inner.start_tls(ssl_context, server_hostname, self._clock.left(timeout)), self._clock
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
