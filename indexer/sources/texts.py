"""The text of a record as blocks: plain, or Markdown or HTML as those formats read it."""

import re
from html import unescape

from indexer.sources.html_blocks import fragment_blocks
from indexer.sources.prose import RichBlock, links_of
from indexer.sources.records import paragraphs
from retrieval.types import Block, Link

MARKUPS = ("markdown", "html")
"""What a record's "format" may say, besides "text"."""

_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")

Read = tuple[tuple[Block, ...], tuple[Link, ...]]


def blocks_and_links(text: str, markup: str) -> Read:
    """Return the blocks and links of a text; what a markup's reader makes nothing of is read as plain text."""
    if markup == "html":
        return _known(fragment_blocks(text)) if _TAG.search(text) else (paragraphs(unescape(text)), ())
    blocks, links = _markdown(text) if markup == "markdown" else ((), ())
    return (blocks or paragraphs(text), links)


def without_tags(text: str) -> str:
    """Return what a reader sees of a line of HTML."""
    return unescape(_TAG.sub("", text))


def _markdown(text: str) -> Read:
    from indexer.sources.markdown_blocks import markdown_blocks

    try:
        return _known(markdown_blocks(text))
    except (RecursionError, ValueError, IndexError, KeyError):  # what its reader may meet in hostile nesting
        return (), ()


def _known(rich: list[RichBlock]) -> Read:
    """Drop what says nothing."""
    kept = [found for found in rich if found.block.text.strip()]
    return tuple(found.block for found in kept), links_of(kept)
