"""Split a block that is over the limit: at sentences or blank lines, then lines, then words, then anywhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.chunking.counting import CHARS_PER_TOKEN, Sized, TokenCounter, fits
from indexer.chunking.packing import Unit, balanced
from retrieval.types import BlockKind

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_SENTENCE = re.compile(r"[.!?…][\"'”’)\]]{0,3}(?=\s+[^\sa-z])|[。！？][」』”’）]{0,3}")
_BLANK_LINE = re.compile(r"(?=\n[^\S\n]{0,200}\n)")
_LINE = re.compile(r"(?=\n)")
_WORD = re.compile(rf"(?<=\S)(?=\s)|(?<=[{_CJK}])(?=\S)|(?<=\S)(?=[{_CJK}])")

PROSE = (_SENTENCE, _LINE, _WORD)
CODE = (_BLANK_LINE, _LINE, _WORD)

_LEADING_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")


@dataclass(frozen=True, slots=True)
class _Atom:
    """A stretch of a text with the space before it; `tie` says how bad a place its beginning is for a cut."""

    text: str
    tokens: int
    tie: int = 0


def split(whole: Sized, limit: int, counter: TokenCounter) -> list[Sized]:
    """Return the block in the fewest parts of at most `limit` tokens, balanced; each part of code has its own fence."""
    if fits(whole.tokens, len(whole.text), limit):
        return [whole]
    block = whole.block
    if block.kind == BlockKind.CODE:
        fence = replace(block, text="").rendered()
        inner = limit - counter.counts([fence])[0]
        if inner >= limit // 2 and len(fence) < limit:
            parts = _parts(block.text, CODE, inner, counter)
            return counter.sized([replace(block, text=part) for part in parts])
    parts = _parts(whole.text, PROSE, limit, counter)
    return [Sized(block, text, tokens) for text, tokens in zip(parts, counter.counts(parts), strict=True)]


def _parts(text: str, levels: Sequence[re.Pattern[str]], limit: int, counter: TokenCounter) -> list[str]:
    """Return the text cut in parts of at most `limit` tokens, without the blank space at the cuts."""
    atoms = _atoms(_Atom(text, limit + 1), levels, limit, counter)
    units = [Unit(atom.tokens, len(atom.text), atom.tie) for atom in atoms]
    joined = ("".join(atoms[i].text for i in run) for run in balanced(units, limit))
    trimmed = (_LEADING_BLANK_LINES.sub("", part).rstrip() if levels is CODE else part.strip() for part in joined)
    return [part for part in trimmed if part]


def _atoms(atom: _Atom, levels: Sequence[re.Pattern[str]], limit: int, counter: TokenCounter) -> list[_Atom]:
    """Cut at the first level, and what still does not fit at the next; a deeper cut is a poorer place."""
    if fits(atom.tokens, len(atom.text), limit):
        return [atom]
    texts = _cut(atom.text, levels[0]) if levels else _hard_cut(atom.text, limit)
    if len(texts) == 1 and not levels:
        return [atom]
    depth = 3 - len(levels)
    counts = counter.counts(texts)
    finer = [
        _Atom(text, tokens, depth if index else atom.tie)
        for index, (text, tokens) in enumerate(zip(texts, counts, strict=True))
    ]
    return [leaf for part in finer for leaf in _atoms(part, levels[1:], limit, counter)]


def _cut(text: str, where: re.Pattern[str]) -> list[str]:
    ends = sorted({match.end() for match in where.finditer(text)} - {0, len(text)})
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _hard_cut(text: str, limit: int) -> list[str]:
    """Cut a "word" that no chunk can hold into equal stretches of characters: at least two, if it has two."""
    longest = limit * CHARS_PER_TOKEN
    stride = longest if len(text) > longest else max(1, (len(text) + 1) // 2)
    return [text[start : start + stride] for start in range(0, len(text), stride)]
