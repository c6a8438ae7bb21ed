"""Markdown dialects made CommonMark, line by line: what surrounds prose and never shows in it is taken out.

Lines inside code fences are left as they are.
"""

import re
from collections.abc import Iterator

_TRIGGER = re.compile(
    r"(?m)^[ \t]*(?:/{3}|:{3}|!!!|\?\?\?|=== ?[\"!+]|import\s|export\s|\{%-?\s*highlight|\{\{[<%]\s*/?\s*highlight)"
)
_FENCE = re.compile(r"[ \t]*(?:>[ \t]*)*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?=[^`]*$)|~{3,})")
_ADMONITION = re.compile(r"([ \t]*)(?:!!!|\?\?\?\+?|===[!+]*)[ \t]*[\w -]*(?:\"([^\"]*)\"[ \t]*)?$")
_TAB = re.compile(r"[ \t]*===[!+]*[ \t]*\"")
_COLONS = re.compile(r"([ ]{0,3}|[ \t]+(?=:{3,}[ \t]*[\w{]))(:{3,})[ \t]*(.*)$")
_SLASHES = re.compile(r"([ ]{0,3})(/{3,})[ \t]*(?:([\w-]+)[ \t]*(?:\|[ \t]*(.*))?)?$")
_OPTION = re.compile(r"[ \t]*:[\w-]+:(?:[ \t].*)?$")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w]*(?:\.\w+)+$")
_BRACES = re.compile(r"\{[^{}]*\}")
_QUOTED_TITLE = re.compile(r"\btitle\s*=\s*[\"']([^\"']*)[\"']")
_IMPORT = re.compile(r"import\s+(?:[\w*{}\s,$]+\s+from\s+)?[\"'][^\"']+[\"'];?\s*$|import\s+(?:type\s+)?\{\s*$")
_EXPORT = re.compile(
    r"export\s+(?:default|const|let|var|function|async\s+function|class|type|interface)\b|export\s*[{*]"
)
_HIGHLIGHT = re.compile(
    r"[ \t]*(?:\{%-?\s*highlight\s+([\w+#-]+)[^%]*%\}|\{\{[<%]\s*highlight\s+\"?([\w+#-]+)\"?[^}]*\}\})[ \t]*$"
)
_END_HIGHLIGHT = re.compile(r"[ \t]*(?:\{%-?\s*endhighlight\s*-?%\}|\{\{[<%]\s*/\s*highlight\s*[>%]\}\})[ \t]*$")
_LONE_TAG = re.compile(r"[ \t]*</?[A-Za-z][\w.:-]*(?:\s[^<>]*)?/?>[ \t]*$|[ \t]*</?>[ \t]*$")
_LONGEST_STATEMENT = 200


def as_commonmark(source: str, *, with_components: bool = False) -> str:
    """Return Markdown without MDX statements and directive fences; their titles and contents stay.

    Admonitions lose their indentation, {% highlight %} blocks become fences. `with_components` is for MDX and Svelte:
    a line that is only a tag stands apart from the prose beside it.
    """
    if not with_components and not _TRIGGER.search(source):
        return source
    return "\n".join(_Rewriter(source.split("\n"), with_components=with_components).lines())


class _Rewriter:
    """Walks the lines once, knowing whether it is in a fence and how deep in admonitions."""

    def __init__(self, lines: list[str], *, with_components: bool) -> None:
        self._lines = lines
        self._with_components = with_components
        self._at = 0
        self._fence = ""
        self._admonitions: list[int] = []

    def lines(self) -> Iterator[str]:
        while self._at < len(self._lines):
            line = self._dedented(self._lines[self._at])
            self._at += 1
            if self._fence or _FENCE.match(line):
                yield self._fenced(line)
            else:
                yield from self._prose(line)

    def _dedented(self, line: str) -> str:
        """Take an admonition's indentation from its lines; a line further left ends it."""
        if not self._admonitions or not line.strip():
            return line
        wide = line.expandtabs(4)
        indent = len(wide) - len(wide.lstrip(" "))
        while self._admonitions and indent < self._admonitions[-1] and not self._fence:
            self._admonitions.pop()
        shift = min(indent, 4 * len(self._admonitions))
        return wide[shift:] if shift else line

    def _fenced(self, line: str) -> str:
        """Follow code fences; one ends at a run of its sign at least as long, with nothing after."""
        if self._fence:
            bare = line.strip().lstrip("> \t")
            if bare.startswith(self._fence) and not bare.strip(self._fence[0]):
                self._fence = ""
        elif opening := _FENCE.match(line):
            self._fence = opening[1]
        return line

    def _prose(self, line: str) -> Iterator[str]:
        if line[:7].rstrip() in ("import", "export") or line.startswith(("export{", "export*")):
            yield from self._statement(line)
        elif (
            (admonition := _ADMONITION.match(line))
            and (line.lstrip()[0] != "=" or _TAB.match(line))
            and line.strip("= \t")
        ):
            self._admonitions.append(len(admonition[1].expandtabs(4)) + 4 * len(self._admonitions) + 4)
            yield from ("", admonition[1] + (admonition[2] or ""), "")
        elif directive := _SLASHES.match(line):
            yield from ("", directive[1] + (directive[4] or ""), "")
        elif colons := _COLONS.match(line):
            yield from ("", colons[1] + self._directive(colons[3]), "")
        elif highlight := _HIGHLIGHT.match(line):
            yield from self._highlighted(highlight[1] or highlight[2])
        elif self._with_components and _LONE_TAG.match(line):
            yield from ("", line.strip(), "")
        else:
            yield line

    def _directive(self, rest: str) -> str:
        """Return what a ::: line has to say, and pass over the options that follow it."""
        is_api = _IDENTIFIER.match(rest.strip()) is not None
        while self._at < len(self._lines):
            line = self._lines[self._at]
            is_option = line.startswith("    ") if is_api else _OPTION.match(line)
            if not rest.strip() or not is_option or not line.strip():
                break
            self._at += 1
        if is_api:
            return rest.strip()
        if titled := _QUOTED_TITLE.search(rest):
            return titled[1]
        words = _BRACES.sub("", rest).strip()
        named = rest.lstrip().startswith("{")
        title = (
            words if named else words.partition(" ")[2] if "[" not in words else words.partition("[")[2].rstrip("] ")
        )
        return title.strip().strip(":").strip()

    def _highlighted(self, language: str) -> Iterator[str]:
        yield f"~~~~~~{language}"
        while self._at < len(self._lines) and not _END_HIGHLIGHT.match(self._lines[self._at]):
            yield self._lines[self._at]
            self._at += 1
        self._at += 1
        yield "~~~~~~"

    def _statement(self, line: str) -> Iterator[str]:
        """Drop an import or export of MDX, up to where its brackets close; prose that begins so stays."""
        if not (_IMPORT.match(line) or _EXPORT.match(line)):
            yield line
            return
        depth = _depth(line)
        for _ in range(_LONGEST_STATEMENT):
            if depth <= 0 or self._at >= len(self._lines):
                return
            depth += _depth(self._lines[self._at])
            self._at += 1


def _admonition(line: str) -> re.Match[str] | None:
    """Recognise !!! and ??? boxes and === "tabs"; a line of equals signs alone underlines a heading."""
    is_heading = line.lstrip().startswith("=") and not _TAB.match(line)
    return None if is_heading else _ADMONITION.match(line)


def _depth(line: str) -> int:
    return sum(line.count(sign) for sign in "({[") - sum(line.count(sign) for sign in ")}]")
