"""Template languages in prose: Liquid, Jinja, Hugo, Zola, Svelte and JSX. Tags go, what a reader would see stays."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TICKS = re.compile(r"`+")
_SVELTE = re.compile(
    r"\{(?:#(?:if|each|await|key|snippet)|:(?:else|then|catch)|/(?:if|each|await|key|snippet)"
    r"|@(?:html|render|const|debug|attach))\b[^{}]{0,500}\}"
)
_ATTRIBUTES = re.compile(r"\{:?[ \t]*[.#][A-Za-z][\w:-]*(?:[ \t]+[^{}\n]{0,200})?\}|\{:[^{}\n]{0,200}\}")
_ROLE = re.compile(r"\{[A-Za-z][\w:+-]*\}$")
_OPENERS = re.compile(r"\{\{\{|\{\{|\{%|\{#|\{\*|\{/\*|\{!>|\{~")
_CLOSERS = {"{{{": "}}}", "{{": "}}", "{%": "%}", "{#": "#}", "{*": "*}", "{/*": "*/}", "{!>": "!}", "{~": "~}"}
_LONGEST_TAG = 4_000
_RAW = re.compile(r"-?\s*raw\s*-?")
_END_RAW = re.compile(r"\{%-?\s*endraw\s*-?%\}")
_REFERENCE = re.compile(
    r"-?\s*(?:link|post_url|ref|relref)\s+[\"']?([\w./@#-]+)[\"']?\s*-?$|get_url\(\s*path\s*=\s*[\"']([^\"'\s]+)[\"']"
)
_KEPT = re.compile(
    r"\b(?:title|caption|alt|label|summary|header|heading)\s*=\s*(?:\"([^\"\n]{1,300})\"|'([^'\n]{1,300})')"
)
_COMPONENT = re.compile(r"</?[A-Za-z][\w.:-]{0,80}(?=[\s/>])")
_BRACED = re.compile(r"=\{|\{\.\.\.|\son:\w+|\sbind:\w+")
_MOST_UNCLOSED = 100
_EMPTY_TAGS = re.compile(r"</?>")
_LINES = re.compile(
    r"(?m)^[ \t]*(?:"
    r"/{3,}[ \t]*(?:[\w-]+)?[ \t]*(?:\|[ \t]*(?P<title>[^\n]*))?"
    r"|:{3,}[ \t]*(?:[\w-]+)?"
    r"|;?-+8<-+[^\n]*"
    r"|\[\[?(?:TOC|toc)\]\]?|\[\[_TOC_\]\]"
    r"|\([\w.-]+\)="
    r")[ \t]*$"
)
_ALERT = re.compile(
    r"\A\[!(?:note|tip|important|warning|caution|info|example|question|quote|success|danger|bug|abstract)"
    r"[^\]\n]{0,40}\][+-]?[ \t]*",
    re.IGNORECASE,
)


@dataclass(slots=True)
class TemplateCleaner:
    """Cleans the prose of one document, piece after piece: {% raw %} may begin in one and end in another.

    `with_expressions` is for MDX and Svelte, where {anything} is code. Text within backticks is never touched.
    """

    with_expressions: bool = False
    _in_raw: bool = field(default=False)

    def prose(self, source: str) -> str:
        """Return the Markdown source of one paragraph, heading or cell without template syntax."""
        text = _ALERT.sub("", _LINES.sub(lambda line: line["title"] or "", source))
        return self.inline(text)

    def inline(self, text: str) -> str:
        """Return inline source without template tags."""
        if "{" not in text and not (self.with_expressions and "<" in text):
            return text
        pieces: list[str] = []
        at = 0
        for start, end in code_spans(text):
            pieces += (_ROLE.sub("", self._outside(text[at:start])), text[start:end])
            at = end
        pieces.append(self._outside(text[at:]))
        return "".join(pieces)

    def _outside(self, text: str) -> str:
        if not text:
            return text
        if "<" in text and "{" in text:
            text = without_components(text)
        text = "".join(self._without_tags(text))
        if "{" in text:
            text = _ATTRIBUTES.sub("", _SVELTE.sub("", text))
        if self.with_expressions:
            text = without_braces(_EMPTY_TAGS.sub("", text))
        return text

    def _without_tags(self, text: str) -> Iterator[str]:
        """Give what stands between template tags, and the words of a tag that a reader would see."""
        at = 0
        unclosed: set[str] = set()
        while at < len(text):
            if self._in_raw:
                ending = _END_RAW.search(text, at)
                self._in_raw = ending is None
                yield text[at : ending.start() if ending else len(text)]
                at = ending.end() if ending else len(text)
                continue
            opening = _next_opener(text, at, unclosed)
            if opening is None:
                break
            closer = _CLOSERS[opening[0]]
            close = text.find(closer, opening.end(), opening.end() + _LONGEST_TAG)
            if close < 0:
                unclosed.add(opening[0])
                yield text[at : opening.end()]
                at = opening.end()
                continue
            inside = text[opening.end() : close]
            self._in_raw = opening[0] == "{%" and _RAW.fullmatch(inside) is not None
            yield text[at : opening.start()] + _visible(inside)
            at = close + len(closer)
        yield text[at:]


def _next_opener(text: str, at: int, unclosed: set[str]) -> re.Match[str] | None:
    """Find the next tag; one whose kind had no end from here on is text, and is not looked for again."""
    while (opening := _OPENERS.search(text, at)) is not None:
        is_svelte = opening[0] == "{#" and _SVELTE.match(text, opening.start())
        if not is_svelte and opening[0] not in unclosed:
            return opening
        at = opening.end()
    return None


def _visible(inside: str) -> str:
    """Return the part of a template tag that is for readers: a page it refers to, or its title."""
    if (reference := _REFERENCE.search(inside.strip("<%>- "))) is not None:
        return reference[1] or reference[2]
    return " ".join(double or single for double, single in _KEPT.findall(inside))


def code_spans(text: str) -> list[tuple[int, int]]:
    """Return the places of inline code, backticks included: a run of backticks up to the next run as long."""
    runs = [(match.start(), match.end()) for match in _TICKS.finditer(text)]
    by_length: dict[int, list[int]] = {}
    for number, (start, end) in enumerate(runs):
        by_length.setdefault(end - start, []).append(number)
    spans: list[tuple[int, int]] = []
    at = 0
    while at < len(runs):
        start, end = runs[at]
        same = by_length[end - start]
        while same and same[0] <= at:
            same.pop(0)
        if same:
            at = same[0]
            spans.append((start, runs[at][1]))
        at += 1
    return spans


def without_components(text: str) -> str:
    """Drop the tags that only JSX and Svelte have, those with {braces} in them; a title or label stays as text."""
    pieces: list[str] = []
    at = 0
    unclosed = 0
    for tag in _COMPONENT.finditer(text):
        if tag.start() < at:
            continue
        end = _tag_end(text, tag.end())
        unclosed += end is None
        if unclosed > _MOST_UNCLOSED:
            break
        if end is None or not _BRACED.search(text, tag.end(), end):
            continue
        kept = " ".join(double or single for double, single in _KEPT.findall(text, tag.end(), end))
        pieces.append(text[at : tag.start()] + kept)
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def _tag_end(text: str, start: int) -> int | None:
    """Return where a JSX tag ends: at a > outside quotes and braces."""
    depth, quote = 0, ""
    for at in range(start, min(len(text), start + _LONGEST_TAG)):
        character = text[at]
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'`" and (depth or text[at - 1] == "="):
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
        elif character == ">" and depth <= 0:
            return at + 1
    return None


def without_braces(text: str) -> str:
    """Drop {expressions}, nested ones whole; a literal {"text"} leaves its text. An unclosed brace stays."""
    pieces: list[str] = []
    stack: list[int] = []
    at = 0
    for brace in re.finditer(r"[{}]", text):
        if brace[0] == "{":
            stack.append(brace.start())
        elif stack:
            start = stack.pop()
            if not stack:
                literal = re.fullmatch(r"\s*([\"'`])([^\"'`{}]*)\1\s*", text[start + 1 : brace.start()])
                pieces.append(text[at:start] + (literal[2] if literal else ""))
                at = brace.end()
    pieces.append(text[at:])
    return "".join(pieces)
