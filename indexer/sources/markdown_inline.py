"""The inline tokens of one Markdown block as plain text with its links."""

import html
import re
from collections.abc import Iterable

from markdown_it.token import Token

from indexer.sources.prose import TextBuilder

_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)")
_ATTRIBUTE = re.compile(r"\b(href|alt)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_PLAIN_TAG = re.compile(r"<[A-Z][A-Za-z0-9]*>|<[a-z]+[A-Z0-9]*>")
_KNOWN = frozenset(
    "a abbr acronym address "  # noqa: SIM905 - names read better as words
    "article aside b bdi bdo big blockquote br button center cite code dd del details dfn div dl dt "
    " em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i iframe img input ins kbd label li main mark nav "
    "nobr noscript object ol p picture pre progress q rp rt ruby s samp script section select small source span "
    "strike strong style sub summary sup svg table tbody td tfoot th thead time tr tt u ul var video wbr".split()
)
_UNREAD = frozenset({"script", "style", "svg", "select", "object", "iframe", "video"})


class InlineText:
    """Adds inline tokens to a text: marks vanish, code keeps its characters, links their words, images their alt."""

    def __init__(self, builder: TextBuilder) -> None:
        """Write to `builder`."""
        self._builder = builder
        self._closed: frozenset[str] = frozenset()
        self._unread = ""

    def add(self, tokens: Iterable[Token]) -> None:
        """Add the tokens of one block."""
        tokens = list(tokens)
        tags = (token.content for token in tokens if token.type == "html_inline")
        self._closed = frozenset(tag[2:-1].strip() for tag in tags if tag.startswith("</"))
        for token in tokens:
            if token.type == "html_inline":
                self._tag(token.content)
            elif not self._unread:
                self._token(token)

    def _token(self, token: Token) -> None:
        match token.type:
            case "text" | "code_inline" | "text_special":
                self._builder.add(token.content)
            case "softbreak":
                self._builder.add(" ")
            case "hardbreak":
                self._builder.line_break()
            case "link_open":
                self._builder.open_link(str(token.attrs.get("href", "")))
            case "link_close":
                self._builder.close_link()
            case "image":
                self._builder.add(_alt(token))

    def _tag(self, tag: str) -> None:
        named = _TAG.match(tag)
        if named is None:  # a comment
            return
        name = named[2].lower()
        if self._unread:
            self._unread = "" if named[1] and name == self._unread else self._unread
        elif name in _UNREAD and f"{name}" in self._closed and not named[1]:
            self._unread = name
        elif name == "br":
            self._builder.line_break()
        elif name == "img":
            self._builder.add(f" {_attribute(tag, 'alt')} ")
        elif name == "a":
            self._builder.close_link() if named[1] else self._builder.open_link(_attribute(tag, "href"))
        elif name not in _KNOWN and named[2] not in self._closed and _PLAIN_TAG.fullmatch(tag):
            self._builder.add(tag)  # Vec<T> and <name> are meant as they are written


def _attribute(tag: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(tag):
        if found[1].lower() == name:
            return html.unescape(found[2] or found[3] or found[4] or "")
    return ""


def _alt(image: Token) -> str:
    """Return an image's alternative text, which may hold marks of its own."""
    parts = (_alt(child) if child.type == "image" else child.content for child in image.children or ())
    return "".join(parts)
