"""Passages as a model is trained on them: chunks without the strings that give a query away."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.fields import indexed_text
from retrieval.analysis import Analyzer
from retrieval.catalog import ChunkText
from retrieval.keyword import chunk_frequencies
from retrieval.types import Chunk, SparseVector
from trainer.known_items import masked


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk under its document's title, as both legs see it."""

    title: str
    chunk: Chunk

    @property
    def text(self) -> str:
        """What is embedded."""
        return self.chunk.embedding_text(self.title)

    def frequencies(self, analyzer: Analyzer) -> SparseVector:
        """Return what keywords match, without the words of a path: they are those of the title."""
        return chunk_frequencies(analyzer, indexed_text("", self.title, self.chunk))


def passage_of(text: ChunkText, strings: Sequence[str] = ()) -> Passage:
    """Return a chunk with strings hidden in its title, its headings and its text."""
    headings = tuple(masked(heading, strings) for heading in text.chunk.headings)
    chunk = replace(text.chunk, headings=headings, text=masked(text.chunk.text, strings))
    return Passage(masked(text.title, strings), chunk)


def like(text: ChunkText, other: ChunkText, strings: Sequence[str]) -> Passage:
    """Return a chunk without what its like loses: its title, or its last heading, where the other's is hidden.

    Nobody can then tell the two apart by which of them has a title at all.
    """
    passage = passage_of(other, strings)
    title = "" if other.title and not passage.title else text.title
    hides_last = bool(other.chunk.headings) and not passage.chunk.headings[-1]
    headings = (*text.chunk.headings[:-1], "") if hides_last and text.chunk.headings else text.chunk.headings
    return Passage(title, replace(text.chunk, headings=headings))
