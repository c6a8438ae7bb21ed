"""The queue that tells workers of jobs: numbers only, for what a job is and became stands in the catalog.

A number may come twice, or be lost with the queue: a worker takes a job up only where the catalog says that it waits,
and looks there for such as wait unannounced.
"""

import json
from importlib.util import find_spec
from typing import Any

from huey import Huey, RedisHuey, SqliteHuey  # type: ignore[import-untyped]
from huey.registry import Message  # type: ignore[import-untyped]
from huey.serializer import Serializer  # type: ignore[import-untyped]

from retrieval.errors import UsageError
from retrieval.settings import Settings

NAME = "tandem-jobs"
FILE = "queue.sqlite"


class JsonSerializer(Serializer):  # type: ignore[misc]  # huey has no types
    """Messages as JSON: whoever can write to the queue can send numbers, and no pickles."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(list(data)).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(*json.loads(data))


def open_queue(settings: Settings) -> Huey:
    """Return the queue of a home: a file in it, or what TANDEM_QUEUE_URL names. Raises UsageError for another URL."""
    common = {"results": False, "serializer": JsonSerializer(), "utc": True}
    if not settings.queue_url:
        settings.home.mkdir(parents=True, exist_ok=True)
        return SqliteHuey(NAME, filename=str(settings.home / FILE), fsync=True, **common)
    if not settings.queue_url.startswith(("redis://", "rediss://")):
        raise UsageError("TANDEM_QUEUE_URL begins with redis:// or rediss://; leave it out for a file in the home.")
    if find_spec("redis") is None:
        raise UsageError("TANDEM_QUEUE_URL needs the extra `redis`: pip install 'tandem-search[redis]'.")
    return RedisHuey(NAME, url=settings.queue_url, **common)
