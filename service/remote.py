"""Ask the service that owns an index, over HTTP, for what this process cannot open itself."""

import http
import http.client
import json
import urllib.error
import urllib.request

from retrieval.errors import NotFound, TandemError, UsageError
from retrieval.filter_parsing import filter_to_json
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.types import JsonValue

TIMEOUT_S = 30.0


class NoAnswer(TandemError):
    """The service did not answer, or not as Tandem does."""


def search(address: str, collection: str, query: Query) -> SearchResult:
    """Return what the service at `address` (http://host:port) finds; its errors are raised as they would be here.

    Raises NoAnswer when it cannot be reached, so that the caller can look for another way.
    """
    asked = {
        "query": query.text,
        "k": query.k,
        "mode": query.mode.value,
        "collection": collection,
        "where": filter_to_json(query.where) if query.where is not None else None,
        "group": query.group,
    }
    try:
        return SearchResult.from_json(_post(f"{address}/v1/search", asked))
    except urllib.error.HTTPError as error:
        raise _translated(error) from None
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"The service at {address} holds the index and did not answer: {error}.") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NoAnswer(f"What answers at {address} is no Tandem service, or one of another version.") from error


def _post(url: str, body: JsonValue) -> JsonValue:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the address is this machine's own
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310  # the owner's own note
    with opener.open(request, timeout=TIMEOUT_S) as response:
        return json.load(response)


def _translated(error: urllib.error.HTTPError) -> TandemError:
    try:
        detail = str(json.load(error)["detail"])
    except (ValueError, LookupError, TypeError):
        return NoAnswer(f"The service answered {error.code} without saying why.")
    kinds: dict[int, type[TandemError]] = {400: UsageError, 404: NotFound, 422: UsageError}
    if error.code == http.HTTPStatus.SERVICE_UNAVAILABLE:
        return NoAnswer(detail)
    return kinds.get(error.code, TandemError)(detail)
