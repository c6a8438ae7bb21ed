"""The text of a record as blocks: plain, or Markdown or HTML through the parser of that format."""

import re
from html import unescape

from indexer.sources.base import Item, SourceOptions
from indexer.sources.formats import parser_of
from indexer.sources.records import paragraphs
from retrieval.errors import SourceError
from retrieval.types import Block, Document, Link

MARKUPS = ("markdown", "html")
"""What a record's "format" may say, besides "text"."""

_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")


def blocks_and_links(text: str, markup: str, item: Item) -> tuple[tuple[Block, ...], tuple[Link, ...]]:
    """Return the blocks and links of a text; what a markup's parser makes nothing of is read as plain text."""
    if markup == "html" and not _TAG.search(text):
        return paragraphs(unescape(text)), ()
    parsed = _parsed(text, markup, item)
    if parsed is not None and any(block.text.strip() for block in parsed.blocks):
        return parsed.blocks, parsed.links
    return paragraphs(without_tags(text) if markup == "html" else text), ()


def without_tags(text: str) -> str:
    """Return what a reader sees of a line of HTML."""
    return unescape(_TAG.sub("", text))


def _parsed(text: str, markup: str, item: Item) -> Document | None:
    if markup not in MARKUPS or not text.strip():
        return None
    try:
        parts = parser_of(markup)(text.encode("utf-8", "replace"), item, SourceOptions())
    except SourceError:
        return None
    return next((part for part in parts if isinstance(part, Document)), None)
