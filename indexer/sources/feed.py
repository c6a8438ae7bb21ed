"""RSS and Atom feeds: an entry a document. Only bytes are parsed here; nothing is ever fetched."""

import io
from calendar import timegm
from datetime import UTC, datetime
from typing import Any

from indexer.sources.base import Item, Problem, SourceOptions
from indexer.sources.fields import web_address
from indexer.sources.markup_bounds import bounded
from indexer.sources.records import Records, is_storable, paragraphs, storable
from indexer.sources.texts import blocks_and_links, without_tags
from retrieval.errors import ParseError, Skipped
from retrieval.types import Document


def parse(data: bytes, item: Item, options: SourceOptions) -> list[Document | Problem]:  # noqa: ARG001 - every parser takes them
    """Return a document for each entry, named by its own id or link, and a Problem for each that has neither.

    Raises Skipped for a feed without entries and ParseError for bytes that are no feed.
    """
    feed = _parsed(data, item)
    if not feed.get("entries"):
        if feed.get("version"):
            raise Skipped(f"{item.key} is a feed without entries.")
        reason = feed.get("bozo_exception") or "no rss or feed element"
        raise ParseError(f"{item.key} is not an RSS or Atom feed ({str(reason)[:200]}); check what it holds.")
    records = Records(item, "entry")
    about = _text(feed.get("feed", {}), "title")
    for number, entry in enumerate(feed["entries"], start=1):
        document_id = _text(entry, "id") or _text(entry, "link")
        if not document_id or not is_storable(document_id):
            records.refuse(number, f"has neither an id nor a link; its title is {_text(entry, 'title')[:80]!r}")
            continue
        document = _document(entry, document_id, about)
        if document.blocks:
            records.add(document, number)
        else:
            records.refuse(number, f"{document_id[:80]!r} has neither a text nor a title", skipped=True)
    return records.parts()


def _parsed(data: bytes, item: Item) -> dict[str, Any]:
    import feedparser  # type: ignore[import-untyped] # it ships no types
    from feedparser.encodings import convert_to_utf8  # type: ignore[import-untyped]

    base = {"content-location": item.locator} if item.locator.startswith(("http://", "https://")) else {}
    try:
        text = convert_to_utf8({}, data, {}).decode("utf-8", "replace")  # as the parser does: encodings can hide tags
        # As a stream: feedparser takes plain bytes for a file name and a string for a URL. What it would sanitize
        # becomes text here anyway.
        parsed: dict[str, Any] = feedparser.parse(
            io.BytesIO(bounded(text).encode()), response_headers=base, sanitize_html=False
        )
    except Exception as error:  # the library meets hostile XML with whatever its parts raise
        raise ParseError(f"{item.key} is not a feed that can be read ({type(error).__name__}: {error}).") from None
    return parsed


def _document(entry: dict[str, Any], document_id: str, about: str) -> Document:
    title = _title(entry)
    text, markup = _content(entry)
    blocks, links = blocks_and_links(text, markup)
    said = {"feed": about, "author": _text(entry, "author")}
    return Document(
        id=document_id,
        title=title,
        blocks=blocks or paragraphs(title),
        url=web_address(_text(entry, "link")),
        created=_moment(entry, "published_parsed") or _moment(entry, "created_parsed"),
        updated=_moment(entry, "updated_parsed"),
        tags=_tags(entry),
        metadata={name: value for name, value in said.items() if value},
        links=links,
    )


def _title(entry: dict[str, Any]) -> str:
    title = _text(entry, "title")
    if dict.get(entry.get("title_detail", {}), "type") == "text/plain":
        return title
    return " ".join(without_tags(title).split())


def _content(entry: dict[str, Any]) -> tuple[str, str]:
    """Return the fullest text of an entry and its markup."""
    candidates = [*entry.get("content", []), entry.get("summary_detail") or {}]
    written = [candidate for candidate in candidates if isinstance(candidate.get("value"), str)]
    fullest = max(written, key=lambda candidate: len(candidate["value"]), default={"value": "", "type": ""})
    markup = "text" if fullest.get("type") == "text/plain" else "html"
    return storable(fullest["value"]), markup


def _text(part: Any, name: str) -> str:
    # dict.get, because feedparser's own stands in for absent fields and warns that it does
    value = dict.get(part, name)
    return storable(value.strip()) if isinstance(value, str) else ""


def _moment(entry: dict[str, Any], name: str) -> str | None:
    parsed = dict.get(entry, name)
    if parsed is None:
        return None
    try:
        return datetime.fromtimestamp(timegm(parsed), tz=UTC).isoformat()
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _tags(entry: dict[str, Any]) -> tuple[str, ...]:
    terms = (_text(tag, "term") for tag in entry.get("tags", []) if isinstance(tag, dict))
    return tuple(dict.fromkeys(term for term in terms if term))
