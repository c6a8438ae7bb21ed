"""Find the chunk of a document that a heading, a question or the fragment of a link leads to."""

import re
from collections import Counter
from collections.abc import Sequence
from urllib.parse import unquote, urldefrag

from retrieval.catalog import ChunkText
from retrieval.types import BlockKind, Document
from trainer.known_items.masks import masked

_LEAST_AFTER = 20
"""Characters after a question, in the chunk that it stands in: with fewer, its answer begins the next one."""
_NOT_IN_SLUGS = re.compile(r"[\W_]+")


def position_of_heading(chunks: Sequence[ChunkText], heading: str) -> int | None:
    """Return where the section of a heading begins; None for a heading without text of its own."""
    wanted = _line(heading)
    for text in chunks:
        path = text.chunk.headings
        if (path and path[-1] == wanted) or _is_shown(text.chunk.text, wanted):
            return text.chunk.position
    return None


def position_after(chunks: Sequence[ChunkText], words: str) -> int | None:
    """Return where what follows these words is found; None if no chunk has them, or nothing follows."""
    for place, text in enumerate(chunks):
        _, found, after = text.chunk.text.rpartition(words)
        if found:
            place += len(after.strip()) < _LEAST_AFTER
            return chunks[place].chunk.position if place < len(chunks) else None
    return None


def position_holding(chunks: Sequence[ChunkText], words: str) -> int | None:
    """Return the first chunk in which these words follow one another."""
    return next((text.chunk.position for text in chunks if masked(text.chunk.text, [words]) != text.chunk.text), None)


def recurring_headings(document: Document) -> frozenset[str]:
    """Return the headings, as written, that stand above several sections."""
    counts = Counter(block.text for block in document.blocks if block.kind is BlockKind.HEADING)
    return frozenset(heading for heading, count in counts.items() if count > 1)


def heading_of(document: Document, target: str) -> str | None:
    """Return the heading that a link's #fragment names; None where it has none, or no heading is called so."""
    wanted = _slug(unquote(urldefrag(target).fragment))
    headings = (block.text for block in document.blocks if block.kind is BlockKind.HEADING)
    return next((heading for heading in headings if wanted and _slug(heading) == wanted), None)


def _line(heading: str) -> str:
    return " ".join(heading.split())


def _is_shown(text: str, heading: str) -> bool:
    """Tell whether a chunk of several sections shows this heading, with text below it."""
    lines = text.split("\n")
    shown = (place for place, line in enumerate(lines) if line.startswith("#") and line.lstrip("#").strip() == heading)
    return any(any(line.strip() and not line.startswith("#") for line in lines[place + 1 :]) for place in shown)


def _slug(text: str) -> str:
    return _NOT_IN_SLUGS.sub("", text).casefold()
