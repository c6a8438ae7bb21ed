"""How errors are described in the interface's description."""

from typing import Any

from service.api.schemas import ProblemBody

Responses = dict[int | str, dict[str, Any]]

WHEN = {
    400: "It cannot be answered as it was asked.",
    401: "A key is needed, and none was sent that is of use.",
    403: "The key does not allow this.",
    404: "There is no such collection, document, model, judgment set, job or schedule.",
    408: "The body did not arrive in time.",
    409: "The same work, or the request with the same key, waits, runs or is scheduled already, a collection has the "
    "name, or no verdict allows the promotion.",
    412: "The document was changed or deleted since the ETag that If-Match names.",
    413: "The body is too large.",
    415: "The body is compressed; send it as it is.",
    422: "It is not understood: a field or a parameter is missing, unknown or out of bounds.",
    429: "Too many requests; the header Retry-After says when to come back.",
    500: "Something failed that should not have.",
    503: "Not now: another process holds the index, or the collection has no model yet.",
}


def problems(*codes: int) -> Responses:
    """Return the description of problem documents with these status codes."""
    return {code: {"model": ProblemBody, "description": WHEN[code]} for code in codes}
