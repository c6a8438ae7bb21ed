"""Make the texts of a group's chunks: split what is too large, pack the rest, join each run."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from indexer.chunking.counting import Sized, TokenCounter, fits
from indexer.chunking.packing import Unit, balanced
from indexer.chunking.splitting import split
from retrieval.types import BlockKind

_TIGHT = (BlockKind.ITEM, BlockKind.ROW)


def whole_fits(blocks: Sequence[Sized], limit: int, counter: TokenCounter) -> bool:
    """Return whether one chunk of `limit` tokens holds all the blocks."""
    tokens = sum(sized.tokens for sized in blocks) + counter.joint * (len(blocks) - 1)
    return fits(tokens, sum(len(sized.text) for sized in blocks), limit)


def fitted(blocks: Sequence[Sized], limit: int, counter: TokenCounter) -> list[Sized]:
    """Return the blocks joined in the fewest texts of at most `limit` tokens, of sizes as equal as they can be.

    A text that begins inside a table repeats the table's first row, its header, where there is room.
    """
    if whole_fits(blocks, limit, counter):
        return [_glued(blocks, blocks[0], counter)]
    parts = list(_fitting(blocks, limit, counter))
    units = [Unit(part.tokens, len(part.text), _tie(parts, index)) for index, part in enumerate(parts)]
    starts = _table_starts(parts)
    found: list[Sized] = []
    for run in balanced(units, limit, joint=counter.joint):
        chosen = [parts[index] for index in run]
        with_header = [parts[starts[run.start]], *chosen]
        repeated = starts[run.start] < run.start and whole_fits(with_header, limit, counter)
        found.append(_glued(with_header if repeated else chosen, chosen[0], counter))
    return found


def _fitting(blocks: Sequence[Sized], limit: int, counter: TokenCounter) -> Iterator[Sized]:
    """Yield the blocks, split where too large, with each heading kept to its text unless headings fill half a chunk."""
    for before, sized, after in _attached(blocks):
        reserved = sum(heading.tokens + counter.joint for heading in (*before, *after))
        if 2 * reserved > limit:
            for block in (*before, sized, *after):
                yield from split(block, limit, counter)
            continue
        parts = split(sized, limit - reserved, counter)
        parts[0] = _glued([*before, parts[0]], parts[0], counter)
        parts[-1] = _glued([parts[-1], *after], parts[-1], counter)
        yield from parts


def _attached(blocks: Sequence[Sized]) -> Iterator[tuple[Sequence[Sized], Sized, Sequence[Sized]]]:
    """Yield each block that is no heading with the headings before it, the last one with those after it too."""
    content = [index for index, sized in enumerate(blocks) if sized.block.kind != BlockKind.HEADING]
    if not content:
        yield from (((), sized, ()) for sized in blocks)
    for previous, index in zip([-1, *content], content, strict=False):
        yield blocks[previous + 1 : index], blocks[index], blocks[index + 1 :] if index == content[-1] else ()


def _glued(blocks: Sequence[Sized], main: Sized, counter: TokenCounter) -> Sized:
    tokens = sum(sized.tokens for sized in blocks) + counter.joint * (len(blocks) - 1)
    return Sized(main.block, _joined(blocks), tokens)


def _tie(parts: Sequence[Sized], index: int) -> int:
    """Return how poor a place for a cut the beginning of this part is: within a list or table, after a colon."""
    if index == 0:
        return 0
    return int(_tight(parts[index - 1], parts[index]) or parts[index - 1].text.endswith(":"))


def _tight(upper: Sized, lower: Sized) -> bool:
    return upper.block.kind == lower.block.kind and lower.block.kind in _TIGHT


def _joined(parts: Sequence[Sized]) -> str:
    """Join list items and rows by a newline, all else by a blank line."""
    texts = [parts[0].text]
    for upper, lower in pairwise(parts):
        texts += ["\n" if _tight(upper, lower) else "\n\n", lower.text]
    return "".join(texts)


def _table_starts(parts: Sequence[Sized]) -> list[int]:
    """Return, for each part, the index of the first row of its table: its own where it is no row."""
    starts: list[int] = []
    for index, part in enumerate(parts):
        continues = index > 0 and part.block.kind == BlockKind.ROW and _tight(parts[index - 1], part)
        starts.append(starts[-1] if continues else index)
    return starts
