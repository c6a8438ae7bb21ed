"""Filters from outside: their JSON form and the command line's, read strictly; both are hostile until checked."""

import re
from collections.abc import Mapping, Sequence

from retrieval.errors import UsageError
from retrieval.filters import And, AnyOf, Exists, Filter, Not, Or, Range, Scalar, is_value, period
from retrieval.types import JsonValue

MAX_DEPTH = 8
"""How deep and/or/not may nest."""
MAX_CLAUSES = 100
"""How many clauses a filter may have, groups included."""
MAX_VALUES = 1_000
"""How many values any_of may list."""
MAX_TEXT = 1_000
"""How many characters a field name or a string value may have."""

_BOUNDS = ("gt", "gte", "lt", "lte")


def parse_filter(form: JsonValue) -> Filter:
    """Read a filter's JSON form (already decoded).

    Raises UsageError that names the place, the value seen and the forms allowed.
    """
    return _Parser().read(form, "filter", depth=1)


def filter_to_json(where: Filter) -> dict[str, JsonValue]:
    """Return the JSON form, which parse_filter reads back."""
    match where:
        case AnyOf(field, values):
            return {"field": field, "any_of": list(values)}
        case Range(field):
            bounds = {name: getattr(where, name) for name in _BOUNDS}
            return {"field": field} | {name: bound for name, bound in bounds.items() if bound is not None}
        case Exists(field):
            return {"field": field, "exists": True}
        case And(clauses):
            return {"and": [filter_to_json(clause) for clause in clauses]}
        case Or(clauses):
            return {"or": [filter_to_json(clause) for clause in clauses]}
        case Not(clause):
            return {"not": filter_to_json(clause)}


def parse_where(expressions: Sequence[str]) -> Filter | None:
    """Read the command line's filters, all of which must hold: k=v, k!=v, k>v, k>=v, k<v, k<=v, k, !k.

    A value that reads as a number or a boolean matches that as well as the string; a range on four digits holds
    for numbers and for dates of that year on. None without expressions. Raises UsageError.
    """
    if len(expressions) > MAX_CLAUSES:
        raise UsageError(f"--where is given {len(expressions)} times; at most {MAX_CLAUSES} are allowed.")
    clauses = tuple(_expression(text) for text in expressions)
    return clauses[0] if len(clauses) == 1 else And(clauses) if clauses else None


class _Parser:
    """Counts clauses over the whole filter while descending."""

    def __init__(self) -> None:
        self.clauses = 0

    def read(self, form: JsonValue, place: str, depth: int) -> Filter:
        self.clauses += 1
        if self.clauses > MAX_CLAUSES or depth > MAX_DEPTH:
            raise UsageError(f"The filter has more than {MAX_CLAUSES} clauses or {MAX_DEPTH} levels; simplify it.")
        if not isinstance(form, dict):
            raise UsageError(f"{place} is {_shown(form)}; give an object such as {{'field': 'year', 'equals': 2024}}.")
        if "field" in form:
            return _field_clause(form, place)
        if len(form) != 1 or (operator := next(iter(form))) not in ("and", "or", "not"):
            raise UsageError(f"{place} has the keys {_shown(list(form))}; give 'field', or one of 'and', 'or', 'not'.")
        if operator == "not":
            return Not(self.read(form["not"], f"{place}.not", depth + 1))
        clauses = self._group(form[operator], f"{place}.{operator}", depth + 1)
        return And(clauses) if operator == "and" else Or(clauses)

    def _group(self, forms: JsonValue, place: str, depth: int) -> tuple[Filter, ...]:
        if not isinstance(forms, list):
            raise UsageError(f"{place} is {_shown(forms)}; give a list of filters.")
        return tuple(self.read(form, f"{place}[{index}]", depth) for index, form in enumerate(forms))


def _field_clause(form: Mapping[str, JsonValue], place: str) -> Filter:
    field = _text(form["field"], f"{place}.field")
    operators = {name: value for name, value in form.items() if name != "field"}
    match sorted(operators):
        case ["equals"]:
            return AnyOf(field, (_scalar(operators["equals"], f"{place}.equals"),))
        case ["any_of"]:
            return AnyOf(field, _values(operators["any_of"], f"{place}.any_of"))
        case ["exists"] if isinstance(operators["exists"], bool):
            return Exists(field) if operators["exists"] else Not(Exists(field))
        case [_, *_] as names if set(names) <= set(_BOUNDS):
            return Range(field, **{name: _bound(operators[name], f"{place}.{name}") for name in names})
        case _:
            raise UsageError(
                f"{place} on {field!r} has {_shown(operators)}; give 'equals', 'any_of', 'exists' (true or false), "
                "or bounds out of 'gt', 'gte', 'lt', 'lte'."
            )


def _values(listed: JsonValue, place: str) -> tuple[Scalar, ...]:
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_VALUES:
        raise UsageError(f"{place} is {_shown(listed)}; give a list of 1 to {MAX_VALUES} values.")
    return tuple(_scalar(value, f"{place}[{index}]") for index, value in enumerate(listed))


def _scalar(value: JsonValue, place: str) -> Scalar:
    if isinstance(value, str):
        return _text(value, place, empty=True)
    if not is_value(value):
        raise UsageError(f"{place} is {_shown(value)}; give a string, a finite number, true or false.")
    scalar: Scalar = value
    return scalar


def _bound(value: JsonValue, place: str) -> float | str:
    scalar = _scalar(value, place)
    if isinstance(scalar, bool):
        raise UsageError(f"{place} is {_shown(value)}; give a number or an ISO 8601 date.")
    return scalar


def _text(value: JsonValue, place: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not (value or empty):
        raise UsageError(f"{place} is {_shown(value)}; give a string of at most {MAX_TEXT} characters.")
    return value


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= 120 else f"{text[:117]}..."


_EXPRESSION = re.compile(r"(?P<field>[^=<>!]+)(?P<operator>!=|>=|<=|=|>|<)(?P<value>.*)", re.DOTALL)
_PRESENCE = re.compile(r"(?P<absent>!?)(?P<field>[^=<>!]+)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,3})?")
_OPERATORS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


def _expression(text: str) -> Filter:
    if found := _EXPRESSION.fullmatch(text):
        field, operator, value = _field(found["field"], text), found["operator"], found["value"]
        if operator in _OPERATORS:
            return _range(field, _OPERATORS[operator], value.strip())
        equality = AnyOf(field, _readings(_text(value, f"--where {field}", empty=True)))
        return Not(equality) if operator == "!=" else equality
    if found := _PRESENCE.fullmatch(text):
        exists = Exists(_field(found["field"], text))
        return Not(exists) if found["absent"] else exists
    raise UsageError(f"The filter {_shown(text)} is not understood; write k=v, k!=v, k>=v, k>v, k<=v, k<v, k or !k.")


def _field(raw: str, expression: str) -> str:
    return _text(raw.strip(), f"The field of --where {_shown(expression)}")


def _readings(text: str) -> tuple[Scalar, ...]:
    if text.lower() in ("true", "false"):
        return (text.lower() == "true", text)
    read = _number(text)
    return (text,) if read is None else (read, text)


def _number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    read = int(text) if re.fullmatch("[+-]?[0-9]+", text) else float(text)
    return read if is_value(read) else None


def _range(field: str, bound: str, text: str) -> Filter:
    read = _number(text)
    if read is None:
        return Range(field, **{bound: text})
    numbers = Range(field, **{bound: read})
    if period(text) is None:
        return numbers
    return Or((numbers, Range(field, **{bound: text})))
