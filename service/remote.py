"""Ask the service that owns an index, over HTTP, for what this process cannot open itself."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence

from retrieval.errors import NotFound, TandemError, UsageError
from retrieval.query import Query
from retrieval.results import SearchResult

TIMEOUT_S = 30.0


def search(address: str, collection: str, query: Query, where: Sequence[str]) -> SearchResult:
    """Return what the service at `address` (http://host:port) finds; its errors are raised as they would be here."""
    asked = [("q", query.text), ("k", query.k), ("mode", query.mode.value), ("collection", collection)]
    asked += [("group", str(query.group).lower()), *(("where", clause) for clause in where)]
    url = f"{address}/v1/search?{urllib.parse.urlencode(asked)}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the address is this machine's own
    try:
        with opener.open(url, timeout=TIMEOUT_S) as response:
            return SearchResult.from_json(json.load(response))
    except urllib.error.HTTPError as error:
        raise _translated(error) from None
    except OSError as error:
        raise TandemError(f"The service at {address} holds the index and did not answer: {error}.") from error


def _translated(error: urllib.error.HTTPError) -> TandemError:
    try:
        detail = str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"The service answered {error.code}."
    kinds: dict[int, type[TandemError]] = {400: UsageError, 404: NotFound, 422: UsageError}
    return kinds.get(error.code, TandemError)(detail)
