"""A docutils tree as blocks."""

from typing import Any

from docutils import nodes

from indexer.sources.prose import RichBlock, TextBuilder
from retrieval.types import Block, BlockKind

_UNREAD = (
    nodes.comment,
    nodes.system_message,
    nodes.substitution_definition,
    nodes.target,
    nodes.pending,
    nodes.raw,
    nodes.docinfo,
    nodes.decoration,
    nodes.meta,
    nodes.footnote_reference,
    nodes.citation_reference,
    nodes.label,
    nodes.colspec,
)
_INLINE_HOLDERS = (
    nodes.paragraph,
    nodes.term,
    nodes.line,
    nodes.caption,
    nodes.rubric,
    nodes.attribution,
    nodes.classifier,
    nodes.subtitle,
)
_DEEPEST_HEADING = 6


def fields_of(tree: Any) -> dict[str, str]:
    """Return the fields at the top of a document (:date:, :tags:, :author:) by name."""
    fields: dict[str, str] = {}
    for info in tree.findall(nodes.docinfo):
        for node in info.children:
            if isinstance(node, nodes.field):
                fields[node[0].astext()] = node[1].astext()
            else:
                fields[node.tagname] = node.astext()
    return {name: value for name, value in fields.items() if value}


def blocks_of(tree: Any) -> list[RichBlock]:
    """Return the blocks of a document."""
    reader = _Reader(has_title=isinstance(tree.next_node(nodes.Titular), nodes.title) and bool(tree.get("title")))
    reader.children(tree)
    return reader.blocks


class _Reader:
    """Walks the tree and keeps track of sections and lists."""

    def __init__(self, *, has_title: bool) -> None:
        self.blocks: list[RichBlock] = []
        self._sections = 1 if has_title else 0
        self._lists = 0
        self._item: int | None = None
        """Nesting of the list item whose first paragraph comes next."""

    def children(self, node: Any) -> None:
        """Read the children of a node."""
        for child in node.children:
            self._read(child)

    def _read(self, node: Any) -> None:
        if isinstance(node, _UNREAD):
            return
        match node:
            case nodes.section():
                self._sections += 1
                self.children(node)
                self._sections -= 1
            case nodes.bullet_list() | nodes.enumerated_list():
                self._lists += 1
                self.children(node)
                self._lists -= 1
            case nodes.list_item():
                self._item = self._lists - 1
                self.children(node)
                self._item = None
            case _:
                self._read_content(node)

    def _read_content(self, node: Any) -> None:
        match node:
            case nodes.title():
                self._title(node)
            case nodes.literal_block() | nodes.doctest_block() | nodes.math_block():
                self._code(node)
            case nodes.row():
                self._row(node)
            case nodes.field() | nodes.option_list_item():
                self._pair(node)
            case nodes.Text() | nodes.reference() | nodes.inline() | nodes.image():
                self._inline((node,))
            case _ if isinstance(node, _INLINE_HOLDERS):
                self._inline(node.children)
            case _:
                self.children(node)

    def _title(self, node: Any) -> None:
        if isinstance(node.parent, nodes.section | nodes.document):
            level = max(1, min(_DEEPEST_HEADING, self._sections))
            self._put(_built(node.children), BlockKind.HEADING, level)
        else:
            self._inline(node.children)

    def _inline(self, children: Any) -> None:
        kind, level = (BlockKind.PARAGRAPH, 0) if self._item is None else (BlockKind.ITEM, self._item)
        self._item = None
        self._put(_built(children), kind, level)

    def _code(self, node: Any) -> None:
        text = node.astext().strip("\n").rstrip()
        classes = [name for name in node.get("classes", ()) if name != "code"]
        if text:
            language = node.get("language") or (classes[0] if classes else "")
            self.blocks.append(RichBlock(Block(BlockKind.CODE, text, language=language)))

    def _row(self, node: Any) -> None:
        builder = TextBuilder()
        for number, entry in enumerate(node.children):
            if number:
                builder.add(" | ")
            _add(entry, builder)
        self._put(builder, BlockKind.ROW, 0)

    def _pair(self, node: Any) -> None:
        """Write a field or an option and what it means as one item."""
        builder = TextBuilder()
        builder.add(", ".join(name.astext() for name in node[0].children) + ": ")
        first, *rest = node[1].children or [None]
        if isinstance(first, nodes.paragraph):
            _add(first, builder)
        elif first is not None:
            rest = [first, *rest]
        self._put(builder, BlockKind.ITEM, max(0, self._lists))
        for child in rest:
            self._read(child)

    def _put(self, builder: TextBuilder, kind: BlockKind, level: int) -> None:
        if not builder.blank:
            self.blocks.append(builder.block(kind, level))


def _built(children: Any) -> TextBuilder:
    builder = TextBuilder()
    for child in children:
        _add(child, builder)
    return builder


def _add(node: Any, builder: TextBuilder) -> None:
    """Add the text of inline nodes: links keep their words, images their alt."""
    match node:
        case nodes.Text():
            builder.add(node.astext())
        case nodes.image():
            builder.add(f" {node.get('alt', '')} ")
        case nodes.reference() if node.get("refuri"):
            builder.open_link(node["refuri"])
            _add_all(node, builder)
            builder.close_link()
        case _ if isinstance(node, _UNREAD):
            return
        case nodes.paragraph() | nodes.list_item():
            _add_all(node, builder)
            builder.add(" ")
        case _:
            _add_all(node, builder)


def _add_all(node: Any, builder: TextBuilder) -> None:
    for child in node.children:
        _add(child, builder)
