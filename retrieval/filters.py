"""Metadata filters: a small algebra that every store translates, with one JSON form and one command-line form.

JSON: {"field": F, "equals": V} | {"field": F, "any_of": [V, ...]} | {"field": F, "gt"|"gte"|"lt"|"lte": V, ...}
| {"field": F, "exists": true|false} | {"and": [...]} | {"or": [...]} | {"not": {...}}.
"""

from dataclasses import dataclass

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field has one of the values; a list field matches when any element does. Equality is one value."""

    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The field lies within the bounds: numbers, or ISO 8601 dates (all bounds of one kind)."""

    field: str
    gt: float | str | None = None
    gte: float | str | None = None
    lt: float | str | None = None
    lte: float | str | None = None


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
