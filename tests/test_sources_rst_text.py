"""reStructuredText, Sphinx's too, and plain text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.sources import restructuredtext, text
from indexer.sources.base import Item, Parse, SourceOptions
from retrieval.errors import Skipped, SourceError
from retrieval.types import Block, BlockKind, Document

PARAGRAPH, HEADING, ITEM, CODE, ROW = (
    BlockKind.PARAGRAPH,
    BlockKind.HEADING,
    BlockKind.ITEM,
    BlockKind.CODE,
    BlockKind.ROW,
)


def rst(source: str) -> Document:
    (found,) = restructuredtext.parse(source.encode(), Item("lib/a.rst", "a.rst", "restructuredtext"), SourceOptions())
    return found


def plain(source: str, key: str = "notes/my_file.txt") -> Document:
    (found,) = text.parse(source.encode(), Item(key, key, "text"), SourceOptions())
    return found


def test_the_structure_of_restructuredtext_is_kept() -> None:
    found = rst(
        "Title\n=====\n\nSome *marked* ``code_x``.\n\nPart\n----\n\n- one\n\n  - two\n\n::\n\n    x = 1\n\n"
        "===== =====\nA     B\n===== =====\n1     2\n===== =====\n\n>>> 1 + 1\n2\n\n:param obj: the object\n"
    )
    assert found.title == "Title"
    assert found.blocks == (
        Block(PARAGRAPH, "Some marked code_x."),
        Block(HEADING, "Part", level=2),
        Block(ITEM, "one"),
        Block(ITEM, "two", level=1),
        Block(CODE, "x = 1"),
        Block(ROW, "A | B"),
        Block(ROW, "1 | 2"),
        Block(CODE, ">>> 1 + 1\n2"),
        Block(ITEM, "param obj: the object"),
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (":func:`~asyncio.run` and :ref:`words <label>`", ["asyncio.run and words"]),
        (".. code-block:: python\n   :linenos:\n   :emphasize-lines: 1\n\n   x()", ["x()"]),
        (".. note::\n\n   Inner *x*.", ["Inner x."]),
        (".. versionadded:: 3.5\n   The *y* option.", ["Added in version 3.5: The y option."]),
        (".. function:: json.dumps(obj, *, x=1)\n\n   Serialize.", ["json.dumps(obj, *, x=1)", "Serialize."]),
        (".. never-heard-of:: Words\n   :option: v\n\n   Inner.", ["Words", "Inner."]),
        (":no-such-role:`text`", ["text"]),
        ("x\n\n.. toctree::\n   :maxdepth: 1\n\n   a\n   b", ["x"]),
        ("x\n\n.. comment\n\n.. _label:\n\ny", ["x", "y"]),
        ("|undefined| and missing_", ["|undefined| and missing_"]),
    ],
)
def test_sphinx_and_unknown_markup_keeps_its_text(source: str, expected: list[str]) -> None:
    assert [block.text for block in rst(source).blocks] == expected


def test_a_code_blocks_language_is_known() -> None:
    assert rst("x\n\n.. code-block:: python\n\n   y()").blocks[1] == Block(CODE, "y()", language="python")


def test_fields_at_the_top_are_the_documents() -> None:
    found = rst("Title\n=====\n\n:date: 2020-01-02\n:tags: a, b\n:status: draft\n\nText.")
    assert (found.title, found.created, found.tags) == ("Title", "2020-01-02", ("a", "b"))
    assert found.metadata == {"status": "draft"}


def test_links_are_found_with_their_sentences() -> None:
    links = rst("One. See :doc:`the other </b>` or `this <c.rst>`_ first. Two.").links
    assert [(link.target, link.anchor) for link in links] == [("/b", "the other"), ("c.rst", "this")]
    assert {link.sentence for link in links} == {"See the other or this first."}


def test_no_file_is_included_and_no_raw_html_let_through() -> None:
    source = (
        "Text.\n\n.. include:: /etc/hostname\n\n.. literalinclude:: /etc/hostname\n\n"
        ".. raw:: html\n\n   <b>raw</b>\n\n"
        ".. csv-table::\n   :file: /etc/hostname\n\n.. raw:: html\n   :file: /etc/hostname\n"
    )
    assert [block.text for block in rst(source).blocks] == ["Text."]


def test_plain_text_has_paragraphs_headings_and_items() -> None:
    found = plain(
        "My Notes\n========\n\nOne line\nand another.\n\nMORE THINGS\n\n"
        "- first\n  goes on\n- second\n\nPart\n----\nend."
    )
    assert found.title == "My Notes"
    assert found.blocks == (
        Block(PARAGRAPH, "One line\nand another."),
        Block(HEADING, "MORE THINGS", level=2),
        Block(ITEM, "first goes on"),
        Block(ITEM, "second"),
        Block(HEADING, "Part", level=2),
        Block(PARAGRAPH, "end."),
    )


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("A short first line\n\nText.", "A short first line"),
        ("A sentence is no title.\n\nText.", "My file"),
        ("Only one line", "My file"),
    ],
)
def test_a_short_first_line_is_the_title(source: str, title: str) -> None:
    assert plain(source).title == title


def test_a_hundred_thousand_characters_without_a_space_are_one_paragraph() -> None:
    assert plain("x" * 100_000).blocks == (Block(PARAGRAPH, "x" * 100_000),)
    assert rst("x" * 100_000).blocks == (Block(PARAGRAPH, "x" * 100_000),)


@pytest.mark.parametrize("parse", [restructuredtext.parse, text.parse])
def test_a_file_without_text_is_skipped(parse: Parse) -> None:
    with pytest.raises(Skipped, match="no text"):
        parse(b" \n\n", Item("a", "a", "text"), SourceOptions())


@pytest.mark.parametrize(
    "source",
    ["`" * 50_000, "*" * 50_000, "|a|\n" * 15_000, "=\n" * 4_000,
     "".join(" " * n + ".. note::\n\n" for n in range(300)),
     ":a:`" * 10_000, "`a`_ " * 10_000, ".. |a| replace:: |a|\n" * 500],
    ids=lambda source: source[:6],
)  # fmt: skip
@pytest.mark.timeout(30)
def test_monstrous_restructuredtext_ends(source: str) -> None:
    try:
        assert rst(source)
    except SourceError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


_PIECES = st.sampled_from(
    ["=====\n", "-----\n", "Title\n", "- ", "* ", "1. ", ".. note::\n", ".. x:: y\n", "   ", "::\n\n", "``",
     "`", "*", "**", "|a|", ":f:`x`", "_ ", "`a <b>`_", "\n", "\n\n", "+--+\n|a |\n+--+\n", ".. [1] x\n",
     "[1]_ ", ".. _a: b\n", ":a: b\n", ">>> x\n", "| line\n", "-a  opt\n", "é", ".. role:: z\n",
     ".. class:: z\n", ".. |a| image:: b\n", ".. date::\n", ".. table::\n"]
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(_PIECES, max_size=25))
def test_any_mixture_of_markup_is_a_document_or_said_not_to_be(pieces: list[str]) -> None:
    try:
        found = rst("".join(pieces))
    except SourceError:
        return
    assert found.title
    assert all(block.text.strip() for block in found.blocks)


@given(st.text(max_size=100))
def test_any_text_is_a_document_or_said_not_to_be(source: str) -> None:
    try:
        (found,) = text.parse(source.encode("utf-8", "replace"), Item("a.txt", "a.txt", "text"), SourceOptions())
    except SourceError:
        return
    assert found.blocks
