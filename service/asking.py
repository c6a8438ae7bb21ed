"""What every client of a service says and hears: a search as JSON, and errors raised as they would be here."""

from collections.abc import Mapping
from typing import NamedTuple

from retrieval.catalog.unchanged import DocumentChanged
from retrieval.errors import NotFound, TandemError, UsageError
from retrieval.filter_parsing import filter_to_json
from retrieval.query import Query
from retrieval.types import JsonValue
from service.errors import Conflict, Forbidden, NoAnswer, NothingKept, TooManyRequests, Unauthorized

KINDS: Mapping[int, type[TandemError]] = {
    400: UsageError,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: DocumentChanged,
    413: UsageError,
    422: UsageError,
    503: NoAnswer,
}


class Refusal(NamedTuple):
    """An answer that says no: its status, what it says, and the seconds after which to come back, 0 for never."""

    status: int
    body: JsonValue
    wait_s: int


def search_body(collection: str, query: Query) -> dict[str, JsonValue]:
    """Return a search as POST /v1/search takes it."""
    return {
        "query": query.text,
        "k": query.k,
        "mode": query.mode.value,
        "collection": collection,
        "where": filter_to_json(query.where) if query.where is not None else None,
        "group": query.group,
        **({"model": query.model} if query.model else {}),
        **({"explain": True} if query.explain else {}),
    }


def error_of(refusal: Refusal) -> TandemError:
    """Return the error that a problem document tells of; NoAnswer for what is none."""
    body = refusal.body
    if not isinstance(body, Mapping) or "detail" not in body:
        return NoAnswer(f"The service answered {refusal.status} without saying why.")
    detail = str(body["detail"])
    if refusal.status == 429:
        return TooManyRequests(detail, wait_s=max(1, refusal.wait_s))
    if isinstance(failures := body.get("failures"), list) and failures:
        return NothingKept(detail, [(failure["id"], failure["reason"]) for failure in failures])
    return KINDS.get(refusal.status, TandemError)(detail)


def wait_of(header: str | None) -> int:
    """Return the seconds of a Retry-After; 0 for none, or a date."""
    return int(header) if header and header.isascii() and header.isdigit() else 0
