"""Plain text gathered piece by piece, remembering where its links stand."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from retrieval.types import Block, BlockKind, Link

MAX_SENTENCE = 400
_WORD = re.compile(r"\w")
_SPACE = re.compile(r"\s+")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+(?=[^\sa-z])|[。！？]|\n")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link in a text: text[start:end] is what one clicks, `target` the address as written."""

    start: int
    end: int
    target: str


@dataclass(frozen=True, slots=True)
class RichBlock:
    """A block and the links in it."""

    block: Block
    anchors: tuple[Anchor, ...] = ()


class TextBuilder:
    """Collects inline text: runs of white space become one space, links keep their place."""

    def __init__(self) -> None:
        """Start empty."""
        self._parts: list[str] = []
        self._length = 0
        self._spaced = True  # nothing yet, so a space would lead
        self._open: list[tuple[int, str]] = []
        self._anchors: list[Anchor] = []

    def add(self, text: str) -> None:
        """Append text, folding its white space."""
        if not text:
            return
        folded = _SPACE.sub(" ", text)
        if self._spaced and folded[0] == " ":
            folded = folded[1:]
        if folded:
            self._put(folded)
            self._spaced = folded[-1] == " "

    def line_break(self) -> None:
        """Append a line break that stays one."""
        if self._length:
            self._put("\n")
            self._spaced = True

    def open_link(self, target: str) -> None:
        """Say that a link begins here."""
        self._open.append((self._length, target))

    def close_link(self) -> None:
        """Say that the link opened last ends here."""
        if self._open:
            start, target = self._open.pop()
            self._anchors.append(Anchor(start, self._length, target))

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to read in it: no letter, no digit."""
        return not any(_WORD.search(part) for part in self._parts)

    def text(self) -> str:
        """Return the text without space at its end."""
        return "".join(self._parts).rstrip()

    def block(self, kind: BlockKind, level: int = 0) -> RichBlock:
        """Return the text as a block."""
        return RichBlock(Block(kind, self.text(), level), tuple(self._anchors))


def links_of(blocks: Iterable[RichBlock]) -> tuple[Link, ...]:
    """Return the links of the blocks in order, targets as written, each with the sentence around it."""
    return tuple(
        Link(anchor.target, text, sentence_around(rich.block.text, anchor.start, anchor.end))
        for rich in blocks
        for anchor in rich.anchors
        if anchor.target and (text := rich.block.text[anchor.start : anchor.end].strip())
    )


def sentence_around(text: str, start: int, end: int) -> str:
    """Return the sentence that text[start:end] stands in, cut at words to at most 400 characters."""
    low = max(0, start - MAX_SENTENCE)
    high = min(len(text), end + MAX_SENTENCE)
    begin = low
    for found in _SENTENCE_END.finditer(text, low, start):
        begin = found.end()
    after = _SENTENCE_END.search(text, max(start, end - 1), high)
    stop = after.end() if after else high
    return _cut(text, (begin, stop), (start, end)).strip()


def _cut(text: str, sentence: tuple[int, int], anchor: tuple[int, int]) -> str:
    """Trim a long sentence from both ends, as far from the anchor as can be."""
    begin, stop = sentence
    if stop - begin <= MAX_SENTENCE:
        return text[begin:stop]
    room = max(0, MAX_SENTENCE - (anchor[1] - anchor[0]))
    left = max(begin, anchor[0] - max(room // 2, room - (stop - anchor[1])))
    right = min(stop, left + MAX_SENTENCE)
    if left > begin:
        space = text.find(" ", left, anchor[0])
        left = space + 1 if space >= 0 else left
    if right < stop:
        space = text.rfind(" ", anchor[1], right)
        right = space if space >= 0 else right
    return text[left:right]
