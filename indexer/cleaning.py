"""Make a document safe to keep: every database and index must be able to hold it, whatever its source was."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from indexer.sources.base import Problem
from retrieval.errors import ParseError
from retrieval.types import Block, Document, JsonValue, Link

MAX_ID = 2_000
MAX_TITLE = 1_000
MAX_DEPTH = 20
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def cleaned(document: Document) -> Document:
    """Return the document without NULs, lone surrogates and numbers that JSON lacks.

    Raises ParseError for an id that is empty or too long to be one.
    """
    if not document.id.strip() or len(document.id) > MAX_ID:
        raise ParseError(f"The document id {document.id[:80]!r} has {len(document.id)} characters; use 1 to {MAX_ID}.")
    return replace(
        document,
        id=_text(document.id),
        title=_text(document.title).strip()[:MAX_TITLE],
        blocks=tuple(_block(block) for block in document.blocks),
        url=_text(document.url) if document.url else None,
        tags=tuple(_text(tag) for tag in document.tags),
        metadata={_text(str(name)): _json(value, MAX_DEPTH) for name, value in document.metadata.items()},
        links=tuple(Link(_text(link.target), _text(link.anchor), _text(link.sentence)) for link in document.links),
    )


def partitioned(parts: list[Document | Problem]) -> tuple[list[Document], list[Problem]]:
    """Return the documents, cleaned, and the problems; a document that cannot be cleaned becomes a problem."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for part in parts:
        if isinstance(part, Problem):
            problems.append(part)
            continue
        try:
            documents.append(cleaned(part))
        except ParseError as error:
            problems.append(Problem(part.id[:80], str(error), skipped=False))
    return documents, problems


def _text(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _block(block: Block) -> Block:
    return block if not _UNSTORABLE.search(block.text) else replace(block, text=_text(block.text))


def _json(value: JsonValue, depth: int) -> JsonValue:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        return {_text(str(name)): _json(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json(inner, depth - 1) for inner in value]
    return _text(str(value))
