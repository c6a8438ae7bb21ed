"""The table of settings in docs/configuration.md, made from `Settings`: `python -m tests.configuration_table`."""

import ast
import inspect
import re
import types
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from retrieval.settings import Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
PLACE = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)", re.DOTALL)
KINDS = {Path: "folder", str: "text", bool: "true, false", int: "whole number"}


def table() -> str:
    """Return the table, a row a setting in the order of their fields."""
    told, hints = _told(), get_type_hints(Settings)
    rows = [
        f"| `TANDEM_{f.name.upper()}` | {told[f.name]} | {_kind(hints[f.name])} | {_default(f)} |" for f in _fields()
    ]
    return "\n".join(["| variable | meaning | value | default |", "|---|---|---|---|", *rows, ""])


def written() -> str:
    """Return the table as it stands in the docs."""
    found = PLACE.search(PAGE.read_text(encoding="utf-8"))
    assert found, f"{PAGE} has no place for the settings"
    return found[0]


def _fields() -> tuple[Field[Any], ...]:
    return fields(Settings)


def _told() -> dict[str, str]:
    """Return what stands below each field: Python keeps no docstrings of fields."""
    (body,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(body, ast.ClassDef)
    told = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(below, ast.Expr), f"Settings.{field.target.id} lacks the docstring that documents it"
            told[field.target.id] = str(ast.literal_eval(below.value)).rstrip(".").replace("|", "\\|")
    return told


def _kind(hint: Any) -> str:
    kinds = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return " or ".join(KINDS[kind] for kind in kinds if kind is not types.NoneType)


def _default(field: Field[Any]) -> str:
    value = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return "" if value in ("", None) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(PLACE.sub(lambda _: table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
