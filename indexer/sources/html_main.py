"""Which part of a page is its content: <main> or <article> where there is one, else what trafilatura finds."""

import copy
import re
from typing import Any

from indexer.sources.html_blocks import blocks_of, parsed_html
from indexer.sources.prose import RichBlock

_MAIN = (
    ".//main",
    ".//*[@role='main']",
    ".//article",
    ".//*[@id='main-content' or @id='content' or @id='main']",
)
_SUBSTANTIAL = 200
_LARGEST_EXTRACTED = 2_000_000
_MOST_ELEMENTS = 50_000
"""Of a page that is looked through for its content: that takes more than linear time."""
_AROUND = ("nav", "footer", "aside", "header", "form")
_AROUND_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary"})
_CHROME = re.compile(
    r"(?:^|[\s_-])(?:breadcrumbs?|sidebar|sphinxsidebar|toc|toctree-wrapper|table-of-contents|pagination|pager|prev-next"
    r"|skip-?(?:link|to-content)|share|social|cookie|newsletter|related|comments|edit-this-page|feedback|sr-only"
    r"|visually-hidden|headerlink|mw-editsection|navbox|nav(?:bar|igation)?|footer|advert)(?:$|[\s_-])",
    re.IGNORECASE,
)
_TEI_TAGS = {"list": "ul", "item": "li", "row": "tr", "cell": "td", "quote": "blockquote", "ref": "a", "lb": "br"}


def main_blocks(root: Any, source: str) -> list[RichBlock]:
    """Return the blocks of a page's main content; of the whole body when nothing else is substantial."""
    marked = _marked(root)
    if marked is not None:
        return blocks_of(_without_chrome(marked))
    body = next(root.iter("body"), root)
    stripped = blocks_of(_without_chrome(body, inside=False))
    is_small = len(source) <= _LARGEST_EXTRACTED and sum(1 for _ in root.iter()) <= _MOST_ELEMENTS
    found = _extracted(source) if is_small else []
    # Extraction that loses most of a page (code, tables) is worth less than a page with some of its frame.
    return found if _length(found) > max(_SUBSTANTIAL, 0.5 * _length(stripped)) else stripped or blocks_of(body)


def _marked(root: Any) -> Any:
    """Return the element that the page itself names its content, where that holds a fair part of the text."""
    whole = len(_words_of(root))
    for path in _MAIN:
        found = root.xpath(path)
        if len(found) > 1 and path == ".//article":  # a list of teasers is no article
            found = [max(found, key=lambda element: len(_words_of(element)))]
        if found and len(_words_of(found[0])) >= min(_SUBSTANTIAL, 0.2 * whole):
            return found[0]
    return None


def _words_of(element: Any) -> str:
    texts = element.xpath(".//text()[not(ancestor::script or ancestor::style or ancestor::nav)]")
    return " ".join(" ".join(texts).split())


def _without_chrome(element: Any, *, inside: bool = True) -> Any:
    """Return a copy without navigation, breadcrumbs, share buttons; `inside` the content, headers and asides stay."""
    kept = copy.deepcopy(element)
    kept.tail = None
    tags = ("nav", "footer") if inside else _AROUND
    for inner in list(kept.iterdescendants()):
        if inner.getparent() is None or not isinstance(inner.tag, str):
            continue
        named = f"{inner.get('class') or ''} {inner.get('id') or ''}"
        is_chrome = inner.tag in tags or inner.get("role") in _AROUND_ROLES
        if is_chrome or (inner.tag not in ("main", "article", "body", "pre") and _CHROME.search(named[:300])):
            _drop(inner)
    return kept


def _drop(element: Any) -> None:
    """Take an element out of its tree and leave the text after it."""
    parent, before = element.getparent(), element.getprevious()
    if element.tail:
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def _extracted(source: str) -> list[RichBlock]:
    import trafilatura

    try:
        tei = trafilatura.extract(
            source,
            output_format="xml",
            include_links=True,
            include_tables=True,
            include_comments=False,
            favor_recall=True,
        )
    except Exception:  # it meets hostile pages with whatever its parts raise
        return []
    return blocks_of(_as_html(tei)) if tei else []


def _as_html(tei: str) -> Any:
    """Return trafilatura's XML as HTML elements, for the one walker that reads both."""
    root = parsed_html(tei.replace("<head ", "<heading ").replace("</head>", "</heading>"))
    for element in root.iter():
        if element.tag == "heading":
            level = element.get("rend") or "h2"
            element.tag = level if re.fullmatch(r"h[1-6]", level) else "h2"
        elif element.tag == "ref":
            element.set("href", element.get("target") or "")
            element.tag = "a"
        elif element.tag == "code" and "\n" in "".join(element.itertext()):
            element.tag = "pre"
        else:
            element.tag = _TEI_TAGS.get(element.tag, element.tag)
    return root


def _length(blocks: list[RichBlock]) -> int:
    return sum(len(rich.block.text) for rich in blocks)
