"""PDF files: their text in reading order, without running heads, page numbers and the hyphens of line ends."""

import io
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from indexer.sources.base import Item, SourceOptions
from indexer.sources.fields import address_of, humanised
from indexer.sources.records import storable
from retrieval.errors import ParseError, Skipped
from retrieval.types import Block, BlockKind, Document

if TYPE_CHECKING:
    from pypdf import PdfReader

MOST_PAGES = 3000
MOST_SECONDS = 120.0

_MARGIN_LINES = 2
"""Lines at either edge of a page among which running heads are sought."""

_SENTENCE_END = re.compile(r"[.!?:;…][\"'”’)\]]*$")
_HYPHEN = re.compile(r"(?<![^\W\d_])(?P<head>[^\W\d_]++)[-\u00ad]$")
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]++-[^\W\d_]++")
"""Both begin where a word begins, and give none of it back: a file may hold a word of a million letters."""
_LONGEST_HEAD = 100
_POOR_TITLE = re.compile(r"(?i)untitled|microsoft word|.*\.(docx?|tex|dvi|indd|pdf|rtf|odt)|\W*")


def parse(data: bytes, item: Item, options: SourceOptions) -> list[Document]:
    """Return one document with the text of all pages, its author and its creation date.

    Raises Skipped for an encrypted file, one without text (a scan) or one of more than 3,000 pages, and ParseError
    for one that cannot be read.
    """
    try:
        reader = _opened(data, item)
        pages = _page_lines(reader, item)
        said, created = _properties(reader)
    except Skipped:
        raise
    except Exception as error:  # pypdf meets broken files with whatever its parts raise
        raise ParseError(f"{item.key} is not a PDF that can be read ({type(error).__name__}: {error}).") from None
    lines = _without_running_heads(pages)
    blocks = tuple(Block(BlockKind.PARAGRAPH, text) for text in _paragraphs(lines))
    if not blocks:
        raise Skipped(f"{item.key} holds no text; if it is a scan, run it through OCR first.")
    title = _title(said.pop("title", ""), lines, item)
    url = address_of(item.key, options.base_url)
    return [Document(item.key, title, blocks, url, created, metadata={**said, "pages": len(pages)})]


def _opened(data: bytes, item: Item) -> "PdfReader":
    from pypdf import PasswordType, PdfReader

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        try:
            opened = reader.decrypt("") != PasswordType.NOT_DECRYPTED
        except Exception:  # an algorithm that is not installed, or nonsense in its parameters
            opened = False
        if not opened:
            raise Skipped(f"{item.key} is encrypted; save a copy without a password.")
    return reader


def _page_lines(reader: "PdfReader", item: Item) -> list[list[str]]:
    if len(reader.pages) > MOST_PAGES:
        raise Skipped(f"{item.key} has {len(reader.pages):,} pages; more than {MOST_PAGES:,} are not read.")
    end = time.monotonic() + MOST_SECONDS
    pages: list[list[str]] = []
    for page in reader.pages:
        if time.monotonic() > end:
            raise Skipped(f"{item.key} took over {MOST_SECONDS:g} s for {len(pages)} pages; split it.")
        pages.append([str(storable(line)).strip() for line in page.extract_text().splitlines()])
    return pages


def _properties(reader: "PdfReader") -> tuple[dict[str, str], str | None]:
    """Return the title, author and subject that a file states, and when it was made; absent ones are left out."""
    try:
        info = reader.metadata
        stated = {"title": info.title, "author": info.author, "subject": info.subject} if info else {}
        made = info.creation_date if info else None
    except Exception:  # a broken property is no reason to lose the text
        return {}, None
    said = {name: str(storable(value)).strip() for name, value in stated.items() if isinstance(value, str)}
    return {name: value for name, value in said.items() if value}, made.isoformat() if made else None


def _title(stated: str, lines: list[str], item: Item) -> str:
    if stated and not _POOR_TITLE.fullmatch(stated):
        return " ".join(stated.split())
    first = next((line for line in lines if line), "")
    return first if 0 < len(first) <= 150 else humanised(item.key)


def _without_running_heads(pages: list[list[str]]) -> list[str]:
    """Join the pages, leaving out lines that most of them repeat at an edge, whatever number these carry."""
    filled = [[line for line in page if line] for page in pages]
    edges = Counter(edge for page in filled for edge in {_same(line) for line in _edge_lines(page)})
    repeated = {edge for edge, count in edges.items() if count >= max(3, 0.6 * len(pages))}
    joined: list[str] = []
    for page in pages:
        joined.extend(_trimmed(page, repeated))
    return joined


def _edge_lines(page: list[str]) -> list[str]:
    return page[:_MARGIN_LINES] + page[-_MARGIN_LINES:]


def _same(line: str) -> str:
    return re.sub(r"\d+|\b[ivxl]+\b", "#", line.lower())


def _trimmed(page: list[str], repeated: set[str]) -> list[str]:
    places = [place for place, line in enumerate(page) if line]
    edges = {*places[:_MARGIN_LINES], *places[-_MARGIN_LINES:]}
    return [line for place, line in enumerate(page) if place not in edges or _same(line) not in repeated]


def _paragraphs(lines: list[str]) -> list[str]:
    """Join lines into paragraphs: these end at a blank line, or where a sentence ends well before the margin."""
    lengths = sorted(len(line) for line in lines if line)
    full = lengths[int(len(lengths) * 0.8)] if lengths else 0
    known = Counter(_COMPOUND.findall(" ".join(lines).lower()))
    paragraphs: list[str] = []
    current: list[str] = []
    for line in lines:
        if line:
            current = _with_line(current, line, known)
        if current and (not line or (_SENTENCE_END.search(line) and len(line) < 0.7 * full)):
            paragraphs.append("".join(current))
            current = []
    return [*paragraphs, "".join(current)] if current else paragraphs


def _with_line(parts: list[str], line: str, known: Counter[str]) -> list[str]:
    """Put a line behind parts, healing a word cut at the line's end unless it is written with a hyphen elsewhere."""
    if not parts:
        return [line]
    cut = _HYPHEN.search("".join(parts[-3:])[-_LONGEST_HEAD:])  # the word may have been cut more than once
    if not cut or not line[0].islower():
        parts += [" ", line]
        return parts
    tail = re.match(r"[^\W\d_]+", line)
    hyphenated = f"{cut['head']}-{tail[0] if tail else ''}".lower()
    parts[-1] = parts[-1] if known[hyphenated] else parts[-1][:-1]
    parts.append(line)
    return parts
