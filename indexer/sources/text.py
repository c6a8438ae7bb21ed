"""Plain text as one document: paragraphs, underlined and capital headings, lists."""

import re
from collections.abc import Iterator

from indexer.sources.base import Item, SourceOptions
from indexer.sources.dates import date_in_path
from indexer.sources.decoding import decoded
from indexer.sources.fields import address_of, humanised
from retrieval.errors import Skipped
from retrieval.types import Block, BlockKind, Document

_UNDERLINE = re.compile(r"([=\-~^*#_+])\1{2,}[ \t]*$")
_BULLET = re.compile(r"([ \t]*)(?:[-*+•]|\d{1,3}[.)])[ \t]+(?=\S)")
_LONGEST_HEADING = 80
_LONGEST_TITLE = 100


def parse(data: bytes, item: Item, options: SourceOptions) -> list[Document]:
    """Return the file's one document; its first line is the title where it stands alone and looks like one.

    Raises Skipped for binary data and for a file without text.
    """
    blocks = list(_blocks(decoded(data)))
    if not blocks:
        raise Skipped(f"{item.key} is empty: no text.")
    title = humanised(item.key)
    if len(blocks) > 1 and _is_title(blocks[0]):
        title, blocks = blocks[0].text, blocks[1:]
    return [
        Document(
            id=item.key,
            title=title,
            blocks=tuple(blocks),
            url=address_of(item.key, options.base_url),
            created=date_in_path(item.key),
        )
    ]


def _is_title(block: Block) -> bool:
    """Say whether the first block names the text: a heading, or one short line that ends like no sentence."""
    if block.kind is BlockKind.HEADING:
        return True
    is_line = block.kind is BlockKind.PARAGRAPH and "\n" not in block.text
    return is_line and len(block.text) <= _LONGEST_TITLE and block.text[-1] not in ".:;,!"


def _blocks(text: str) -> Iterator[Block]:
    for lines in _groups(text):
        yield from _group_blocks(lines)


def _groups(text: str) -> Iterator[list[str]]:
    """Give runs of lines between empty ones."""
    lines: list[str] = []
    for line in text.replace("\f", "\n").split("\n"):
        if line.strip():
            lines.append(line.rstrip())
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _group_blocks(lines: list[str]) -> Iterator[Block]:
    if len(lines) == 1 and _is_capital(lines[0]):
        yield Block(BlockKind.HEADING, lines[0].strip(), level=2)
        return
    if len(lines) > 2 and _UNDERLINE.match(lines[0]) and _underlines(lines[2], lines[1]):
        lines = lines[1:]  # a line above the heading as well
    if len(lines) > 1 and _underlines(lines[1], lines[0]):
        yield Block(BlockKind.HEADING, lines[0].strip(), level=1 if lines[1][0] == "=" else 2)
        lines = lines[2:]
    if lines:
        yield from _items(lines) if _BULLET.match(lines[0]) else _paragraph(lines)


def _underlines(line: str, above: str) -> bool:
    is_heading = len(above.strip()) <= _LONGEST_HEADING and any(character.isalnum() for character in above)
    return is_heading and _UNDERLINE.match(line.strip()) is not None and len(line.strip()) >= len(above.strip()) // 2


def _is_capital(line: str) -> bool:
    words = line.strip()
    letters = [character for character in words[: _LONGEST_HEADING + 1] if character.isalpha()]
    return len(words) <= _LONGEST_HEADING and len(letters) > 3 and words.isupper() and words[-1] not in ".,;"


def _items(lines: list[str]) -> Iterator[Block]:
    """Give a block an item; a line without a bullet goes on with the item before it."""
    entries: list[tuple[int, list[str]]] = []
    for line in lines:
        if bullet := _BULLET.match(line):
            entries.append((len(bullet[1].expandtabs(4)) // 2, [line[bullet.end() :]]))
        else:
            entries[-1][1].append(line.strip())
    for level, parts in entries:
        yield Block(BlockKind.ITEM, " ".join(parts), level=min(level, 9))


def _paragraph(lines: list[str]) -> Iterator[Block]:
    text = "\n".join(lines).strip()
    if any(character.isalnum() for character in text):
        yield Block(BlockKind.PARAGRAPH, text)
