"""Narrowing a search down on the page: filters in its link, and what could be filtered by, counted over what was found.

A filter in a link is written as on the command line (`kind=function`), one between two bounds as FIELD|FROM|BELOW.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.errors import UsageError
from retrieval.faceting import Facet, counted, facet_of
from retrieval.filter_parsing import parse_where
from retrieval.filters import And, Filter, Range
from retrieval.types import JsonValue, Metadata

MAX_GROUPS, MAX_OPTIONS = 4, 8
MAX_LABEL_CHARS = 60
LEAST_COVERED: Final = 0.3
"""A field is offered when at least this share of what was found has it,"""
MOST_DISTINCT: Final = 0.5
"""and has at most this many times as many values as documents."""
_IN_FILTERS: Final = re.compile(r"[^\s=<>!|](?:[^=<>!|]*[^\s=<>!|])?")
_YEAR: Final = re.compile(r"([0-9]{4})-01-01")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The filters of a search: those typed, and those chosen from what was offered."""

    where: str = ""
    filters: Sequence[str] = ()
    between: Sequence[str] = ()

    def parsed(self) -> Filter | None:
        """Return them as one filter; raises UsageError."""
        typed = [self.where] if self.where.strip() else []
        plain = parse_where([*typed, *self.filters])
        ranges = [_range(written) for written in self.between]
        return And((*([plain] if plain else []), *ranges)) if ranges else plain


@dataclass(frozen=True, slots=True)
class Option:
    """A value to filter by, how many of what was found have it, and the link that does it."""

    label: str
    count: int
    link: str


@dataclass(frozen=True, slots=True)
class Group:
    """A field with its options."""

    field: str
    options: Sequence[Option]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that was chosen, and the link without it."""

    label: str
    link: str


Link = Callable[..., str]


def chips(chosen: Chosen, link: Link) -> list[Chip]:
    """Return the filters that were chosen from what was offered."""
    plain = [
        Chip(text.replace("=", ": ", 1), link(filter=_without(chosen.filters, text)))
        for text in dict.fromkeys(chosen.filters)
    ]
    ranges = [
        Chip(_named(text), link(between=_without(chosen.between, text))) for text in dict.fromkeys(chosen.between)
    ]
    return plain + ranges


def groups(documents: Sequence[Metadata], chosen: Chosen, link: Link) -> list[Group]:
    """Return what the documents found could be narrowed down by: telling values first, then years, then numbers."""
    fields = [field for field in dict.fromkeys(key for one in documents for key in one) if _IN_FILTERS.fullmatch(field)]
    facets = [facet_of(field, counted(documents, field), limit=len(documents)) for field in fields]
    offered = [*_by_value(facets, documents, chosen, link), *_by_range(facets, documents, chosen, link)]
    return offered[:MAX_GROUPS]


def _by_value(facets: Sequence[Facet], documents: Sequence[Metadata], chosen: Chosen, link: Link) -> Iterator[Group]:
    telling = [facet for facet in facets if _is_telling(facet, len(documents))]
    for facet in sorted(telling, key=lambda facet: -sum(one.count for one in facet.values))[: MAX_GROUPS - 1]:
        told = [(_filter(facet.field, one.value), one) for one in facet.values]
        options = [
            Option(_shown(one.value), one.count, link(filter=(*chosen.filters, written)))
            for written, one in told
            if written not in chosen.filters and one.count < len(documents)
        ]
        if options:
            yield Group(facet.field, options[:MAX_OPTIONS])


def _is_telling(facet: Facet, documents: int) -> bool:
    """Tell whether a field parts the documents by a few short values, more of which are words than numbers."""
    values = [one.value for one in facet.values]
    is_short = all(0 < len(_shown(value)) <= MAX_LABEL_CHARS and _shown(value).isprintable() for value in values)
    is_named = bool(values) and sum(isinstance(value, str | bool) for value in values) * 2 >= len(values)
    is_known = sum(one.count for one in facet.values) >= LEAST_COVERED * documents
    return is_short and is_named and is_known and len(values) <= max(2.0, MOST_DISTINCT * documents)


def _by_range(facets: Sequence[Facet], documents: Sequence[Metadata], chosen: Chosen, link: Link) -> Iterator[Group]:
    for facet in sorted(facets, key=lambda facet: (not facet.years, facet.field != "created")):
        years = [(f"{facet.field}|{one.year:04}-01-01|{one.year + 1:04}-01-01", one.count) for one in facet.years]
        ranges = facet.numbers.ranges if facet.numbers else ()
        numbers = [(f"{facet.field}|{one.gte:.15g}|{one.lt:.15g}", one.count) for one in ranges]
        told = years or numbers
        if len(told) > 1 and sum(count for _, count in told) >= LEAST_COVERED * len(documents):
            options = [
                Option(_span(written), count, link(between=(*chosen.between, written)))
                for written, count in told
                if written not in chosen.between
            ]
            yield Group(facet.field, options[:MAX_OPTIONS])


def _filter(field: str, value: JsonValue) -> str:
    return f"{field}={_shown(value)}"


def _shown(value: JsonValue) -> str:
    return (
        str(value).lower() if isinstance(value, bool) else f"{value:.15g}" if isinstance(value, float) else str(value)
    )


def _range(written: str) -> Range:
    field, low, high = _parts(written)
    if _YEAR.fullmatch(low):
        return Range(field, gte=low, lt=high)
    try:
        return Range(field, gte=float(low), lt=float(high))
    except ValueError:
        raise UsageError(f"The filter {written[:100]!r} is not understood; choose it again.") from None


def _parts(written: str) -> tuple[str, str, str]:
    parts = written.split("|")
    if len(parts) != 3 or not _IN_FILTERS.fullmatch(parts[0]):
        raise UsageError(f"The filter {written[:100]!r} is not understood; choose it again.")
    return parts[0], parts[1], parts[2]


def _span(written: str) -> str:
    _, low, high = _parts(written)
    year = _YEAR.fullmatch(low)
    return year[1] if year else f"{low} to {high}"


def _named(written: str) -> str:
    return f"{_parts(written)[0]}: {_span(written)}"


def _without(filters: Sequence[str], one: str) -> tuple[str, ...]:
    return tuple(other for other in filters if other != one)


def query_of(fields: Mapping[str, object], defaults: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the fields of a link that differ from their defaults, each of a list by itself."""
    given = [(name, value) for name, value in fields.items() if value != defaults[name]]
    return [(name, str(one)) for name, value in given for one in (value if isinstance(value, tuple) else (value,))]
