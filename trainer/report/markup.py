"""Markup that is safe by construction: whatever is not `Html` already is escaped when it becomes part of a page.

What comes out is well-formed as XML and as HTML alike, so that a strict parser can judge it.
"""

import html
import re
from collections.abc import Iterable

from trainer.report.figures import MISSING

_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
"""What no HTML file may contain (control characters, half characters, non-characters), and what turns text around."""
_MARK_TAG = re.compile("(</?mark>)")
_CODE = re.compile("`([^`]+)`")
_VOID = frozenset({"meta"})

Attribute = str | int | float | None


class Html(str):
    """A string that is markup; any other string is text."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """Return the text as markup that shows it; markup is returned as it is."""
    if isinstance(text, Html):
        return text
    return Html(html.escape(_FORBIDDEN.sub("\ufffd", text)))


def tag(name: str, /, *children: str, **attributes: Attribute) -> Html:
    """Return an element; `class_` is written class and `aria_label` aria-label, and one of None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_FORBIDDEN.sub("", str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}/>" if name in _VOID else f"<{name}{written}>{joined(children)}</{name}>")


def joined(parts: Iterable[str], between: str = "") -> Html:
    """Return the parts one after the other as markup."""
    return Html(escaped(between).join(escaped(part) for part in parts))


def marked(excerpt: str) -> Html:
    """Return an excerpt whose only tags are <mark>, each closed, whatever was in it: any other tag is shown as text."""
    parts: list[str] = []
    is_open = False
    for piece in _MARK_TAG.split(excerpt):
        if _MARK_TAG.fullmatch(piece):
            opens = piece == "<mark>"
            if opens != is_open:
                parts.append(piece)
            is_open = opens
        else:
            parts.append(escaped(html.unescape(piece)))
    return Html("".join(parts) + ("</mark>" if is_open else ""))


def prose(text: str) -> Html:
    """Return a sentence of the report's own: what stands in backticks is code, and no line ends before a per cent."""
    parts = _CODE.split(text.replace(" %", "\u00a0%"))
    return joined(tag("code", part) if place % 2 else part for place, part in enumerate(parts))


def foreign(text: str) -> Html:
    """Return text that somebody else wrote, kept from turning the direction of what stands around it."""
    return tag("bdi", text)


def hidden(text: str) -> Html:
    """Return text for those who listen to the page."""
    return tag("span", text, class_="hidden")


def number(text: str) -> Html:
    """Return a table's cell with a number; one that is missing is dimmed."""
    return tag("td", text, class_="n none" if text == MISSING else "n")


def words(*children: str) -> Html:
    """Return a table's cell with words."""
    return tag("td", *children)


def table(key: str, caption: str, header: Iterable[str], rows: Iterable[tuple[str, Iterable[Html]]]) -> Html:
    """Return a table that scrolls in a container of its own; each row is its heading and its further cells.

    A column's title that begins with a space heads words; the others but the first head numbers.
    """
    titles = [
        tag("th", title.strip(), scope="col", class_=None if place == 0 or title.startswith(" ") else "n")
        for place, title in enumerate(header)
    ]
    body = [tag("tr", tag("th", heading, scope="row"), *cells) for heading, cells in rows]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", tag("span", caption, id=f"{key}-caption")),
            tag("thead", tag("tr", *titles)),
            tag("tbody", *body),
        ),
        class_="scroll",
        id=key,
        role="region",
        tabindex=0,
        aria_labelledby=f"{key}-caption",
    )
