"""Documents to be judged, as a terminal shows them: safe, as wide as it is, the passages that match first."""

import shutil
import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from retrieval.analysis import Analyzer
from retrieval.catalog import Catalog, Collection
from retrieval.errors import NotFound
from retrieval.snippets import PLAIN, Highlighter, Markup, printable
from retrieval.types import Block, BlockKind, Document, rendered
from trainer.judging import Item

PASSAGES: Final = 3
PASSAGES_CHARS: Final = 900
"""How much is shown of a document, in all its passages together."""
MAX_WIDTH, MIN_WIDTH = 100, 20

# In a text to be wrapped: where a mark begins and ends, the second column of a wide character, and a space to stay at.
_ON, _OFF, _WIDE, KEPT = "\x02", "\x03", "\x04", "\x05"
_MARKS: Final = Markup(_ON, _OFF, printable)


@dataclass(frozen=True, slots=True)
class Display:
    """Puts documents into words that are safe in a terminal and as wide as it is, matches marked by `markup`."""

    catalog: Catalog
    collection: Collection
    markup: Markup = PLAIN

    def show(self, item: Item, whole: bool = False) -> str:
        """Return a document's title, address and the passages that match best, or its `whole` text."""
        try:
            document = self.catalog.documents.get(self.collection, item.document)
        except NotFound:
            return fitted(
                f"{on_one_line(item.document)}\nThis document is gone: it has left the collection. s skips it."
            )
        address = on_one_line(document.url or document.id)
        title = on_one_line(document.title) or address
        heads = f"{_ON}{title}{_OFF}" + (f"\n{address}" if address != title else "")
        return "\n\n".join([fitted(heads, self.markup), *self._passages(document, item.text, whole)])

    def _passages(self, document: Document, query: str, whole: bool) -> Iterator[str]:
        analyzer = Analyzer(self.collection.config.language)
        highlighter = Highlighter(analyzer, analyzer.query_terms(query))
        text = document.text
        sections = best_sections(document, query, analyzer) if not whole else [Section((), text)] if text else []
        chars = len(text) if whole else PASSAGES_CHARS // max(1, len(sections))
        for section in sections:
            marked = highlighter.excerpt(section.text, max_chars=chars).rendered(_MARKS)
            yield "\n".join(fitted(part, self.markup, "  ") for part in (section.line, marked) if part)
        if not sections:
            yield "  (It has no text.)"


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document's text, and the headings above it but for the title."""

    headings: tuple[str, ...]
    text: str

    @property
    def line(self) -> str:
        return on_one_line(" > ".join(self.headings))


def _sections(document: Document) -> list[Section]:
    stretches: list[tuple[list[Block], list[Block]]] = [([], [])]
    for block in document.blocks:
        path, held = stretches[-1]
        if block.kind is BlockKind.HEADING:
            stretches.append(([*(above for above in path if above.level < block.level), block], []))
        else:
            held.append(block)
    sections = [
        Section(tuple(heading.text for heading in path if heading.text != document.title), rendered(held))
        for path, held in stretches
    ]
    return [section for section in sections if section.text] or [section for section in sections if section.headings]


def best_sections(document: Document, query: str, analyzer: Analyzer, *, most: int = PASSAGES) -> list[Section]:
    """Return the `most` sections that match a query best, in the document's order; its first one where none does."""
    terms = analyzer.query_terms(query)
    highlighter = Highlighter(analyzer, terms)
    sections = _sections(document)

    def matched(section: Section) -> float:
        found = highlighter.excerpt(section.text, max_chars=PASSAGES_CHARS // PASSAGES)
        words = analyzer.terms(f"{section.line}\n{section.text[found.start : found.end]}")
        return sum(weight for term, weight in terms.items() if term in words)

    weights = [matched(section) for section in sections]
    order = sorted(range(len(sections)), key=lambda place: (-weights[place], not sections[place].text))
    chosen = sorted(place for place in order[:most] if weights[place]) or order[:1]
    return [sections[place] for place in chosen]


def fitted(text: str, markup: Markup = PLAIN, indent: str = "") -> str:
    """Wrap each line of a text by itself, so that code keeps its shape, and put in the marks."""
    wide = "".join(c + _WIDE if unicodedata.east_asian_width(c) in "WF" else c for c in text)
    how = textwrap.TextWrapper(width(), indent, indent, tabsize=4, break_on_hyphens=False)
    lines = [part for line in wide.split("\n") for part in how.wrap(line) or [""]]
    shown = {_ON: markup.opening, _OFF: markup.closing, _WIDE: "", KEPT: " "}
    return "\n".join(lines).translate({ord(sign): meaning for sign, meaning in shown.items()})


def on_one_line(text: str) -> str:
    """Return a text that a terminal can be given, on one line."""
    return " ".join(printable(text).split())


def width() -> int:
    """Columns to write in."""
    return max(MIN_WIDTH, min(MAX_WIDTH, shutil.get_terminal_size().columns))
