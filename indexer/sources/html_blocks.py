"""HTML elements to blocks: headings, paragraphs, code, list items and table rows, whatever the tags around them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from indexer.sources.markup_bounds import bounded
from indexer.sources.prose import RichBlock, TextBuilder
from retrieval.types import Block, BlockKind

_UNREAD = frozenset(
    "script style noscript "  # noqa: SIM905 - names read better as words
    "template svg iframe object embed select option button input textarea canvas audio video "
    "head annotation annotation-xml dialog".split()
)
_BLOCKS = frozenset(
    "address article "  # noqa: SIM905
    "aside blockquote body center dd details div dl dt fieldset figcaption figure footer form header "
    "hgroup hr html legend main menu nav ol p section summary table tbody tfoot thead ul caption".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NOT_DATA = ("table", "pre", "h1", "h2", "h3", "h4", "ul", "ol")
_MARKER = re.compile(r"\b(?:headerlink|header-anchor|heading-anchor|anchorjs-link|anchor-link|hash-link|linenos?)\b")
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight(?:-source)?)-([\w+#.-]+)|brush:\s*([\w+#-]+)")
_NO_LANGUAGE = frozenset({"default", "none", "notranslate", "text", "plaintext", "wrapper"})
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def parsed_html(text: str) -> Any:
    """Return the root element of HTML text, or None where there is none; any text is accepted."""
    from lxml import etree  # type: ignore[import-untyped] # it ships no types

    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True)
    try:
        return etree.fromstring(_CONTROLS.sub(" ", text).encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError):
        return None


def fragment_blocks(text: str) -> list[RichBlock]:
    """Return the blocks of a piece of HTML, which may be cut anywhere."""
    root = parsed_html(f"<div>{bounded(text)}</div>")
    return [] if root is None else blocks_of(root)


def blocks_of(root: Any) -> list[RichBlock]:
    """Return the blocks below an lxml element; scripts, styles, form controls and permalink signs are left out."""
    from lxml import etree

    walker = _Walker()
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if event == "end":
            walker.end(element)
            if element is not root:
                walker.text(element.tail)
        elif not walker.start(element):
            walk.skip_subtree()
    return walker.finished()


class _Walker:
    """Gathers inline text into the current block, and begins a new one at every block tag."""

    def __init__(self) -> None:
        self._blocks: list[RichBlock] = []
        self._builder = TextBuilder()
        self._kind, self._level = BlockKind.PARAGRAPH, 0
        self._lists = 0
        self._data_tables = 0
        self._in_row = False

    def start(self, element: Any) -> bool:
        """Enter an element; False where its inside is not for reading, or was read already."""
        tag = element.tag
        if tag in _UNREAD or element.get("aria-hidden") == "true" or _MARKER.search(element.get("class") or ""):
            return False
        if tag == "pre" and not self._in_row:
            self._code(element)
            return False
        if tag in ("table", "tr", "td", "th"):
            self._table_part(element)
        elif tag == "li":
            self._begin(BlockKind.ITEM, max(0, self._lists - 1))
        elif tag in _HEADINGS:
            self._begin(BlockKind.HEADING, _HEADINGS[tag])
        elif tag in _BLOCKS:
            self._flush()
        self._inline(tag, element)
        self.text(element.text)
        return True

    def end(self, element: Any) -> None:
        """Leave an element."""
        tag = element.tag
        if tag == "a":
            self._builder.close_link()
        elif tag == "tr" and self._in_row:
            self._in_row = False
            self._flush()
            self._kind = BlockKind.PARAGRAPH
        elif tag == "li" or tag in _HEADINGS:
            self._flush()
            self._kind = self._kind if self._in_row else BlockKind.PARAGRAPH
        elif tag in _BLOCKS:
            self._flush()
            self._lists -= tag in ("ul", "ol")
            self._data_tables -= tag == "table" and self._data_tables > 0
        elif tag in ("td", "th") and not self._in_row:
            self._flush()

    def text(self, text: str | None) -> None:
        """Take text as it comes."""
        if text:
            self._builder.add(text)

    def finished(self) -> list[RichBlock]:
        """Return the blocks."""
        self._in_row = False
        self._flush()
        return self._blocks

    def _inline(self, tag: str, element: Any) -> None:
        match tag:
            case "a":
                self._builder.open_link(element.get("href") or "")
            case "br":
                self._builder.add(" ") if self._in_row else self._builder.line_break()
            case "img":
                self._builder.add(f" {element.get('alt') or ''} ")
            case "ul" | "ol":
                self._lists += 1

    def _table_part(self, element: Any) -> None:
        if element.tag == "table":
            self._flush()
            nested = self._data_tables > 0
            self._data_tables += nested or next(element.iterdescendants(*_NOT_DATA), None) is None
        elif element.tag == "tr" and self._data_tables:
            self._begin(BlockKind.ROW, 0)
            self._in_row = True
        elif self._in_row:
            if element.getprevious() is not None:
                self._builder.add(" | ")
        else:
            self._flush()

    def _begin(self, kind: BlockKind, level: int) -> None:
        self._flush()
        if not self._in_row:
            self._kind, self._level = kind, level

    def _flush(self) -> None:
        """End the current block; within a table row, blocks only stand apart by a space."""
        if self._in_row:
            self._builder.add(" ")
            return
        if not self._builder.blank:
            level = self._level if self._kind in (BlockKind.HEADING, BlockKind.ITEM) else 0
            self._blocks.append(self._builder.block(self._kind, level))
            self._kind = BlockKind.PARAGRAPH
        self._builder = TextBuilder()

    def _code(self, element: Any) -> None:
        self._flush()
        text = "".join(_code_text(element)).strip("\n")
        if text.strip():
            self._blocks.append(RichBlock(Block(BlockKind.CODE, text, language=_language(element))))


def _code_text(element: Any) -> Iterator[str]:
    """Give the text of a pre element: <br> is a line, line numbers are not code."""
    from lxml import etree

    walk = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walk:
        if event == "start":
            if inner is not element and _MARKER.search(inner.get("class") or ""):
                walk.skip_subtree()
                continue
            yield "\n" if inner.tag == "br" else inner.text or ""
        elif inner is not element:
            yield inner.tail or ""


def _language(element: Any) -> str:
    """Return what the classes of a pre element, of the code in it or of the boxes around it call its language."""
    for candidate in _around(element):
        named = _LANGUAGE.search(candidate.get("class") or "")
        language = next((group for group in named.groups() if group), "") if named else candidate.get("data-lang") or ""
        if language and language.lower() not in _NO_LANGUAGE:
            return str(language)
    return ""


def _around(element: Any) -> Iterable[Any]:
    yield element
    yield from element.iterchildren("code")
    parent = element.getparent()
    for _ in range(2):
        if parent is None or parent.tag == "body":
            return
        yield parent
        parent = parent.getparent()
