"""Turn a document into chunks of at most so many tokens."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from indexer.chunking.counting import TokenCounter, without_surrogates
from indexer.chunking.fitting import fitted, whole_fits
from indexer.chunking.merging import merged
from indexer.chunking.outline import Path, outline
from retrieval.errors import UsageError
from retrieval.types import Block, BlockKind, Chunk, Document

CHUNKER_VERSION = "1"
"""Changes whenever the same document and settings would give other chunks."""

SMALLEST_CHUNK_TOKENS = 8


class Chunker:
    """Cuts documents into passages that one embedding can stand for.

    Every chunk's text has at most `max_tokens` tokens (special ones not counted) and ten times as many characters.
    Words are never split, except one that alone is over the limit.

    The encoder reads "title > headings" before the text, all within its `window`. Where that prefix is so long that
    `max_tokens` more would not fit, the text is kept shorter, down to half of `max_tokens`; beyond that (a title of
    a hundred words) the encoder cuts off the end of the text, and only keyword search sees it.
    """

    def __init__(self, tokenizer_json: str, *, max_tokens: int = 200, min_tokens: int = 32, window: int = 256) -> None:
        """Read the text of the encoder's tokenizer.json; `window` is how many tokens the encoder takes at most.

        A section of under `min_tokens` joins the ones that follow it; 0 keeps all sections apart.

        Raises ModelError for a tokenizer that cannot be read, UsageError for sizes that cannot work.
        """
        self._counter = TokenCounter(tokenizer_json)
        self._room = window - self._counter.special_tokens
        if not SMALLEST_CHUNK_TOKENS <= max_tokens <= self._room:
            raise UsageError(
                f"Chunks of {max_tokens} tokens do not suit an encoder that takes {self._room}; "
                f"choose {SMALLEST_CHUNK_TOKENS} to {self._room}."
            )
        self._max_tokens = max_tokens
        self._min_tokens = min_tokens

    def chunk(self, document: Document) -> tuple[Chunk, ...]:
        """Return the document's chunks in reading order; none only where title and text are both empty.

        A document without text has its title as its text.
        """
        counter = self._counter
        title = without_surrogates(document.title).strip()
        sections = outline(counter.sized(_readable(document.blocks)), title)
        if not sections:
            sections = outline(counter.sized(_readable([Block(BlockKind.PARAGRAPH, title)])), title)
        limit = partial(self._limit, counter.counts([title])[0])
        groups = merged(sections, self._min_tokens, lambda group: whole_fits(group.blocks, limit(group.path), counter))
        found = [(group.path, text) for group in groups for text in fitted(group.blocks, limit(group.path), counter)]
        tokens = counter.exact([text for _, text in found])
        return tuple(
            Chunk(position, tuple(heading.text for heading in path), sized.text, count)
            for position, ((path, sized), count) in enumerate(zip(found, tokens, strict=True))
        )

    def _limit(self, title_tokens: int, path: Path) -> int:
        """Return how many tokens the text may have under this prefix."""
        prefix = title_tokens + sum(heading.line.tokens for heading in path)
        return max(self._max_tokens // 2, min(self._max_tokens, self._room - prefix))


def _readable(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks that have text, without blank lines around it; a heading stands on one line."""
    readable = []
    for block in blocks:
        text = without_surrogates(block.text)
        text = " ".join(text.split()) if block.kind == BlockKind.HEADING else text.rstrip().lstrip("\r\n")
        if text:
            readable.append(block if text == block.text else replace(block, text=text))
    return readable
