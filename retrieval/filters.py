"""Metadata filters: a small algebra that every store translates, and `matches`, which says what each means.

JSON: {"field": F, "equals": V} | {"field": F, "any_of": [V, ...]} | {"field": F, "gt"|"gte"|"lt"|"lte": V, ...}
| {"field": F, "exists": true|false} | {"and": [...]} | {"or": [...]} | {"not": {...}}
(`retrieval.filter_parsing` reads and writes it, and reads the command line's form).

What a field is: a top-level key of the metadata, whole. "a.b" names the key "a.b"; nothing looks inside objects.
What a field's values are: a string, a boolean or a finite number is one value; a list has those of its elements;
nulls, objects, nested lists, NaN, infinities and numbers beyond float64 are not values.
When two values are equal: same kind and same value, so 1 equals 1.0 but neither true nor "1"; strings exactly.
What lies in a range: numbers are compared with numbers, to 15 significant digits (an engine may change the sixteenth
of what it stores); ISO 8601 dates in strings are compared with dates, as instants (without an offset: UTC). One and
the same value of a list must lie within all bounds.
"""

import calendar
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from retrieval.errors import UsageError
from retrieval.types import JsonValue, Metadata

Scalar = str | int | float | bool


def fields_of(where: "Filter") -> set[str]:
    """Return the fields that a filter looks at."""
    match where:
        case And(clauses) | Or(clauses):
            return set().union(*map(fields_of, clauses))
        case Not(clause):
            return fields_of(clause)
        case AnyOf(field) | Range(field) | Exists(field):
            return {field}


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field has one of the values; a list field matches when any element does. Equality is one value.

    Raises UsageError for a number that is not finite.
    """

    field: str
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        for value in self.values:
            if not is_value(value):
                raise UsageError(f"Filter on {self.field!r}: {value!r} cannot be compared; give a finite number.")


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds to 15 significant digits: numbers, or instants in seconds since 1970 UTC. None is no bound."""

    instants: bool
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None

    def holds(self, value: float) -> bool:
        """Say whether the number lies within every bound."""
        return (
            (self.gt is None or value > self.gt)
            and (self.gte is None or value >= self.gte)
            and (self.lt is None or value < self.lt)
            and (self.lte is None or value <= self.lte)
        )


@dataclass(frozen=True, slots=True)
class Range:
    """The field lies within the bounds: numbers, or ISO 8601 dates (all bounds of one kind).

    A date bound without a time stands for its whole day (month, year): lte 2024-05 includes all of May, gt excludes
    it. Raises UsageError for no bound, bounds of two kinds, or one that is neither a finite number nor a date.
    """

    field: str
    gt: float | str | None = None
    gte: float | str | None = None
    lt: float | str | None = None
    lte: float | str | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.gt, self.gte, self.lt, self.lte) if bound is not None]
        if len({isinstance(bound, str) for bound in bounds}) != 1:
            seen = ", ".join(map(repr, bounds)) or "no bound"
            raise UsageError(f"Range on {self.field!r} has {seen}; give one or more numbers, or one or more dates.")
        for bound in bounds:
            if (period(bound) is None) if isinstance(bound, str) else (number(bound) is None):
                raise UsageError(
                    f"Range on {self.field!r}: {bound!r} is neither a finite number nor an ISO 8601 date "
                    "such as 2024-05-01 or 2024-05-01T10:00:00Z."
                )

    @property
    def interval(self) -> Interval:
        """The bounds as numbers, dates resolved to instants."""
        bounds = {"gt": self.gt, "gte": self.gte, "lt": self.lt, "lte": self.lte}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        if any(isinstance(bound, str) for bound in given.values()):
            return _instants(given)
        return Interval(instants=False, **{name: number(bound) for name, bound in given.items()})


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is present, not null and not an empty list."""

    field: str


@dataclass(frozen=True, slots=True)
class And:
    """Every clause holds; with no clause, always true."""

    clauses: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one clause holds; with no clause, never true."""

    clauses: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The clause does not hold."""

    clause: "Filter"


Filter = AnyOf | Range | Exists | And | Or | Not


def matches(where: Filter, metadata: Metadata) -> bool:
    """Say whether a document with this metadata passes the filter."""
    match where:
        case AnyOf(field, wanted):
            keys = {_identity(value) for value in wanted}
            return any(_identity(value) in keys for value in values(metadata.get(field)))
        case Range(field):
            interval = where.interval
            read = instant if interval.instants else number
            points = (read(value) for value in values(metadata.get(field)))
            return any(point is not None and interval.holds(point) for point in points)
        case Exists(field):
            return is_present(metadata.get(field))
        case And(clauses):
            return all(matches(clause, metadata) for clause in clauses)
        case Or(clauses):
            return any(matches(clause, metadata) for clause in clauses)
        case Not(clause):
            return not matches(clause, metadata)


def is_present(field: JsonValue) -> bool:
    """Say whether a field is there in the sense of Exists."""
    return field is not None and field != []


def values(field: JsonValue) -> Iterator[Scalar]:
    """Yield the values a field has for filters: itself, or those of a list's elements."""
    yield from (value for value in (field if isinstance(field, list) else (field,)) if is_value(value))


def is_value(value: JsonValue) -> bool:
    """Say whether filters can compare this: a string, a boolean or a finite number."""
    return isinstance(value, (str, bool)) or number(value) is not None


def number(value: JsonValue) -> float | None:
    """Return a number to 15 significant digits; None for anything else, booleans and non-finite numbers included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        rounded = float(f"{float(value):.15g}")
    except OverflowError:
        return None
    return rounded if math.isfinite(rounded) else None


def _identity(value: Scalar) -> tuple[type, Scalar]:
    return (type(value) if isinstance(value, (str, bool)) else float, value)


_DATE = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?) ?(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?)?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400.0


def instant(value: JsonValue) -> float | None:
    """Return a date as seconds since 1970 UTC; None for anything that is not an ISO 8601 month, day or time.

    A bare year is left out: "2024" is as likely a number. A month or day is its first instant.
    """
    if not isinstance(value, str) or len(value) < len("2024-05"):
        return None
    span = period(value)
    return None if span is None else number(span[0])


def period(text: str) -> tuple[float, float] | None:
    """Return the first instant of a date and the first one after it, equal for a date with a time; None for no date."""
    found = _DATE.fullmatch(text) if len(text) <= 40 else None
    if found is None:
        return None
    year, month, day = (int(found[name] or 1) for name in ("year", "month", "day"))
    zone = found["zone"] or "+00:00"
    try:
        moment = datetime.fromisoformat(f"{year:04}-{month:02}-{day:02}T{found['time'] or '00:00'}{zone}")
        start = (moment - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None
    return start, start + _length_s(found, year, month)


def _length_s(found: re.Match[str], year: int, month: int) -> float:
    if found["time"]:
        return 0.0
    if found["day"]:
        return _DAY_S
    if found["month"]:
        return _DAY_S * calendar.monthrange(year, month)[1]
    return _DAY_S * (366 if calendar.isleap(year) else 365)


def _instants(bounds: Mapping[str, float | str]) -> Interval:
    spans = {name: period(str(bound)) or (math.nan, math.nan) for name, bound in bounds.items()}
    # After a whole day means from the next one on; up to it means before the next one.
    limits: dict[str, float] = {}
    for name, (start, end) in spans.items():
        if start == end or name in ("gte", "lt"):
            limits[name] = start
        else:
            limits["gte" if name == "gt" else "lt"] = end
    return Interval(instants=True, **{name: number(limit) for name, limit in limits.items()})
