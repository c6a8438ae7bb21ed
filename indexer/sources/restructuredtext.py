"""reStructuredText files, Sphinx's among them, as one document each. Nothing outside the file is ever read."""

import re

from indexer.sources import text as plain_text
from indexer.sources.base import Item, SourceOptions
from indexer.sources.decoding import decoded
from indexer.sources.fields import humanised, said_by
from indexer.sources.markdown import titled
from indexer.sources.prose import links_of
from indexer.sources.rst_blocks import blocks_of, fields_of
from indexer.sources.rst_sphinx import teach_names
from retrieval.errors import Skipped
from retrieval.types import Document

_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": False,
    "input_encoding": "unicode",
    "syntax_highlight": "none",
    "smart_quotes": False,
    "math_output": "LaTeX",
    "line_length_limit": 1_000_000,
    "doctitle_xform": True,
    "docinfo_xform": True,
}
# Docutils' time grows with the square of these; what exceeds them was not written by hand.
_LONGEST_LINE = 20_000
_MOST_LINES = 30_000
_MOST_SUBSTITUTIONS = 3_000
_SUBSTITUTION = re.compile(r"\|[^|\s][^|\n]{0,60}\|")


def parse(data: bytes, item: Item, options: SourceOptions) -> list[Document]:
    """Return the file's one document; what docutils cannot read is read as plain text.

    Raises Skipped for binary data and for a file without text.
    """
    source = decoded(data)
    tree = _tree(source)
    blocks = blocks_of(tree) if tree is not None else []
    if tree is None or not blocks:
        return plain_text.parse(source.encode("utf-8", "replace"), item, options)
    said = said_by(fields_of(tree), item, options)
    title, blocks = titled(said.title, blocks)
    if not blocks:
        raise Skipped(f"{item.key} holds no text beside its title.")
    return [
        Document(
            id=item.key,
            title=title or humanised(item.key),
            blocks=tuple(rich.block for rich in blocks),
            url=said.url,
            created=said.created,
            updated=said.updated,
            tags=said.tags,
            metadata=said.metadata,
            links=links_of(blocks),
        )
    ]


def _tree(source: str) -> object | None:
    """Return docutils' tree, or None where it fails or the text is nothing that docutils reads in a sensible time."""
    lines = source.split("\n")
    is_odd = len(lines) > _MOST_LINES or max(map(len, lines)) > _LONGEST_LINE
    if is_odd or len(_SUBSTITUTION.findall(source)) > _MOST_SUBSTITUTIONS:
        return None
    from docutils.core import publish_doctree

    teach_names(source)
    try:
        return publish_doctree(source, settings_overrides=_SETTINGS)
    except Exception:  # hostile text makes docutils raise whatever its parts raise, RecursionError among it
        return None
