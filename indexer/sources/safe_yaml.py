"""YAML from strangers: plain values only, few aliases, a bounded size."""

from datetime import date, datetime
from typing import Any

import yaml

from retrieval.types import JsonValue

MAX_ALIASES = 10
MAX_VALUES = 20_000


class _Loader(yaml.SafeLoader):
    """The safe loader with two more guards: few aliases, and a date that does not exist stays text."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MAX_ALIASES:  # each may double what those before it stand for
                raise yaml.YAMLError(f"it has more than {MAX_ALIASES} aliases")
        return super().compose_node(parent, index)


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> object:
    try:
        return loader.construct_yaml_timestamp(node)
    except (ValueError, OverflowError):
        return node.value


def _number(loader: _Loader, node: yaml.ScalarNode) -> object:
    """Read a number, but not base sixty: 12:30 is a time of day to everybody but YAML 1.1."""
    try:
        return node.value if ":" in node.value else loader.construct_yaml_int(node)
    except (ValueError, OverflowError):
        return node.value


def _real(loader: _Loader, node: yaml.ScalarNode) -> object:
    try:
        return node.value if ":" in node.value else loader.construct_yaml_float(node)
    except (ValueError, OverflowError):
        return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _real)


def loaded_yaml(text: str) -> JsonValue:
    """Return what a YAML text says, as JSON values: dates as ISO 8601, keys as text.

    Raises ValueError for what is not YAML, or more than front matter can sensibly be.
    """
    try:
        loaded = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except (yaml.YAMLError, TypeError, AttributeError, LookupError) as error:
        raise ValueError(_reason(error)) from None
    return _Plain().of(loaded)


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"{error.problem} (line {error.problem_mark.line + 1})"
    return str(error)


class _Plain:
    """Turns Python values into JSON values, counting, because aliases can make few lines say very much."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def of(self, value: Any) -> JsonValue:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values")
        match value:
            case dict():
                return {_name(name): self.of(inner) for name, inner in value.items()}
            case list() | tuple():
                return [self.of(inner) for inner in value]
            case set():
                return sorted(str(inner) for inner in value)
            case date() | datetime():
                return value.isoformat()
            case bytes():
                return value.decode("utf-8", "replace")
            case float() if value != value or value in (float("inf"), float("-inf")):
                return str(value)
            case str():
                return value.encode("utf-8", "replace").decode("utf-8")
        return value


def _name(name: Any) -> str:
    return name.isoformat() if isinstance(name, date) else str(name)
