"""What commands ask the service that owns an index for, which this process cannot open itself."""

from pathlib import Path

from retrieval.query import Query
from retrieval.results import SearchResult

TIMEOUT_S = 30.0
DELETE_TIMEOUT_S = 600.0
"""A large collection takes long to be deleted."""
LOCAL_TOKEN = "service-token"  # noqa: S105  # a file's name


def search(address: str, collection: str, query: Query, *, token: str = "") -> SearchResult:
    """Return what the service at `address` (http://host:port) finds; its errors are raised as they would be here.

    `token` is what the service has left in its home for its owner's commands, if it asks for keys.

    Raises NoAnswer when it cannot be reached, so that the caller can look for another way.
    """
    from service.client import Client

    with Client(address, token, timeout_s=TIMEOUT_S, retries=0) as client:
        return client.ask(query, collection=collection)


def delete_collection(address: str, name: str, *, token: str = "") -> None:
    """Have the service at `address` delete a collection; raises as `search` does."""
    from service.client import Client

    with Client(address, token, timeout_s=DELETE_TIMEOUT_S, retries=0) as client:
        client.delete_collection(name)


def read_local_token(home: Path) -> str:
    """Return what the owner's commands show to the service; "" where there is none."""
    try:
        return (home / LOCAL_TOKEN).read_text(encoding="utf-8")
    except OSError:
        return ""
