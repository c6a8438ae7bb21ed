"""Markdown text to blocks: markdown-it reads it, templates are cleaned between its two passes."""

import html
import re
from collections.abc import Iterable, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from indexer.sources.html_blocks import fragment_blocks
from indexer.sources.markdown_cleanup import as_commonmark
from indexer.sources.markdown_inline import InlineText
from indexer.sources.prose import RichBlock, TextBuilder
from indexer.sources.templates import TemplateCleaner
from retrieval.types import Block, BlockKind

MAX_NESTING = 4
_LONGEST_PROSE = 30_000
"""Characters of one paragraph whose inline syntax is read; a longer one, which nobody wrote, stays as it is."""
_DIRECTIVE = re.compile(r"\{+\.?([\w:-]+)[^{}]*\}+[ \t]*(.*)")
_CODE_DIRECTIVES = frozenset({"code", "code-block", "code-cell", "sourcecode", "literalinclude", "doctest", "prompt"})
_PROSE_DIRECTIVES = frozenset(
    "note tip hint "  # noqa: SIM905 - names read better as words
    "important warning caution danger error attention seealso admonition topic sidebar margin card "
    "grid dropdown tab-set tab-item details epigraph figure todo versionadded versionchanged deprecated glossary "
    "exercise solution proof theorem example definition eval-rst list-table".split()
)
_OPTION = re.compile(r"(?m)\A(?:[ \t]*:[\w-]+:[^\n]*(?:\n|\Z)|---\n(?:[^\n]*\n){0,50}?---\n)+")
_LANGUAGE = re.compile(r"\{?\.?([A-Za-z][\w+#.-]*)")
_COLOUR = re.compile(r"<(?:font|span)\s[^<>]*(?:color|style|class)[^<>]*>", re.IGNORECASE)
_STYLING = re.compile(r"</?(?:font|span|b|u|i|em|strong)(?:\s[^<>]*)?>", re.IGNORECASE)
_RAW = re.compile(r"\s*\{%-?\s*raw\s*-?%\}[ \t]*\n?(.*?)\{%-?\s*endraw\s*-?%\}\s*", re.DOTALL)
_HEADING_ID = re.compile(r"[ \t]*\{[ \t]*[#.:][^{}]*\}[ \t]*$")
_INCLUDE = re.compile(r"\s*(?:\{!>?[^{}\n]*!\}|\{\*[^{}\n]*\*\}|;?--8<--[^\n]*)\s*")


def markdown_blocks(source: str, *, with_components: bool = False, nesting: int = 0) -> list[RichBlock]:
    """Return the blocks of Markdown text without front matter; `with_components` reads it as MDX or Svelte."""
    text = as_commonmark(source, with_components=with_components)
    cleaner = TemplateCleaner(with_components)
    tokens = _reader(with_components).parse(text, {"cleaner": cleaner})
    return _Gatherer(nesting=nesting, with_components=with_components).gathered(tokens)


@cache
def _reader(with_components: bool) -> MarkdownIt:
    from mdit_py_plugins.footnote import footnote_plugin

    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(footnote_plugin)
    if with_components:
        reader.disable("code")  # MDX has no indented code
    reader.normalizeLink = _as_written  # type: ignore[method-assign, assignment] # the seam that markdown-it offers for this
    reader.core.ruler.before("inline", "templates", _clean_templates)
    return reader


def _as_written(address: str) -> str:
    """Leave a link's address alone: it is resolved against file names later."""
    return address


def _clean_templates(state: StateCore) -> None:
    """Clean the source of each piece of prose before its inline syntax is read; code is not among them."""
    cleaner: TemplateCleaner = state.env["cleaner"]
    for previous, token in zip([None, *state.tokens], state.tokens, strict=False):
        if token.type == "inline":
            token.content = cleaner.prose(token.content)
            if len(token.content) > _LONGEST_PROSE:
                token.children = [Token("text", "", 0, content=token.content)]
                token.content = ""
            if previous is not None and previous.type == "heading_open":
                token.content = _HEADING_ID.sub("", token.content)
        elif token.type == "html_block":
            token.content = cleaner.inline(token.content)


class _Gatherer:
    """Turns markdown-it's tokens into blocks."""

    def __init__(self, *, nesting: int, with_components: bool) -> None:
        self._nesting = nesting
        self._with_components = with_components
        self._blocks: list[RichBlock] = []
        self._kind, self._level = BlockKind.PARAGRAPH, 0
        self._lists = 0
        self._row: TextBuilder | None = None
        self._cells = 0

    def gathered(self, tokens: Sequence[Token]) -> list[RichBlock]:
        for token in tokens:
            self._take(token)
        return self._blocks

    def _take(self, token: Token) -> None:
        match token.type:
            case "heading_open":
                self._kind, self._level = BlockKind.HEADING, int(token.tag[1])
            case "list_item_open":
                self._kind, self._level = BlockKind.ITEM, self._lists - 1
            case "heading_close" | "list_item_close":
                self._kind, self._level = BlockKind.PARAGRAPH, 0
            case "bullet_list_open" | "ordered_list_open":
                self._lists += 1
            case "bullet_list_close" | "ordered_list_close":
                self._lists -= 1
            case _:
                self._take_content(token)

    def _take_content(self, token: Token) -> None:
        match token.type:
            case "inline":
                self._inline(token.children or ())
            case "fence" | "code_block":
                self._code(token)
            case "html_block":
                self._blocks += fragment_blocks(token.content)
            case "tr_open":
                self._row, self._cells = TextBuilder(), 0
            case "tr_close":
                self._end_row()

    def _inline(self, children: Iterable[Token]) -> None:
        if self._row is not None:
            if self._cells:
                self._row.add(" | ")
            self._cells += 1
            InlineText(self._row).add(children)
            return
        builder = TextBuilder()
        InlineText(builder).add(children)
        if not builder.blank:
            self._blocks.append(builder.block(self._kind, self._level))
            self._kind, self._level = BlockKind.PARAGRAPH, 0

    def _end_row(self) -> None:
        if self._row is not None and self._row.text().strip(" |"):
            self._blocks.append(self._row.block(BlockKind.ROW))
        self._row = None

    def _code(self, token: Token) -> None:
        info, content = token.info.strip(), token.content
        directive = _DIRECTIVE.match(info)
        if directive and directive[1] in _PROSE_DIRECTIVES and self._nesting < MAX_NESTING:
            inside = f"{directive[2]}\n\n{_OPTION.sub('', content)}"
            self._blocks += markdown_blocks(inside, with_components=self._with_components, nesting=self._nesting + 1)
            return
        language = _LANGUAGE.match(info)
        named = language[1] if language else ""
        if directive and directive[1] in _CODE_DIRECTIVES:
            named, content = directive[2].strip(), _OPTION.sub("", content)
        if "=" in info and info.startswith(named + "="):  # hl_lines="4" and no language
            named = ""
        text = verbatim(content)
        if text.strip():
            self._blocks.append(RichBlock(Block(BlockKind.CODE, text, language=named)))


def verbatim(content: str) -> str:
    """Return a code block's text: as it is, but for colours in HTML, a wrapping {% raw %} and includes."""
    text = content
    if _COLOUR.search(text):
        text = html.unescape(_STYLING.sub("", text))
    if "{%" in text and (raw := _RAW.fullmatch(text)):
        text = raw[1]
    if _INCLUDE.fullmatch(text):
        return ""
    return text.strip("\n").rstrip()
