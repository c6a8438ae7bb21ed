"""Errors that only a service has. See retrieval/errors.py for the rest."""

from collections.abc import Sequence

from retrieval.errors import TandemError, UsageError


class Unauthorized(TandemError):
    """A key is needed, and none was sent that is of use."""

    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012  # never changed


class Forbidden(TandemError):
    """The key does not allow this."""


class NoAnswer(TandemError):
    """A service did not answer, not now, or not as Tandem does."""


class Conflict(TandemError):
    """A service does not do this as things are: the same work is at work already, or no verdict allows it."""


class NothingKept(UsageError):
    """None of the documents or files of a request was kept; `failures` are their ids and the reasons."""

    def __init__(self, message: str, failures: Sequence[tuple[str, str]]) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class TooManyRequests(TandemError):
    """Whoever asks has asked too often; `headers` say when to come back."""

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(wait_s)}
