"""How the client asks: over httpx, again where nobody answered, errors raised as they would be here."""

import ipaddress
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from retrieval.types import JsonValue
from service.asking import Refusal, error_of, wait_of
from service.errors import NoAnswer

PAUSE_S = 0.5
MOST_WAIT_S = 30
IN_A_MOMENT = frozenset({409, 429, 503})
"""Statuses after which the same request is sent again: 409 and 429 only where Retry-After says when."""

File = tuple[str, tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. One that writes has an idempotency key among its headers, so that it may be sent again."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: JsonValue = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[File] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


class Transport:
    """Sends requests to one service; `sleep` is replaced in tests."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout_s: float,
        retries: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base_url, self._retries, self.sleep = base_url.rstrip("/"), retries, sleep
        self._http = httpx.Client(
            base_url=self._base_url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            trust_env=not _is_own(self._base_url),  # a proxy cannot reach this machine's own addresses
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def json(self, asked: Asked) -> JsonValue:
        """Return an answer's body; raises what `answer` raises."""
        return self.parsed(self.answer(asked))

    def answer(self, asked: Asked) -> httpx.Response:
        """Return the answer to a request; raises the TandemError that a problem document tells of.

        Where nobody answers, or not now, it is sent again, `retries` times. Raises NoAnswer where nobody does.
        """
        for left in range(self._retries, -1, -1):
            try:
                response = self._sent(asked)
            except httpx.TransportError as error:
                if not left:
                    raise self._unanswered(error) from error
                self.sleep(PAUSE_S * 2 ** (self._retries - left))
                continue
            except httpx.InvalidURL as error:
                raise self._unanswered(error) from error
            if response.is_success:
                return response
            wait_s = wait_of(response.headers.get("Retry-After"))
            if not left or not _again(response.status_code, wait_s):
                raise error_of(_refusal(response))
            self.sleep(max(wait_s, PAUSE_S * 2 ** (self._retries - left)))
        raise AssertionError  # the last round returns or raises

    def parsed(self, response: httpx.Response) -> JsonValue:
        """Return an answer's JSON; raises NoAnswer for what is none."""
        try:
            return response.json()
        except ValueError as error:
            raise self.stranger() from error

    def stranger(self) -> NoAnswer:
        """Return the error of an answer that is not Tandem's."""
        return NoAnswer(f"What answers at {self._base_url} is no Tandem service, or one of another version.")

    @contextmanager
    def lines(self, path: str, headers: Mapping[str, str]) -> Iterator[Iterator[str]]:
        """Give the lines of an answer as they come; raises httpx.TransportError where they break off."""
        with self._http.stream("GET", path, headers=headers) as response:
            if not response.is_success:
                response.read()
                raise error_of(_refusal(response))
            yield response.iter_lines()

    def _sent(self, asked: Asked) -> httpx.Response:
        body = {"json": asked.body} if asked.body is not None else {}
        return self._http.request(
            asked.method,
            asked.path,
            params=asked.params,
            headers=asked.headers,
            data=asked.form or None,
            files=asked.files or None,
            **body,
        )

    def _unanswered(self, error: Exception) -> NoAnswer:
        reason = str(error).rstrip(".") or type(error).__name__
        return NoAnswer(f"The service at {self._base_url} did not answer: {reason}.")


def _again(status: int, wait_s: int) -> bool:
    return status in IN_A_MOMENT and (status == httpx.codes.SERVICE_UNAVAILABLE or 0 < wait_s <= MOST_WAIT_S)


def _refusal(response: httpx.Response) -> Refusal:
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    return Refusal(response.status_code, body, wait_of(response.headers.get("Retry-After")))


def _is_own(base_url: str) -> bool:
    host = httpx.URL(base_url).host
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
