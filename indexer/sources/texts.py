"""The text of a record as blocks: plain, or Markdown or HTML as those formats read it."""

import re
from html import unescape

from indexer.sources.base import Item, SourceOptions
from indexer.sources.formats import parser_of
from indexer.sources.html_blocks import fragment_blocks
from indexer.sources.prose import links_of
from indexer.sources.records import paragraphs
from retrieval.errors import SourceError
from retrieval.types import Block, Document, Link

MARKUPS = ("markdown", "html")
"""What a record's "format" may say, besides "text"."""

_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")

Read = tuple[tuple[Block, ...], tuple[Link, ...]]


def blocks_and_links(text: str, markup: str, item: Item) -> Read:
    """Return the blocks and links of a text; what a markup's parser makes nothing of is read as plain text."""
    if markup == "html":
        return _html(text) if _TAG.search(text) else (paragraphs(unescape(text)), ())
    parsed = _markdown(text, item) if markup == "markdown" and text.strip() else None
    return (parsed.blocks, parsed.links) if parsed and parsed.blocks else (paragraphs(text), ())


def without_tags(text: str) -> str:
    """Return what a reader sees of a line of HTML."""
    return unescape(_TAG.sub("", text))


def _html(text: str) -> Read:
    rich = [found for found in fragment_blocks(text) if found.block.text.strip()]
    return tuple(found.block for found in rich), links_of(rich)


def _markdown(text: str, item: Item) -> Document | None:
    try:
        parts = parser_of("markdown")(text.encode("utf-8", "replace"), item, SourceOptions())
    except SourceError:
        return None
    return next((part for part in parts if isinstance(part, Document)), None)
