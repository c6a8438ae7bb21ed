"""The outline of a document: its blocks under the path of headings each stands below."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from indexer.chunking.counting import Sized
from retrieval.types import BlockKind

LONGEST_HEADING_TOKENS = 32
"""A longer heading is a paragraph in large type: it is kept as text, so that heading paths stay short."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the document; `index` tells two of the same text apart."""

    index: int
    line: Sized = field(compare=False)

    @property
    def text(self) -> str:
        """The heading without markup."""
        return self.line.block.text


Path = tuple[Heading, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """What stands between one heading and the next; `path` ends with the section's own heading."""

    path: Path
    blocks: tuple[Sized, ...]


def outline(blocks: Sequence[Sized], title: str) -> list[Section]:
    """Return the sections in order: those with text, and those with a heading and nothing at all under it.

    A first heading that repeats the title is left out.
    """
    sections: list[Section] = []
    path: Path = ()
    pending: list[Sized] = []
    repeats_title = _index_of_title(blocks, title)
    for index, sized in enumerate(blocks):
        if sized.block.kind != BlockKind.HEADING:
            pending.append(sized)
        elif index != repeats_title:
            above = tuple(heading for heading in path if heading.line.block.level < sized.block.level)
            if pending or path != above:
                sections.append(Section(path, tuple(pending)))
            short = sized.tokens <= LONGEST_HEADING_TOKENS
            path, pending = ((*above, Heading(index, sized)), []) if short else (above, [sized])
    return [*sections, Section(path, tuple(pending))] if path or pending else sections


def _index_of_title(blocks: Sequence[Sized], title: str) -> int:
    for index, sized in enumerate(blocks):
        if sized.block.kind == BlockKind.HEADING:
            return index if _folded(sized.block.text) == _folded(title) else -1
    return -1


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
