"""The text of a record as blocks: plain, or Markdown or HTML through the parser of that format."""

from collections.abc import Sequence

from indexer.sources.base import Item, Problem, SourceOptions
from indexer.sources.records import paragraphs
from retrieval.errors import SourceError
from retrieval.types import Block, Document, Link

MARKUPS = ("markdown", "html")
"""What a record's "format" may say, besides "text"."""


def blocks_and_links(text: str, markup: str, item: Item) -> tuple[tuple[Block, ...], tuple[Link, ...]]:
    """Return the blocks and links of a text; whatever a markup's parser cannot take stays plain text."""
    parsed = _parsed(text, markup, item)
    if parsed is None or not parsed.blocks:
        return paragraphs(text), ()
    return parsed.blocks, parsed.links


def _parsed(text: str, markup: str, item: Item) -> Document | None:
    if markup not in MARKUPS:
        return None
    from indexer.sources import html, markdown

    parse = html.parse if markup == "html" else markdown.parse
    try:
        parts: Sequence[Document | Problem] = parse(text.encode("utf-8", "replace"), item, SourceOptions())
    except SourceError:
        return None
    return next((part for part in parts if isinstance(part, Document)), None)
