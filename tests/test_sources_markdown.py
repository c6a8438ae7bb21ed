"""Markdown of every dialect becomes plain blocks, fields and links."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.sources.base import Item, SourceOptions
from indexer.sources.fields import humanised
from indexer.sources.markdown import parse
from indexer.sources.templates import code_spans
from retrieval.errors import SourceError
from retrieval.types import Block, BlockKind, Document


def document(source: str, key: str = "post.md", base_url: str | None = None) -> Document:
    (found,) = parse(source.encode(), Item(key, key, "markdown"), SourceOptions(base_url=base_url))
    return found


def texts(source: str, key: str = "post.md") -> list[str]:
    return [block.text for block in document(source, key).blocks]


# Blocks


def test_blocks_are_plain_text_with_their_kinds() -> None:
    blocks = document(
        "# Title\n\nSome *marked* `code_x` [link](b.md) ![a cat](c.png).\n\n## Part\n\n- one\n  - two\n\n"
        "```python hl_lines='1'\nx = '{{ y }}'\n```\n\n| a | b |\n|---|---|\n| 1 |  |\n\n> quoted\n"
    ).blocks
    assert blocks == (
        Block(BlockKind.PARAGRAPH, "Some marked code_x link a cat."),
        Block(BlockKind.HEADING, "Part", level=2),
        Block(BlockKind.ITEM, "one"),
        Block(BlockKind.ITEM, "two", level=1),
        Block(BlockKind.CODE, "x = '{{ y }}'", language="python"),
        Block(BlockKind.ROW, "a | b"),
        Block(BlockKind.ROW, "1 |"),
        Block(BlockKind.PARAGRAPH, "quoted"),
    )


def test_a_paragraph_after_a_list_items_first_is_a_paragraph() -> None:
    kinds = [block.kind for block in document("- one\n\n  more\n\nafter").blocks]
    assert kinds == [BlockKind.ITEM, BlockKind.PARAGRAPH, BlockKind.PARAGRAPH]


def test_footnotes_stay_as_text_and_reference_definitions_vanish() -> None:
    assert texts("See[^1] [x][y].\n\n[y]: http://e.org\n\n[^1]: The note.") == ["See x.", "The note."]


def test_the_first_h1_is_the_title_and_not_repeated() -> None:
    found = document("Intro\n\nThe Title\n=========\n\ntext")
    assert found.title == "The Title"
    assert [block.text for block in found.blocks] == ["Intro", "text"]


def test_an_h1_that_repeats_the_front_matter_is_dropped_and_another_is_kept() -> None:
    assert texts("---\ntitle: Hello, World\n---\n# Hello World!\n\nx") == ["x"]
    assert texts("---\ntitle: Hello\n---\n# Something else\n\nx") == ["Something else", "x"]


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("docs/first_steps.md", "First steps"),
        ("2015-05-15-rust-1.0.md", "Rust 1.0"),
        ("guide/index.md", "Guide"),
        ("README.md", "README"),
    ],
)
def test_without_a_heading_the_file_name_is_the_title(key: str, title: str) -> None:
    assert document("text", key).title == title == humanised(key)


# Dialects


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("## First Steps { #first-steps }\n\nx", ["First Steps", "x"]),
        ("/// tip | **Read** this\n\nInner.\n\n///", ["Read this", "Inner."]),
        (":::note[Beware]\nInner.\n:::", ["Beware", "Inner."]),
        ('::: {.callout-note title="Beware"}\nInner.\n:::', ["Beware", "Inner."]),
        (":::{note} Beware\n:class: dropdown\nInner.\n:::", ["Beware", "Inner."]),
        ('!!! note "Beware"\n    Inner.\n\n        code()\n\nAfter.', ["Beware", "Inner.", "code()", "After."]),
        ('=== "Tab"\n\n    Inner.\n', ["Tab", "Inner."]),
        ("```{note} Beware\nInner *text*.\n```", ["Beware", "Inner text."]),
        ("> [!WARNING]\n> Inner.", ["Inner."]),
        ("::: pkg.mod.Name\n    options:\n        members:\n            - x\n\nAfter.", ["pkg.mod.Name", "After."]),
        ("Before\n\n{* ../../docs_src/x.py hl[1] *}\n\nAfter", ["Before", "After"]),
        ('--8<-- "snippet.md"\n\nAfter', ["After"]),
        ("[TOC]\n\nAfter {: .lead #x }", ["After"]),
        ("{% if x %}Yes {{ y | z }}{% endif %} no", ["Yes no"]),
        ("{% raw %}Use {{ y }}{% endraw %} {{ gone }}", ["Use {{ y }}"]),
        ("{% raw %}\n\nUse {{ y }}\n\n{% endraw %}\n\n{{ gone }} end", ["Use {{ y }}", "end"]),
        ("`{{ kept }}` {{ gone }}", ["{{ kept }}"]),
        ("{% highlight ruby %}\nputs '{{ x }}'\n{% endhighlight %}", ["puts '{{ x }}'"]),
        ('{{< figure src="a.png" caption="A cat" >}}', ["A cat"]),
        ("{{% notice %}}Inner{{% /notice %}}", ["Inner"]),
        ("{#if user}Hello{:else}Bye{/if} {@html x}", ["HelloBye"]),
        ("<script>\nlet x = 1;\n</script>\n\n<style>b {}</style>\n\nText", ["Text"]),
        (
            "<div class='a'>One <b>two</b></div>\n\n<!-- hidden -->\n\nA<br>B <u>c</u> Vec<T>",
            ["One two", "A\nB c Vec<T>"],
        ),
        ("{ref}`the text` and :smile:", ["the text and :smile:"]),
    ],
)
def test_a_dialects_markup_does_not_leak(source: str, expected: list[str]) -> None:
    assert texts(source) == expected


def test_mdx_statements_tags_and_expressions_do_not_leak() -> None:
    source = (
        "import { Tabs } from '@theme/Tabs'\nimport X from \"x\"\n\nexport const meta = {\n  a: 1,\n}\n\n"
        "<Tabs items={['a', 'b']} title=\"Choose\">\n**Bold** {props.name} {\"kept\"}\n</Tabs>\n\n{/* hidden */}\n"
    )
    assert texts(source, "page.mdx") == ["Choose", "Bold kept"]


def test_prose_that_begins_with_import_stays() -> None:
    assert texts("import this into your mind") == ["import this into your mind"]


def test_code_is_verbatim_but_for_colours() -> None:
    coloured = '```console\n$ <font color="#4E9A06">run</font> <b>[</b>&apos;x&apos;<b>]</b>\n```'
    assert texts(coloured) == ["$ run ['x']"]
    plain = "```html\n<b>&lt;</b> {% x %} {{ y }}\n///\n```"
    assert texts(plain) == ["<b>&lt;</b> {% x %} {{ y }}\n///"]


def test_crlf_makes_no_difference() -> None:
    source = "---\ntitle: T\n---\n\nOne\ntwo\n\n```\na\nb\n```\n"
    assert document(source.replace("\n", "\r\n")) == document(source)


# Links


def test_a_link_has_its_anchor_and_the_sentence_around_it() -> None:
    (link,) = document("First one. See the *[big `x` guide](../b.md#part)* for more! Last.").links
    assert (link.target, link.anchor) == ("../b.md#part", "big x guide")
    assert link.sentence == "See the big x guide for more!"


def test_a_sentence_is_at_most_400_characters_and_holds_its_anchor() -> None:
    (link,) = document("word " * 300 + "[here](b.md) " + "word " * 300).links
    assert len(link.sentence) <= 400
    assert "here" in link.sentence


def test_a_templates_reference_to_a_page_is_a_link() -> None:
    links = document('[a]({% post_url 2015-05-05-foo %}) [b]({{< relref "docs/b.md" >}})').links
    assert [link.target for link in links] == ["2015-05-05-foo", "docs/b.md"]


# Hostile input


@pytest.mark.parametrize(
    "source",
    ["a" * 100_000, "[" * 50_000, ">" * 50_000, "*" * 50_000, "{{" * 25_000, "`a" * 25_000, "<div>" * 10_000 + "x",
     "".join("  " * n + "- a\n" for n in range(300)), "![" * 25_000, "<A {" * 10_000, "---\n" * 10_000],
    ids=lambda source: source[:4],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_monstrous_markdown_ends(source: str) -> None:
    try:
        assert parse(source.encode(), Item("a.md", "a.md", "markdown"), SourceOptions())
    except SourceError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


_PIECES = st.sampled_from(
    ["---\n", "+++\n", "# ", "- ", "> ", "```", "~~~\n", "`", "[a](b)", "![", "{{", "}}", "{% raw %}", "%}",
     "<b>", "</b>", "<!--", "|a|\n|-|\n", "///", ":::", "!!! x\n    ", "import a from 'b'\n", "export {", "{#",
     "\n", "\n\n", "    ", "a", "é", "\ufeff", "\x00", "&amp;", "[^1]", "title: x\n"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=40), st.sampled_from(["a.md", "a.mdx"]))
def test_any_mixture_of_syntax_is_a_document_or_said_not_to_be(pieces: list[str], key: str) -> None:
    try:
        (found,) = parse("".join(pieces).encode(), Item(key, key, "markdown"), SourceOptions())
    except SourceError:
        return
    assert found.title
    assert all(block.text.strip() for block in found.blocks)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_document_or_said_not_to_be(data: bytes) -> None:
    try:
        assert parse(data, Item("a.md", "a.md", "markdown"), SourceOptions())
    except SourceError as error:
        assert str(error)  # noqa: PT017


def test_code_spans_end_at_a_run_of_the_same_length() -> None:
    text = "a `b` ``c ` d`` `e"
    assert [text[start:end] for start, end in code_spans(text)] == ["`b`", "``c ` d``"]


# Real posts


def test_a_real_announcement_has_title_date_and_no_markup(shared_data: Path) -> None:
    path = shared_data / "rust-blog" / "content" / "Rust-1.58.0.md"
    found = document(path.read_text(), "Rust-1.58.0.md")
    assert (found.title, found.created) == ("Announcing Rust 1.58.0", "2022-01-13")
    assert Block(BlockKind.HEADING, "What's in 1.58.0 stable", level=2) in found.blocks
    assert any(block.language == "rust" and "println!" in block.text for block in found.blocks)


def test_a_real_page_of_mkdocs_leaks_nothing(shared_data: Path) -> None:
    path = shared_data / "fastapi-docs" / "docs" / "en" / "docs" / "tutorial" / "first-steps.md"
    found = document(path.read_text(), "tutorial/first-steps.md")
    assert found.title == "First Steps"
    for leak in ("///", "{*", "<font", "{ #", "</div>", "&apos;"):
        assert leak not in found.text
