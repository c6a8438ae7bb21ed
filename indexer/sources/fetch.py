"""A small HTTP client for hostile addresses: it connects only where it looked, and stops reading at a limit."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urljoin

import httpcore
import httpx

from indexer.sources.addresses import canonical_url
from indexer.sources.connection import CheckedBackend, Resolve, resolved
from retrieval.errors import Skipped, SourceError

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Response:
    """What a URL answered; `media_type` and `charset` are lower-case and may be empty."""

    url: str
    status: int
    media_type: str
    charset: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches URLs with GET, within `max_bytes` of decoded body and `timeout_s` for each answer.

    Every connection goes to an address that was just checked to be public (`allow_private` lifts that). No proxy is
    taken from the environment, and nothing is sent that identifies the owner: no cookies, no credentials.
    """

    allow_private: bool = False
    max_bytes: int = 20_000_000
    timeout_s: float = 30.0
    resolve: Resolve = resolved

    def get(self, url: str, *, permit: Callable[[str], None] = lambda _: None) -> Response:
        """Fetch a URL, following at most five redirects; `permit` may raise SourceError for any hop's URL.

        Raises Skipped for a body over the limit and SourceError for a refused address or a failed connection. A
        status such as 404 is an answer, not an error.
        """
        here = canonical_url(url)
        for _ in range(MAX_REDIRECTS + 1):
            permit(here)
            answer = self._get_once(here)
            if isinstance(answer, Response):
                return answer
            here = canonical_url(_joined(here, answer))
        raise SourceError(f"{url} was redirected more than {MAX_REDIRECTS} times; give the final address.")

    def _get_once(self, url: str) -> Response | str:
        """Return the answer, or the address it redirects to."""
        backend = CheckedBackend(resolve=self.resolve, allow_private=self.allow_private, timeout_s=self.timeout_s)
        asked = [
            (b"Host", httpx.URL(url).netloc),
            (b"User-Agent", user_agent().encode()),
            (b"Accept-Encoding", b"gzip"),
        ]
        try:
            with (
                httpcore.ConnectionPool(network_backend=backend) as pool,
                pool.stream("GET", url, headers=asked) as answer,
            ):
                headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
                if answer.status in _REDIRECTS and "location" in headers:
                    return headers["location"]
                return self._response(url, answer, headers)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise SourceError(f"{url} could not be fetched ({reason}); check the address and the network.") from None

    def _response(self, url: str, answer: httpcore.Response, headers: dict[str, str]) -> Response:
        media_type, charset = _content_type(headers.get("content-type", ""))
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise SourceError(f"{url} answered in the encoding {encoding[:40]!r}, though only gzip was offered.")
        parts: Iterable[bytes] = answer.iter_stream()
        if encoding.endswith("gzip"):
            parts = _inflated(parts, url, self.max_bytes)
        return Response(url, answer.status, media_type, charset, _limited(parts, url, self.max_bytes))


def user_agent() -> str:
    """Return the name this client gives itself, in requests and when it reads robots.txt."""
    try:
        return f"tandem-search/{version('tandem-search')}"
    except PackageNotFoundError:
        return "tandem-search"


def gunzipped(data: bytes, name: str, max_bytes: int) -> bytes:
    """Return what a gzip file such as sitemap.xml.gz holds.

    Raises Skipped over the limit and SourceError where it is broken.
    """
    return _limited(_inflated([data], name, max_bytes), name, max_bytes)


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError:
        raise SourceError(f"{base} redirects to {location[:200]!r}, which is not a URL.") from None


def _content_type(header: str) -> tuple[str, str]:
    media_type, *parameters = header.split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    charset = next((value for name, _, value in pairs if name.strip().lower() == "charset"), "")
    return media_type.strip().lower(), charset.strip().strip("\"'").lower()


def _limited(parts: Iterable[bytes], name: str, max_bytes: int) -> bytes:
    data = bytearray()
    for part in parts:
        data += part
        if len(data) > max_bytes:
            raise Skipped(f"{name} is larger than {max_bytes:,} bytes; raise TANDEM_MAX_FILE_BYTES to take it.")
    return bytes(data)


def _inflated(parts: Iterable[bytes], name: str, max_bytes: int) -> Iterator[bytes]:
    """Undo gzip piece by piece, so that a small body never becomes more than the limit in memory."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        for part in parts:
            rest = part
            while rest:
                if inflater.eof:  # a gzip file may be several, one after the other
                    inflater = zlib.decompressobj(wbits=31)
                yield inflater.decompress(rest, max_bytes + 1)
                rest = inflater.unconsumed_tail or inflater.unused_data
    except zlib.error as error:
        raise SourceError(f"{name} holds broken gzip ({error}).") from None
    if not inflater.eof:
        raise SourceError(f"{name} holds gzip that ends too early.")
