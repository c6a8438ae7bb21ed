"""Corpus JSONL, BEIR's layout: a line a document, `{"_id", "title", "text", "url"?, "metadata"?}`."""

import io
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from indexer.sources.base import Item, Problem, SourceOptions
from indexer.sources.fields import web_address
from indexer.sources.records import (
    CREATED,
    TAGS,
    UPDATED,
    Records,
    first_date,
    is_storable,
    paragraphs,
    storable,
    tag_list,
)
from indexer.sources.texts import MARKUPS, blocks_and_links
from retrieval.errors import Skipped
from retrieval.types import Block, Document, JsonValue, Link

_ID = ("_id", "id")
_TEXT = ("text", "body", "content")
_OWN = frozenset({*_ID, *_TEXT, "title", "url", "metadata"})


class _Refused(Exception):
    """Why a line cannot become a document."""


def parse(data: bytes, item: Item, options: SourceOptions) -> list[Document | Problem]:
    """Return a document for each line, and a Problem for each that cannot become one; ids come back unchanged.

    A record may name its markup with `"format": "markdown"` or `"html"`; otherwise its text is plain and kept as
    written. Fields that this layout does not know become metadata. Raises Skipped for a file without a line.
    """
    records = Records(item, "line")
    lines = 0
    for number, raw in enumerate(io.BytesIO(data.removeprefix(b"\xef\xbb\xbf")), start=1):
        if not raw.strip():
            continue
        lines += 1
        try:
            records.add(_document(_record(raw), options), number)
        except _Refused as reason:
            records.refuse(number, str(reason))
    if not lines:
        raise Skipped(f"{item.key} has no line in it.")
    return records.parts()


def _record(raw: bytes) -> dict[str, Any]:
    try:
        record = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise _Refused(f"is not UTF-8: {_shown(raw)}") from None
    except (ValueError, RecursionError) as error:
        raise _Refused(f"is not JSON ({error}): {_shown(raw)}") from None
    if not isinstance(record, dict):
        raise _Refused(f"is not an object but {_shown(record)}")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _document(record: Mapping[str, Any], options: SourceOptions) -> Document:
    title = _string(record, ("title",)) or ""
    blocks, links = _content(record, title, options)
    fields = _metadata(record)
    written = _string(record, ("url",)) or ""
    url = web_address(written)
    if written and url is None:
        fields["url"] = storable(written)  # no address that a page could link to, so only told
    created_in, created = first_date(fields, CREATED)
    updated_in, updated = first_date(fields, UPDATED)
    tags_in = next((name for name in TAGS if tag_list(record.get(name))), None)
    used = {name for name in (created_in, updated_in, tags_in) if name in record}
    return Document(
        id=_id(record),
        title=storable(title),
        blocks=blocks,
        url=url,
        created=created,
        updated=updated,
        tags=tag_list(storable(record[tags_in])) if tags_in else (),
        metadata={name: value for name, value in fields.items() if name not in used},
        links=links,
    )


def _id(record: Mapping[str, Any]) -> str:
    name = next((name for name in _ID if name in record), None)
    if name is None:
        raise _Refused('has no "_id"')
    value = record[name]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or not is_storable(value):
        raise _Refused(f'has the "{name}" {_shown(value)}; an id is a string that is not empty')
    return value


def _content(
    record: Mapping[str, Any], title: str, options: SourceOptions
) -> tuple[tuple[Block, ...], tuple[Link, ...]]:
    text = _string(record, _TEXT)
    if text is None:
        raise _Refused('has no "text"')
    text = storable(text)
    if not text.strip():
        # Corpora have documents that are a title and nothing else; these can still be the answer.
        if not title.strip():
            raise _Refused(f"has the text {_shown(text)} and no title, so there is nothing to find it by")
        return paragraphs(storable(title)), ()
    markup = record.get("format", options.format)
    return blocks_and_links(text, markup if markup in MARKUPS else "text")


def _metadata(record: Mapping[str, Any]) -> dict[str, JsonValue]:
    own = record.get("metadata")
    if own is not None and not isinstance(own, dict):
        raise _Refused(f'has the "metadata" {_shown(own)}; it is an object')
    others = {name: value for name, value in record.items() if name not in _OWN and value is not None}
    if others.get("format") in ("text", *MARKUPS):
        del others["format"]  # it was about the text, which has been read by now
    merged: dict[str, JsonValue] = storable({**others, **(own or {})})
    return merged


def _string(record: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """Return the first of the named fields that is there and not null."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str):
            return value
        if value is not None:
            raise _Refused(f'has the "{name}" {_shown(value)}; it is a string')
    return None


def _shown(value: object) -> str:
    """Show a value seen, cut short."""
    text = value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
