"""Counts of metadata values, as a reader who narrows a search down wants them: values, ranges of numbers, years.

What is counted is pairs of a document and a value: a document with two tags counts for both, and with two numbers of
one range twice there. All bounds are those of a filter: `gte` is inside, `lt` is not.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from itertools import pairwise

from retrieval.filters import instant, number, values
from retrieval.stores.base import FacetCount
from retrieval.stores.facets import ranked_facets
from retrieval.stores.payload import token
from retrieval.types import JsonValue, Metadata

MAX_COUNTED = 100_000
"""Distinct values of a field that are counted; beyond, the rarest are left out."""
RANGES = 8
"""About so many ranges of numbers."""
_STEPS = (1.0, 2.0, 5.0, 10.0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers from `gte` on and below `lt`."""

    gte: float
    lt: float
    count: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a field; no ranges where they are too far apart to be parted evenly."""

    min: float
    max: float
    ranges: tuple[NumberRange, ...]


@dataclass(frozen=True, slots=True)
class Year:
    """Dates of a year, in UTC."""

    year: int
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """What a field holds: its most frequent values, dates apart; its numbers; its dates by year, the newest first.

    `others` is how many more values there are than those shown, dates not counted.
    """

    field: str
    values: tuple[FacetCount, ...]
    others: int
    numbers: Numbers | None
    years: tuple[Year, ...]


def counted(documents: Iterable[Metadata], field: str) -> list[FacetCount]:
    """Count documents by value of a field, the most frequent first, as a store does."""
    counts: Counter[str] = Counter()
    for metadata in documents:
        counts.update({token(value) for value in values(metadata.get(field))})
    return ranked_facets(counts, MAX_COUNTED)


def facet_of(field: str, counts: Sequence[FacetCount], *, limit: int) -> Facet:
    """Sum up the values of a field, given with the most frequent first."""
    dated = [(moment, one.count) for one in counts if (moment := instant(one.value)) is not None]
    plain = [one for one in counts if instant(one.value) is None]
    numeric = [(value, one.count) for one in plain if (value := number(one.value)) is not None]
    return Facet(field, tuple(plain[:limit]), max(0, len(plain) - limit), _numbers(numeric), _years(dated))


def year_of(value: JsonValue) -> int | None:
    """Return the year of a date, in UTC; None for anything else."""
    moment = instant(value)
    return None if moment is None else _year(moment)


def _year(moment: float) -> int:
    try:
        return (_EPOCH + timedelta(seconds=moment)).year
    except OverflowError:  # by its offset from UTC, a date of the first or last year may fall outside
        return MINYEAR if moment < 0 else MAXYEAR


def _years(dated: Iterable[tuple[float, int]]) -> tuple[Year, ...]:
    counts: Counter[int] = Counter()
    for moment, count in dated:
        counts[_year(moment)] += count
    return tuple(Year(year, counts[year]) for year in sorted(counts, reverse=True))


def _numbers(numeric: Sequence[tuple[float, int]]) -> Numbers | None:
    if not numeric:
        return None
    low, high = min(value for value, _ in numeric), max(value for value, _ in numeric)
    edges = _edges(low, high)
    counts: Counter[int] = Counter()
    for value, count in numeric if edges else ():
        counts[bisect_right(edges, value) - 1] += count
    ranges = tuple(NumberRange(edges[place], edges[place + 1], counts[place]) for place in sorted(counts))
    return Numbers(low, high, ranges)


def _edges(low: float, high: float) -> list[float]:
    """Return even bounds, a step of 1, 2 or 5 times a power of ten apart; none for what cannot be parted so."""
    least = (high - low) / RANGES
    if not 0 < least < math.inf:
        return []
    power = 10.0 ** math.floor(math.log10(least))
    step = next((power * part for part in _STEPS if power * part >= least), 0.0)
    if not 0 < step < math.inf:
        return []
    first = math.floor(low / step)
    last = math.floor(high / step)
    edges = [float(f"{place * step:.12g}") for place in range(first - 1, last + 3)]  # a quotient may be a hair off
    edges = edges[bisect_right(edges, low) - 1 : bisect_right(edges, high) + 1]
    is_whole = len(edges) > 1 and edges[0] <= low and high < edges[-1] < math.inf
    return edges if is_whole and all(one < other for one, other in pairwise(edges)) else []
