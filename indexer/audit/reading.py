"""Read a document's Markdown as an auditor does: its prose apart from its code, its words."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def words_of(text: str) -> list[str]:
    """Return the words, case-folded; a Chinese or Japanese character counts as one."""
    return _WORD.findall(text.casefold())


def prose_lines(text: str) -> Iterator[str]:
    """Yield the lines that are neither blank nor inside a code fence, with single spaces."""
    fence = ""
    for line in text.split("\n"):
        if fence:
            fence = "" if line.rstrip() == fence else fence
        elif line.startswith("```"):
            fence = "````" if line.startswith("````") else "```"
        elif line.strip():
            yield " ".join(line.split())


def normalised(text: str) -> str:
    """Return the text without what two copies may differ in: letter case and blank space."""
    return " ".join(text.casefold().split())
