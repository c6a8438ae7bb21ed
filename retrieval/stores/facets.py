"""The order of facet counts, the same in every store."""

from collections.abc import Mapping

from retrieval.stores.base import FacetCount
from retrieval.stores.payload import read_token


def ranked_facets(counts: Mapping[str, int], limit: int) -> list[FacetCount]:
    """Order counted tokens: most frequent first, then booleans, numbers, strings, each ascending."""
    best = sorted(counts.items(), key=_order)[: max(0, limit)]
    return [FacetCount(read_token(text), count) for text, count in best]


def _order(counted: tuple[str, int]) -> tuple[int, int, float, str]:
    text, count = counted
    value = read_token(text)
    if isinstance(value, str):
        return (-count, 2, 0.0, value)
    return (-count, 0 if isinstance(value, bool) else 1, float(value), text)
