"""Markup that parsers can take: they compare each attribute of a tag with every other, and one tag may take hours."""

import re

MOST_ATTRIBUTES = 500
"""Pages that people read have a few dozen in a tag."""
_HARMLESS_CHARS = 20_000
"""Markup in which no tag has attributes enough to matter."""
_MOST_LOOKS = 20
"""How often a character is looked at, on the average: tags begin within what may be tags."""

# As the HTML standard has it; nothing that was taken is given back.
_ATTRIBUTE = r"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)?+)?+"""
_BEGINNING = re.compile(r"<(?=[A-Za-z])")
_ATTRIBUTES = re.compile(rf"[^\s/>]*+(?:{_ATTRIBUTE}){{0,{MOST_ATTRIBUTES}}}+")
_ONE_MORE = re.compile(_ATTRIBUTE)
_ASIDE = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"<[^<>]*>?")


def bounded(markup: str) -> str:
    """Return HTML or XML in which no tag has more than `MOST_ATTRIBUTES` attributes, whatever is taken for a tag.

    Where a tag has, scripts, styles and comments go first, which only look like it; then all tags.
    """
    if _is_bounded(markup):
        return markup
    without = _ASIDE.sub(" ", markup)
    return without if _is_bounded(without) else _TAG.sub(" ", markup)


def _is_bounded(markup: str) -> bool:
    """Judge every place where a tag could begin: what comments and scripts hide differs between parsers."""
    looks = _MOST_LOOKS * len(markup) if len(markup) > _HARMLESS_CHARS else 0
    for beginning in _BEGINNING.finditer(markup) if looks else ():
        found = _ATTRIBUTES.match(markup, beginning.end())
        end = found.end() if found else beginning.end()
        looks -= end - beginning.end()
        if looks < 0 or (end - beginning.end() > MOST_ATTRIBUTES and _has_more(markup, beginning.end(), end)):
            return False
    return True


def _has_more(markup: str, begin: int, end: int) -> bool:
    found = sum(1 for _ in _ONE_MORE.finditer(markup, begin, end))
    return found >= MOST_ATTRIBUTES and _ONE_MORE.match(markup, end) is not None
