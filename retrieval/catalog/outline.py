"""The outline of a result: enough of it for lists, which need not read results of many megabytes."""

from itertools import islice

from retrieval.types import JsonValue

DEPTH = 2
MOST_NAMES = 100
MOST_CHARS = 2_000


def outline_of(value: JsonValue, depth: int = DEPTH) -> JsonValue:
    """Return what is short in a JSON value: names and values of two levels; lists, and maps below those, are empty.

    At most a hundred names of a map, and 2,000 characters of a text, are kept.
    """
    if isinstance(value, str):
        return value[:MOST_CHARS]
    if isinstance(value, list):
        return []
    if isinstance(value, dict):
        kept = islice(value.items(), MOST_NAMES if depth else 0)
        return {name[:MOST_CHARS]: outline_of(inner, depth - 1) for name, inner in kept}
    return value
