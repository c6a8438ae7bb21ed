"""Documents that come many to a file: collected one by one, with what is wrong with each bad one beside them."""

import math
import re
from collections.abc import Mapping
from typing import Any

from indexer.sources.base import Item, Problem
from indexer.sources.dates import iso_date
from retrieval.types import Block, BlockKind, Document, JsonValue

MOST_PROBLEMS = 1000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?(?:[eE][+-]?\d{1,3})?")

CREATED = ("created", "created_at", "date", "published", "published_at", "pubdate")
UPDATED = ("updated", "updated_at", "modified", "last_modified", "lastmod")
TAGS = ("tags", "keywords", "categories")


class Records:
    """The documents and problems of one file. Of two records with one id the first stays."""

    def __init__(self, item: Item, unit: str) -> None:
        """Take the file and what its records are called: "line", "row" or "entry"."""
        self._item = item
        self._unit = unit
        self._seen: dict[str, int] = {}
        self._documents: list[Document] = []
        self._problems: list[Problem] = []
        self._untold = 0

    def add(self, document: Document, number: int) -> None:
        """Keep a document, unless its id was seen before."""
        first = self._seen.setdefault(document.id, number)
        if first == number:
            self._documents.append(document)
        else:
            self.refuse(number, f"repeats the id {document.id[:80]!r} of {self._unit} {first}, which is kept")

    def refuse(self, number: int, reason: str, *, skipped: bool = False) -> None:
        """Note a record that cannot become a document."""
        if len(self._problems) < MOST_PROBLEMS:
            key = f"{self._item.key}:{number}"
            self._problems.append(Problem(key, f"{self._unit} {number} {reason}.", skipped))
        else:
            self._untold += 1

    def parts(self) -> list[Document | Problem]:
        """Return the documents, then the problems; past a thousand these are only counted."""
        parts: list[Document | Problem] = [*self._documents, *self._problems]
        if self._untold:
            more = f"{self._untold:,} more {self._unit}s could not be read; mend the ones named first."
            parts.append(Problem(self._item.key, more, False))
        return parts


def paragraphs(text: str) -> tuple[Block, ...]:
    """Split plain text on blank lines, changing nothing else."""
    found = (part.strip("\n\r") for part in re.split(r"\n[^\S\n]*(?:\n[^\S\n]*)+", text.replace("\r\n", "\n")))
    return tuple(Block(BlockKind.PARAGRAPH, part) for part in found if part.strip())


def storable(value: JsonValue) -> JsonValue:
    """Return a JSON value whose strings every database takes: no NUL, no lone surrogate; infinities become null."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [storable(element) for element in value]
    if isinstance(value, dict):
        return {storable(str(key)): storable(element) for key, element in value.items()}
    return value


def is_storable(text: str) -> bool:
    """Say whether a string can be kept as it is, which an id must be."""
    return not _UNSTORABLE.search(text)


def number_or_text(text: str) -> int | float | str:
    """Return the number that a table's cell plainly is; 007 and 1e999 stay text."""
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    return int(text) if re.fullmatch(r"-?\d+", text) else number


def tag_list(value: Any) -> tuple[str, ...]:
    """Return the tags in a list of strings, or in one string separated by commas."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(dict.fromkeys(part.strip() for part in parts if isinstance(part, str) and part.strip()))


def first_date(fields: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Return the first of the named fields that holds a date, and the date; (None, None) where none does."""
    for name in names:
        if found := iso_date(fields.get(name)):
            return name, found
    return None, None
