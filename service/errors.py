"""Errors that only a service has. See retrieval/errors.py for the rest."""

from retrieval.errors import TandemError


class Unauthorized(TandemError):
    """A key is needed, and none was sent that is of use."""

    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012  # never changed


class Forbidden(TandemError):
    """The key does not allow this."""


class TooManyRequests(TandemError):
    """Whoever asks has asked too often; `headers` say when to come back."""

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(wait_s)}
