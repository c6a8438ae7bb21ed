"""Which parser reads which file: a table of formats and of the extensions that mean them."""

import importlib

from indexer.sources.base import Parse
from retrieval.errors import UsageError

_EXTENSIONS = {
    "markdown": ".md .markdown .mdown .mkd .mdx .svx .svelte .qmd .rmd",
    "html": ".html .htm .xhtml",
    "restructuredtext": ".rst .rest",
    "text": ".txt .text .adoc .asciidoc .org .textile .wiki .mediawiki .tex",
    "jsonl": ".jsonl .ndjson",
    "csv": ".csv .tsv",
    "feed": ".rss .atom .xml",
    "pdf": ".pdf",
}
_FORMATS = {extension: name for name, extensions in _EXTENSIONS.items() for extension in extensions.split()}
_SHORT = {"md": "markdown", "htm": "html", "rst": "restructuredtext", "txt": "text", "rss": "feed", "atom": "feed"}
_MODULES = {"csv": "tables"}

TEXTUAL = frozenset({"markdown", "html", "restructuredtext", "text", "jsonl", "csv"})
"""Formats whose files are text in some encoding, so that binary data under their names is a mistake."""


LINKED = frozenset({"markdown", "html", "restructuredtext"})
"""Formats whose links are addresses of other files, to be resolved."""


def format_of(extension: str, chosen: str = "auto") -> str | None:
    """Return the format that a file extension means (".md"); `chosen` reads extensions that mean nothing."""
    return _FORMATS.get(extension.lower()) or (None if chosen == "auto" else chosen)


def checked_format(name: str) -> str:
    """Return the format's full name for --format; raises UsageError where there is no such format."""
    full = _SHORT.get(name, name)
    if full != "auto" and full not in _EXTENSIONS:
        raise UsageError(f"The format {name!r} is not one of auto, {', '.join(_EXTENSIONS)}.")
    return full


def parser_of(format_name: str) -> Parse:
    """Return the parser of a format, importing it when it is first needed."""
    module = importlib.import_module(f"indexer.sources.{_MODULES.get(format_name, format_name)}")
    parse: Parse = module.parse
    return parse
