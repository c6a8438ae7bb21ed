"""What of a chunk keywords match: title, headings and the words of its document's path, and the text."""

import re
from urllib.parse import unquote, urlsplit

from retrieval.keyword import IndexedText
from retrieval.types import Chunk

FIELDS_VERSION = "1"
_EXTENSION = re.compile(r"\.\w{1,8}$")
_SEPARATORS = re.compile(r"[\W_]+")


def indexed_text(document_id: str, title: str, chunk: Chunk) -> IndexedText:
    """Return a chunk's fields; the words of a path count as a heading (posts/sqlite/upsert.md is about sqlite)."""
    words = path_words(document_id)
    return IndexedText(title, (*chunk.headings, words) if words else chunk.headings, chunk.text)


def path_words(document_id: str) -> str:
    """Return the words of an id that is a path or a URL, without host and extension; "" for any other id."""
    if "/" not in document_id:
        return ""
    try:
        parts = urlsplit(document_id)
    except ValueError:
        return ""
    path = _EXTENSION.sub("", unquote(parts.path))
    return _SEPARATORS.sub(" ", f"{path} {parts.fragment}").strip()
