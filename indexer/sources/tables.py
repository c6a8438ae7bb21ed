"""Tables with a header, CSV or TSV: a row a document."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from indexer.sources.base import Item, Problem, SourceOptions
from indexer.sources.decoding import decoded
from indexer.sources.records import (
    CREATED,
    TAGS,
    UPDATED,
    Records,
    first_date,
    is_storable,
    number_or_text,
    paragraphs,
    storable,
    tag_list,
)
from indexer.sources.texts import blocks_and_links
from retrieval.errors import Skipped
from retrieval.types import Document, JsonValue

_DELIMITERS = ",\t;|"
_SAMPLE_ROWS = 50
_ID, _TITLE = ("_id", "id"), ("title", "name")
_TEXT, _URL = ("text", "body", "content", "description"), ("url", "link")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a table plays which part; `names` is the header, each name once."""

    names: tuple[str, ...]
    id: str | None
    title: str | None
    text: str | None
    url: str | None
    tags: str | None

    @classmethod
    def of(cls, header: list[str]) -> "Columns":
        """Find the parts in a header, in any letter case; a column without a name is called after its place."""
        names: list[str] = []
        for place, cell in enumerate(header, start=1):
            name = storable(cell.strip()) or f"column_{place}"
            names.append(name if name not in names else f"{name}_{place}")
        lower = {name.lower(): name for name in reversed(names)}
        parts = ((lower[known] for known in part if known in lower) for part in (_ID, _TITLE, _TEXT, _URL, TAGS))
        return cls(tuple(names), *(next(part, None) for part in parts))

    def parts(self) -> list[str]:
        """Name the columns that play a part."""
        return [name for name in (self.id, self.title, self.text, self.url, self.tags) if name]


def parse(data: bytes, item: Item, options: SourceOptions) -> list[Document | Problem]:
    """Return a document for each row, and a Problem for each that has no id or more cells than the header.

    The columns id, title, text, url, tags and dates are known by their usual names; the others become metadata,
    numbers as numbers. Without an id column a row is called `file.csv#1` by its place below the header; without a
    text column its text is every column as "name: value".

    Raises Skipped for an empty table and for binary data.
    """
    text = _decoded(data)
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text, item.key))
    records = Records(item, "row")
    columns: Columns | None = None
    number = 0
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = Columns.of(cells)
                continue
            number += 1
            _add(records, columns, cells, number, (item, options))
    except csv.Error as error:
        records.refuse(number + 1, f"ends the table, because it cannot be read ({error})")
    if columns is None:
        raise Skipped(f"{item.key} has no row in it.")
    return records.parts()


def _add(records: Records, columns: Columns, cells: list[str], number: int, source: tuple[Item, SourceOptions]) -> None:
    if len(cells) > len(columns.names):
        last, width = cells[-1][:60], len(columns.names)
        records.refuse(number, f"has {len(cells)} cells where the header has {width}; the last is {last!r}")
        return
    row = dict.fromkeys(columns.names, "") | dict(zip(columns.names, cells, strict=False))
    if columns.id and not (row[columns.id] and is_storable(row[columns.id])):
        records.refuse(number, f"has the {columns.id} {row[columns.id]!r}; an id is a string that is not empty")
        return
    item, options = source
    document_id = row[columns.id] if columns.id else f"{item.key}#{number}"
    document = _document(document_id, {name: storable(value) for name, value in row.items()}, columns, item, options)
    if document.blocks:
        records.add(document, number)
    else:
        records.refuse(number, f"has no {columns.text}, so there is nothing to find it by", skipped=True)


def delimiter_of(text: str, name: str) -> str:
    """Return the delimiter that cuts the first rows into the most equal columns; .tsv settles it."""
    if name.lower().endswith((".tsv", ".tab")):
        return "\t"

    def columns(delimiter: str) -> tuple[float, int]:
        rows = csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=delimiter)
        counts: list[int] = []
        try:
            counts.extend(len(row) for row, _ in zip(rows, range(_SAMPLE_ROWS), strict=False) if row)
        except csv.Error:
            return (0.0, 0)
        if not counts or counts[0] < 2:
            return (0.0, 0)
        return (sum(count == counts[0] for count in counts) / len(counts), counts[0])

    return max(_DELIMITERS, key=columns)


def _decoded(data: bytes) -> str:
    """Read UTF-8 exactly as it is, because ids are among the cells; anything else as well as can be."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return decoded(data)


def _document(
    document_id: str, row: Mapping[str, str], columns: Columns, item: Item, options: SourceOptions
) -> Document:
    title = row[columns.title].strip() if columns.title else ""
    text = row[columns.text] if columns.text else _joined(row, columns)
    blocks, links = blocks_and_links(text, options.format, item)
    lowered = {name.lower(): value for name, value in row.items()}
    created_in, created = first_date(lowered, CREATED)
    updated_in, updated = first_date(lowered, UPDATED)
    used = {created_in, updated_in, *(name.lower() for name in columns.parts())}
    return Document(
        id=document_id,
        title=title,
        blocks=blocks or paragraphs(title),
        url=(row[columns.url].strip() or None) if columns.url else None,
        created=created,
        updated=updated,
        tags=tag_list(row[columns.tags]) if columns.tags else (),
        metadata=_metadata(row, used),
        links=links,
    )


def _joined(row: Mapping[str, str], columns: Columns) -> str:
    """Write a row without a text column out in full, so that any of its cells can be found."""
    return "\n".join(f"{name}: {value}" for name, value in row.items() if value.strip() and name != columns.id)


def _metadata(row: Mapping[str, str], used: set[str | None]) -> dict[str, JsonValue]:
    return {
        name: number_or_text(value.strip()) for name, value in row.items() if value.strip() and name.lower() not in used
    }
