"""Docstrings as blocks: paragraphs, examples as code, bullets and fields as items, underlined section names."""

import inspect
import re
from collections.abc import Iterator

from retrieval.types import Block, BlockKind

_UNDERLINE = re.compile(r"([=\-~^*#+\"'])\1{2,}\s*")
_BULLET = re.compile(r"(\s*)(?:[-*+•]|\(?\d{1,2}[.)])\s+(?=\S)")
_FIELD = re.compile(r":(?:\w+[ \w,.\[\]*]*):(?:\s|$)")
_FENCE = re.compile(r"\s*(```+|~~~+)\s*([\w+-]*)[^`]*$")
_HASHES = re.compile(r"(#{1,6})\s+(\S.*)")
_TABLE_RULE = re.compile(r"\s*(?:=+|-+)(?:\s+(?:=+|-+))+\s*")
_DIRECTIVE = re.compile(r"\.\.\s+([\w-]+)::\s*(.*)")
_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Keyword Args|Keyword Arguments|Attributes|Methods"
    r"|Examples?|Usage|Notes?|Warnings?|See Also|References|Todo):",
)
_CODE_DIRECTIVES = frozenset({"code", "code-block", "sourcecode", "doctest", "testcode", "parsed-literal"})
_CODE_LINE = re.compile(
    r"(?m)^\s*(?:(?:from|import|class|def|async|await|with|for|if|while|try|return|raise|print|del|assert|@)\b.*"
    r"|[\w.\[\]'\"]+\s*=\s*\S.*|[\w.]+\(.*\)?|[{\[(#].*|\$ .*|%.*)$"
)
_ROLE = re.compile(r":(?:\w+:)?\w+:`~?([^`<]+?)(?:\s*<[^`>]*>)?`")
_LITERAL = re.compile(r"``(.+?)``|`([^`\n]+)`_{0,2}")


def blocks_of(docstring: str) -> list[Block]:
    """Return the blocks of a docstring; any text is accepted, whatever convention it follows."""
    lines = inspect.cleandoc(docstring.replace("\x00", "")).splitlines()
    return [block for block in _Reader(lines).blocks() if block.text.strip()]


def plain(text: str) -> str:
    """Return a line of reST without its roles and backquotes."""
    return _LITERAL.sub(lambda match: match[1] or match[2], _ROLE.sub(r"\1", text))


def summary(docstring: str) -> str:
    """Return the first paragraph of a docstring on one line, free of markup."""
    paragraph = inspect.cleandoc(docstring).partition("\n\n")[0]
    return plain(" ".join(paragraph.split()))


class _Reader:
    """Reads groups of lines from the top; each method consumes what it turns into a block."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0

    def blocks(self) -> Iterator[Block]:
        literal = False
        while (line := self._peek()) is not None:
            if not line.strip():
                self._at += 1
                continue
            indented = line[0].isspace()
            if literal and indented:
                yield from self._indented_code("")
                literal = False
                continue
            literal = False
            if (marked := self._marked(line)) is not None:
                yield from marked
            elif indented:
                yield from self._indented()
            else:
                text, literal = self._paragraph()
                yield text

    def _marked(self, line: str) -> list[Block] | None:
        """Return the blocks of what announces itself (an example, fence, heading, directive, table), else None."""
        if line.lstrip().startswith(">>>"):
            return [self._doctest()]
        if fence := _FENCE.match(line):
            return [self._fenced(fence[1], fence[2])]
        if hashes := _HASHES.fullmatch(line):
            self._at += 1
            return [Block(BlockKind.HEADING, plain(hashes[2]), level=max(2, len(hashes[1])))]
        if self._is_heading():
            self._at += 2
            return [Block(BlockKind.HEADING, plain(line.strip()), level=2)]
        if directive := _DIRECTIVE.match(line):
            return list(self._directive(directive[1], directive[2]))
        if _TABLE_RULE.fullmatch(line):
            rows = [row for row in self._take_until_blank() if not _TABLE_RULE.fullmatch(row)]
            return [Block(BlockKind.ROW, plain(" ".join(row.split()))) for row in rows]
        return None

    def _peek(self, ahead: int = 0) -> str | None:
        at = self._at + ahead
        return self._lines[at] if at < len(self._lines) else None

    def _is_heading(self) -> bool:
        line, below = self._peek() or "", self._peek(1) or ""
        return bool(_UNDERLINE.fullmatch(below)) and not line[0].isspace() and not _UNDERLINE.fullmatch(line)

    def _take_while_indented(self) -> list[str]:
        """Take indented lines with the blank lines between them."""
        taken: list[str] = []
        while (line := self._peek()) is not None and (not line.strip() or line[0].isspace()):
            taken.append(line)
            self._at += 1
        return taken

    def _indented_code(self, language: str) -> Iterator[Block]:
        text = inspect.cleandoc("\n" + "\n".join(self._take_while_indented()))
        yield Block(BlockKind.CODE, text, language=language)

    def _take_until_blank(self) -> list[str]:
        taken: list[str] = []
        while (line := self._peek()) is not None and line.strip():
            taken.append(line)
            self._at += 1
        return taken

    def _doctest(self) -> Block:
        return Block(BlockKind.CODE, inspect.cleandoc("\n" + "\n".join(self._take_until_blank())), language="python")

    def _fenced(self, fence: str, language: str) -> Block:
        self._at += 1
        taken: list[str] = []
        while (line := self._peek()) is not None:
            self._at += 1
            if line.strip() == fence:
                break
            taken.append(line)
        return Block(BlockKind.CODE, inspect.cleandoc("\n" + "\n".join(taken)), language=language)

    def _directive(self, name: str, argument: str) -> Iterator[Block]:
        self._at += 1
        if name in _CODE_DIRECTIVES:
            yield from self._indented_code(argument.strip() or "python")
            return
        body = inspect.cleandoc("\n" + "\n".join(self._take_while_indented()))
        yield from blocks_of(f"{name.capitalize()} {argument}\n{body}")

    def _indented(self) -> Iterator[Block]:
        """An indented group with no `::` before it: code if each line looks like code, else text one level deeper."""
        group: list[str] = []
        while (line := self._peek()) is not None and line.strip() and line[0].isspace():
            if line.lstrip().startswith(">>>") and group:
                break
            group.append(line)
            self._at += 1
        text = inspect.cleandoc("\n" + "\n".join(group))
        if all(_CODE_LINE.match(line) or line[0].isspace() for line in text.splitlines() if line):
            yield Block(BlockKind.CODE, text, language="python")
        else:
            yield from _entries(text.splitlines())

    def _paragraph(self) -> tuple[Block, bool]:
        first = self._lines[self._at]
        bullet = _BULLET.match(first)
        below = self._peek(1) or ""
        hanging = below[:1].isspace() and below.strip() and not first.rstrip().endswith(":")
        marked = bool(bullet or _FIELD.match(first) or hanging)
        taken = [first]
        self._at += 1
        while (line := self._peek()) is not None and self._continues(line, marked=marked, last=taken[-1]):
            taken.append(line)
            self._at += 1
        text = " ".join(" ".join(taken).split())
        literal = text.endswith("::")
        text = plain(text[:-1] if literal else text)
        if bullet:
            text = text[len(" ".join(bullet[0].split())) :].lstrip() or text
        return Block(BlockKind.ITEM if marked else BlockKind.PARAGRAPH, text), literal

    def _continues(self, line: str, *, marked: bool, last: str) -> bool:
        if not line.strip() or line.lstrip().startswith(">>>") or _FENCE.match(line):
            return False
        below = self._peek(1) or ""
        if line[0].isspace():
            return marked
        if marked and (last[0].isspace() or (below[:1].isspace() and below.strip())):
            return False
        starts = _BULLET.match(line) or _FIELD.match(line) or _DIRECTIVE.match(line) or _SECTION.fullmatch(line.strip())
        return not starts and not last.rstrip().endswith("::") and not _UNDERLINE.fullmatch(below)


def _entries(lines: list[str]) -> Iterator[Block]:
    """Turn "name: meaning" entries with deeper continuation lines into items, anything else into one paragraph."""
    starts = [i for i, line in enumerate(lines) if not line[0].isspace()]
    hanging = len(starts) < len(lines) or all(re.match(r"[*\w.`]+(?: \([^)]*\))?:\s", line) for line in lines)
    if not hanging and not any(_BULLET.match(line) for line in lines):
        yield Block(BlockKind.PARAGRAPH, plain(" ".join(" ".join(lines).split())))
        return
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text = " ".join(" ".join(lines[start:end]).split())
        bullet = _BULLET.match(text)
        yield Block(BlockKind.ITEM, plain(text[bullet.end() :] if bullet else text))
