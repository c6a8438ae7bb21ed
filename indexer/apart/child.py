"""The process that reads: a file after the other from stdin, within limits of its own, until stdin ends."""

import json
import os
import sys

from indexer.apart.messages import answered, read_asked, receive, send
from indexer.cleaning import partitioned
from indexer.sources.formats import parser_of
from retrieval.errors import Skipped, TandemError
from retrieval.types import JsonValue

MEMORY_BYTES = 2_000_000_000
MOST_BYTES = 64_000_000
"""Of a file, and of what comes of it."""


def main() -> None:
    """Answer until there is nothing more to read."""
    asking, answering = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a parser prints is no answer
    confine()
    while (head := receive(asking, max_bytes=MOST_BYTES)) is not None:
        data = receive(asking, max_bytes=MOST_BYTES)
        if data is None:
            return
        send(answering, _answer(head, data))


def confine() -> None:
    """Bound memory, and let nothing be written or started; where the system knows no limits, only time is bounded."""
    sys.dont_write_bytecode = True
    try:
        import resource
    except ImportError:  # not on POSIX
        return
    for what, limit in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(what)
        bounded = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (bounded, bounded))


def _answer(head: bytes, data: bytes) -> bytes:
    try:
        told = json.dumps(_read(head, data)).encode()
    except MemoryError:
        told = _failed(f"it needs more than {MEMORY_BYTES // 1_000_000:,} MB to be read")
    if len(told) > MOST_BYTES:
        return _failed(f"it holds more than {MOST_BYTES // 1_000_000} MB of text; split it")
    return told


def _read(head: bytes, data: bytes) -> JsonValue:
    item, options = read_asked(head)
    try:
        documents, problems = partitioned(list(parser_of(item.format)(data, item, options)))
        return {"parts": [*map(answered, documents), *map(answered, problems)]}
    except Skipped as error:
        return {"skipped": str(error)}
    except TandemError as error:
        return {"failed": str(error)}
    except MemoryError:
        raise
    except Exception as error:  # a parser meets hostile files with whatever its parts raise
        return {"failed": f"{item.key} cannot be read ({type(error).__name__}: {str(error)[:200]})."}


def _failed(reason: str) -> bytes:
    return json.dumps({"failed": f"The file cannot be read: {reason}."}).encode()


if __name__ == "__main__":
    main()
