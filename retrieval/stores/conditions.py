"""Filters as engine conditions: one walk over the algebra, and an engine's builder that makes each condition."""

import math
from typing import Protocol, TypeVar

from retrieval.filters import And, AnyOf, Exists, Filter, Interval, Not, Or, Range
from retrieval.stores.payload import PRESENT, digest, equality_field, instant_field, number_field, token

Condition = TypeVar("Condition")


class Conditions(Protocol[Condition]):
    """Makes an engine's conditions over payload fields."""

    def any_of(self, field: str, texts: list[str]) -> Condition:
        """Hold where the payload field has one of the strings."""
        ...

    def within(self, field: str, interval: Interval) -> Condition:
        """Hold where one number of the payload field lies within all bounds."""
        ...

    def every(self, clauses: list[Condition]) -> Condition:
        """Hold where all clauses do; everywhere without clauses."""
        ...

    def some(self, clauses: list[Condition]) -> Condition:
        """Hold where a clause does; `clauses` is not empty."""
        ...

    def negation(self, clause: Condition) -> Condition:
        """Hold where the clause does not."""
        ...


def translate(where: Filter, build: Conditions[Condition]) -> Condition:
    """Return the engine's condition for a filter."""
    match where:
        case AnyOf(field, values) if values:
            return build.any_of(equality_field(field), [token(value) for value in values])
        case Range():
            return build.within(_range_field(where), _tolerant(where.interval))
        case Exists(field):
            return build.any_of(PRESENT, [digest(field)])
        case And(clauses):
            return build.every([translate(clause, build) for clause in clauses])
        case Or(clauses) if clauses:
            return build.some([translate(clause, build) for clause in clauses])
        case Not(clause):
            return build.negation(translate(clause, build))
        case _:
            return build.negation(build.every([]))


def filtered_fields(where: Filter) -> set[tuple[str, str]]:
    """Return (metadata key, payload field) of each field that an index on it would help."""
    match where:
        case AnyOf(field):
            return {(field, equality_field(field))}
        case Range(field):
            return {(field, _range_field(where))}
        case Exists(field):
            return {(field, PRESENT)}
        case And(clauses) | Or(clauses):
            return set().union(*(filtered_fields(clause) for clause in clauses))
        case Not(clause):
            return filtered_fields(clause)


def _range_field(where: Range) -> str:
    return instant_field(where.field) if where.interval.instants else number_field(where.field)


def _tolerant(interval: Interval) -> Interval:
    """Move bounds by less than the 15th digit, so that a value stored a bit off still falls on its side.

    Qdrant's JSON reader gives back one float64 in eight with its last bit changed.
    """
    return Interval(
        instants=interval.instants,
        gt=_nudged(interval.gt, math.inf),
        gte=_nudged(interval.gte, -math.inf),
        lt=_nudged(interval.lt, -math.inf),
        lte=_nudged(interval.lte, math.inf),
    )


def _nudged(bound: float | None, towards: float) -> float | None:
    if bound is None:
        return None
    moved = math.nextafter(math.nextafter(bound, towards), towards)
    return moved if math.isfinite(moved) else bound
