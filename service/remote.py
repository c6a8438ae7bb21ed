"""Ask the service that owns an index, over HTTP, for what this process cannot open itself.

`tandem search` asks with the standard library alone: importing httpx, which service/client.py needs, would take longer
than the search itself.
"""

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path

from retrieval.errors import TandemError
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.types import JsonValue
from service.asking import Refusal, error_of, search_body
from service.errors import NoAnswer

TIMEOUT_S = 30.0
LOCAL_TOKEN = "service-token"  # noqa: S105  # a file's name


def search(address: str, collection: str, query: Query, *, token: str = "") -> SearchResult:
    """Return what the service at `address` (http://host:port) finds; its errors are raised as they would be here.

    `token` is what the service has left in its home for its owner's commands, if it asks for keys.

    Raises NoAnswer when it cannot be reached, so that the caller can look for another way.
    """
    try:
        return SearchResult.from_json(_post(f"{address}/v1/search", search_body(collection, query), token))
    except urllib.error.HTTPError as error:
        raise _translated(error) from None
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"The service at {address} holds the index and did not answer: {error}.") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NoAnswer(f"What answers at {address} is no Tandem service, or one of another version.") from error


def read_local_token(home: Path) -> str:
    """Return what the owner's commands show to the service; "" where there is none."""
    try:
        return (home / LOCAL_TOKEN).read_text(encoding="utf-8")
    except OSError:
        return ""


def _post(url: str, body: JsonValue, token: str) -> JsonValue:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the address is this machine's own
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310  # the owner's own note
    with opener.open(request, timeout=TIMEOUT_S) as response:
        return json.load(response)


def _translated(error: urllib.error.HTTPError) -> TandemError:
    try:
        body = json.load(error)
    except ValueError:
        body = None
    return error_of(Refusal(error.code, body, 0))
