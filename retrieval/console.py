"""What every command shares: its options, how it opens the home, and how it prints."""

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from retrieval.catalog import DEFAULT_COLLECTION
from retrieval.home import Home
from retrieval.models import Exporter
from retrieval.settings import Settings
from retrieval.types import JsonValue

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of the catalog, models and index. [TANDEM_HOME, ~/.tandem]")
]
CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Which collection.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DEFAULT = DEFAULT_COLLECTION


def finite(value: float | None) -> float | None:
    """Refuse NaN, which passes every check of a range, and infinity."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"it is {value}; give a number.")
    return value


@contextmanager
def opened(context: typer.Context, home: Path | None) -> Iterator[Home]:
    """Open the home for one command; the entry point put the exporter of models into the context."""
    exporter: Exporter | None = context.obj
    instance = Home.open(Settings.from_environment(home=home), exporter)
    try:
        yield instance
    finally:
        instance.close()


def print_json(value: JsonValue) -> None:
    """Print one JSON document on stdout."""
    print_line(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_line(text: str = "") -> None:
    """Print a line for people on stdout, whatever their terminal can encode."""
    encoding = sys.stdout.encoding or "utf-8"
    typer.echo(text.encode(encoding, "replace").decode(encoding))


def note(text: str) -> None:
    """Print a line on stderr: progress, warnings, what to do next."""
    typer.echo(text, err=True)


def table(rows: list[list[str]], header: list[str]) -> None:
    """Print rows in aligned columns; numbers are right-aligned by whoever made the strings.

    What a terminal would obey, or what would break a line, is shown as a sign: cells hold documents' and users' texts.
    """
    rows = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _one_line(cell: str) -> str:
    if cell.isprintable():
        return cell
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in cell)
