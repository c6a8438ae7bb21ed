"""What each document offers for queries: its title, headings, questions, summary, and the anchors that lead to it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urldefrag

from retrieval.types import Block, BlockKind, Document, Link
from trainer.known_items.shapes import cleaned, is_question


class Source(StrEnum):
    """Where a query was mined, the most telling first."""

    TITLE = "mined:title"
    FAQ = "mined:faq"
    QUESTION = "mined:question-heading"
    ANCHOR = "mined:anchor"
    DOCSTRING = "mined:docstring"
    HEADING = "mined:heading"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may become a query of the document at a place; `written` is it before it was cleaned."""

    text: str
    written: str
    source: Source
    place: int


_DOCUMENTED = frozenset(
    {"module", "package", "class", "exception", "function", "method", "property", "attribute", "constant"}
)
"""Kinds of things that have docstrings."""

_FAQ = re.compile(
    r"\bfaqs?\b|\bfrequently[ -]asked\b|\bq ?(?:&|and|/) ?a\b|\bquestions (?:and|&) answers\b", re.IGNORECASE
)
_ASKED = re.compile(
    r"\s*(?P<asks>q(?:uestion)?\s?\d{0,3}\s*[:.)-]\s*)?(?P<question>[^?？\n]{3,200}[?？])\s*(?P<answers>a(?:nswer)?\s*[:.])?",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^a-z\s])|\n")
_ARTICLE = re.compile(r"^(?:the|an?)\s+", re.IGNORECASE)
_LEAST_TITLES = 5
_SHARED_ENDING = 0.3
"""Where so many titles end alike after a dash or a bar, it is the name of the site."""
_ENDING = re.compile(r"\s(?:[|·•»:–—-]|::)\s(?=\S)")


def candidates_of(documents: Sequence[Document]) -> Iterator[Candidate]:
    """Yield every candidate of every document, the anchors last; texts are cleaned, and none is empty."""
    endings = _shared_endings([document.title for document in documents])
    for place, document in enumerate(documents):
        for source, written in _of(document, endings):
            if text := cleaned(written):
                yield Candidate(text, written, source, place)
    yield from _anchors(documents)


def _of(document: Document, endings: frozenset[str]) -> Iterator[tuple[Source, str]]:
    if document.title:
        yield Source.TITLE, _without_ending(document.title, endings)
    if str(document.metadata.get("kind")) in _DOCUMENTED:
        yield from ((Source.DOCSTRING, text) for text in _summary(document.blocks))
    yield from _headings(document)


def _headings(document: Document) -> Iterator[tuple[Source, str]]:
    """Yield the headings and, below one that says FAQ, the questions in paragraphs of their own."""
    faq_level = 0 if _FAQ.search(document.title) else None
    for block in document.blocks:
        if block.kind is BlockKind.HEADING:
            if faq_level is not None and block.level <= faq_level:
                faq_level = None
            yield _source_of_heading(block.text, in_faq=faq_level is not None), block.text
            if faq_level is None and _FAQ.search(block.text):
                faq_level = block.level
        elif faq_level is not None and (question := _question(block)):
            yield Source.FAQ, question


def _source_of_heading(text: str, *, in_faq: bool) -> Source:
    if not is_question(cleaned(text)):
        return Source.HEADING
    return Source.FAQ if in_faq else Source.QUESTION


def _question(block: Block) -> str | None:
    """Return the question that a paragraph is, or begins with where "Q:" or "A:" says so."""
    found = _ASKED.match(block.text) if block.kind in (BlockKind.PARAGRAPH, BlockKind.ITEM) else None
    if not found:
        return None
    is_all = found.end("question") == len(block.text.rstrip())
    return found["question"] if is_all or found["asks"] or found["answers"] else None


def _summary(blocks: Sequence[Block]) -> Iterator[str]:
    """Yield the first sentence of a docstring."""
    first = next((block for block in blocks if block.kind is not BlockKind.CODE), None)
    if first is not None and first.kind is BlockKind.PARAGRAPH:
        yield _SENTENCE_END.split(first.text.strip(), maxsplit=1)[0]


def _shared_endings(titles: Sequence[str]) -> frozenset[str]:
    if len(titles) < _LEAST_TITLES:
        return frozenset()
    counts: dict[str, int] = {}
    for title in titles:
        if ending := _ending(title):
            counts[ending] = counts.get(ending, 0) + 1
    return frozenset(ending for ending, count in counts.items() if count >= _SHARED_ENDING * len(titles))


def _ending(title: str) -> str:
    return title[marks[-1].start() :] if (marks := list(_ENDING.finditer(title))) else ""


def _without_ending(title: str, endings: frozenset[str]) -> str:
    ending = _ending(title)
    return title.removesuffix(ending) if ending in endings else title


def _anchors(documents: Sequence[Document]) -> Iterator[Candidate]:
    """Yield each anchor once for each document it leads to."""
    yield from dict.fromkeys(candidate for candidate, _ in linked(documents))


def linked(documents: Sequence[Document]) -> Iterator[tuple[Candidate, Link]]:
    """Yield what each link to another document says of it, with the link."""
    places = _addresses(documents)
    for place, document in enumerate(documents):
        for link in document.links:
            target = places.get(link.target, places.get(urldefrag(link.target).url.rstrip("/")))
            if target is not None and target != place and (text := _ARTICLE.sub("", cleaned(link.anchor))):
                yield Candidate(text, link.anchor, Source.ANCHOR, target), link


def _addresses(documents: Sequence[Document]) -> Mapping[str, int]:
    """Return the place of each document by its id and its URL."""
    places: dict[str, int] = {}
    for place, document in enumerate(documents):
        if document.url:
            places.setdefault(document.url.rstrip("/"), place)
    return places | {document.id: place for place, document in enumerate(documents)}
