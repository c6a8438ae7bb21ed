"""Markdown files of any dialect as one document."""

import re
from dataclasses import replace
from pathlib import PurePosixPath

from indexer.sources.base import Item, SourceOptions
from indexer.sources.decoding import decoded
from indexer.sources.fields import humanised, said_by
from indexer.sources.front_matter import split_front_matter
from indexer.sources.markdown_blocks import markdown_blocks
from indexer.sources.prose import RichBlock, links_of
from retrieval.errors import ParseError, Skipped
from retrieval.types import BlockKind, Document

_WITH_COMPONENTS = frozenset({".mdx", ".svx", ".svelte"})
_NOT_WORDS = re.compile(r"[\W_]+")


def parse(data: bytes, item: Item, options: SourceOptions) -> list[Document]:
    """Return the file's one document; broken front matter costs only itself and is told in the metadata.

    Raises Skipped for binary data and for a file without text.
    """
    front = split_front_matter(decoded(data))
    said = said_by(front.fields, item, options)
    try:
        blocks = markdown_blocks(front.body, with_components=PurePosixPath(item.key).suffix in _WITH_COMPONENTS)
    except (RecursionError, ValueError, IndexError, KeyError) as error:  # what a parser may meet in hostile nesting
        raise ParseError(f"{item.key} is not Markdown that can be read ({type(error).__name__}: {error}).") from None
    title, blocks = titled(said.title, blocks)
    if not blocks:
        raise Skipped(f"{item.key} holds no text beside its title.")
    metadata = {**said.metadata, "front_matter_error": front.error} if front.error else said.metadata
    document = Document(
        id=item.key,
        title=title or humanised(item.key),
        blocks=tuple(rich.block for rich in blocks),
        url=said.url,
        created=said.created,
        updated=said.updated,
        tags=said.tags,
        links=links_of(blocks),
    )
    return [replace(document, metadata=metadata)]


def titled(title: str, blocks: list[RichBlock]) -> tuple[str, list[RichBlock]]:
    """Return the title, or else the first H1, and the blocks without the heading that only repeats it."""
    first = next((n for n, rich in enumerate(blocks) if _is_top(rich)), None)
    if first is None:
        return title, blocks
    heading = blocks[first].block.text
    if title and _letters(title) != _letters(heading):
        return title, blocks
    return title or heading, blocks[:first] + blocks[first + 1 :]


def _is_top(rich: RichBlock) -> bool:
    return rich.block.kind is BlockKind.HEADING and rich.block.level == 1


def _letters(text: str) -> str:
    return _NOT_WORDS.sub("", text).casefold()
