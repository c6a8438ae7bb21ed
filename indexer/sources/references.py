"""Mentions of other documented names in a docstring, as links: `:func:`~asyncio.run``, `asyncio.run`, `run()`."""

import re
from collections.abc import Collection, Iterator

from indexer.sources.docstrings import plain
from retrieval.types import Link

_MENTION = re.compile(
    r":(?:\w+:)?\w+:`~?!?(?P<role>[\w.]+)(?:\(\))?`"
    r"|``?(?P<literal>[A-Za-z_][\w.]*)(?:\(\))?``?"
    r"|\b(?P<dotted>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)\b"
    r"|\b(?P<called>[A-Za-z_]\w*)\(\)"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`:])")

MOST_LINKS = 20


def links_in(docstring: str, name: str, known: Collection[str]) -> tuple[Link, ...]:
    """Return a link for each other known name that the docstring of `name` mentions, at most twenty.

    A short name is looked up where Python would: in the class, the module, then the package.
    """
    found: dict[str, Link] = {}
    for paragraph in docstring.split("\n\n"):
        if paragraph[:1].isspace() or paragraph.startswith(">>>"):
            continue  # an example uses a name, it does not speak of it
        for sentence in _SENTENCE_END.split(" ".join(paragraph.split())):
            for mention in _mentions(sentence):
                target = _resolved(mention, name, known)
                if target and target != name and len(found) < MOST_LINKS:
                    found.setdefault(target, Link(target, mention, plain(sentence)))
    return tuple(found.values())


def _mentions(sentence: str) -> Iterator[str]:
    for match in _MENTION.finditer(sentence):
        yield next(group for group in match.groups() if group).strip(".")


def _resolved(mention: str, name: str, known: Collection[str]) -> str | None:
    scope = name
    while scope:
        if f"{scope}.{mention}" in known:
            return f"{scope}.{mention}"
        scope = scope.rpartition(".")[0]
    return mention if mention in known else None
