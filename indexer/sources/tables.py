"""Tables with a header, CSV or TSV: a row a document."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from indexer.sources.base import Item, Problem, SourceOptions
from indexer.sources.decoding import decoded
from indexer.sources.fields import web_address
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
from indexer.sources.texts import Read, blocks_and_links
from retrieval.errors import Skipped
from retrieval.types import Document, JsonValue

_DELIMITERS = ",\t;|"
_SAMPLE_ROWS = 50
_ID, _TITLE = ("_id", "id"), ("title", "name")
_TEXT, _URL = ("text", "body", "content", "description"), ("url", "link")

Reader = Callable[[str], Read]


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
        names: dict[str, None] = {}
        for place, cell in enumerate(header, start=1):
            name = str(storable(cell.strip())) or f"column_{place}"
            while name in names:
                name = f"{name}_{place}"
            names[name] = None
        lower = {name.lower(): name for name in reversed(list(names))}
        parts = ((lower[known] for known in part if known in lower) for part in (_ID, _TITLE, _TEXT, _URL, TAGS))
        return cls(tuple(names), *(next(part, None) for part in parts))

    def parts(self) -> list[str]:
        """Name the columns that play a part."""
        return [name for name in (self.id, self.title, self.text, self.url, self.tags) if name]

    def fault(self, cells: list[str]) -> str | None:
        """Say why a row cannot become a document, or None where it can."""
        if len(cells) > len(self.names):
            last, width = cells[-1][:60], len(self.names)
            return f"has {len(cells)} cells where the header has {width}; the last is {last!r}"
        if self.id is None:
            return None
        place = self.names.index(self.id)
        value = cells[place] if place < len(cells) else ""
        if value and is_storable(value):
            return None
        return f"has the {self.id} {value!r}; an id is a string that is not empty"

    def row(self, cells: list[str]) -> dict[str, str]:
        """Return the cells of a row by the names of their columns; a short row lacks some."""
        return dict(zip(self.names, map(str, map(storable, cells)), strict=False))


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
    rows = _filled(reader, records)
    header = next(rows, None)
    if header is None:
        raise Skipped(f"{item.key} has no row in it.")
    columns = Columns.of(header)
    read = partial(blocks_and_links, markup=options.format)
    for number, cells in enumerate(rows, start=1):
        if fault := columns.fault(cells):
            records.refuse(number, fault)
            continue
        document = _document(columns.row(cells), f"{item.key}#{number}", columns, read)
        if document.blocks:
            records.add(document, number)
        else:
            records.refuse(number, f"has no {columns.text}, so there is nothing to find it by", skipped=True)
    return records.parts()


def _filled(reader: Iterator[list[str]], records: Records) -> Iterator[list[str]]:
    """Give the rows that have anything in them, up to one that the reader stumbles over."""
    number = -1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                number += 1
                yield cells
    except csv.Error as error:
        records.refuse(number + 1, f"cannot be read ({error}), nor what follows it")


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


def _document(row: Mapping[str, str], name: str, columns: Columns, read: Reader) -> Document:
    def cell(column: str | None) -> str:
        return row.get(column, "").strip() if column else ""

    blocks, links = read(row.get(columns.text, "") if columns.text else _joined(row, columns))
    lowered = {name.lower(): value for name, value in row.items()}
    created_in, created = first_date(lowered, CREATED)
    updated_in, updated = first_date(lowered, UPDATED)
    url = web_address(cell(columns.url))
    parts = [name for name in columns.parts() if name != columns.url or url]
    used = {created_in, updated_in, *(name.lower() for name in parts)}
    return Document(
        id=row[columns.id] if columns.id else name,
        title=cell(columns.title),
        blocks=blocks or paragraphs(cell(columns.title)),
        url=url,
        created=created,
        updated=updated,
        tags=tag_list(cell(columns.tags)),
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
