"""HTML pages become their main content, and fields of their heads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.sources.base import Item, SourceOptions
from indexer.sources.html import parse
from retrieval.errors import Skipped, SourceError
from retrieval.types import Block, BlockKind, Document, Link

FILLER = "This sentence only makes the article long enough to be taken for one. " * 4

PAGE = f"""<!doctype html>
<html lang="en"><head>
<title>json — JSON encoder — Python docs</title>
<link rel="canonical" href="https://e.org/json">
<meta name="keywords" content="json, encode"><meta name="description" content="All about JSON.">
<meta property="article:published_time" content="2020-02-03">
<script type="application/ld+json">{{"@graph": [{{"dateModified": "2021-01-01"}}]}}</script>
</head><body>
<header><a href="/">Site</a></header><nav>Menu <a href="a.html">A</a></nav><div class="sidebar">Side</div>
<main>
<div class="breadcrumbs">Home &gt; Library</div>
<h1>json — JSON encoder<a class="headerlink" href="#json">¶</a></h1>
<p>Use <code>json.dumps</code>, not <a href="pickle.html#x">pickle</a>. {FILLER}</p>
<div class="highlight-python3 notranslate"><pre><span class="linenos">1</span>import json
json.dumps(1)</pre></div>
<ul><li><p>one</p><ul><li>two</li></ul></li></ul>
<table><tr><th>a</th><th>b</th></tr><tr><td><p>1</p></td><td>2</td></tr></table>
<!-- hidden --><script>code()</script><style>b {{}}</style>tail
</main><footer>(c) nobody</footer></body></html>"""


def document(source: str, key: str = "dir/json.html", base_url: str | None = None) -> Document:
    (found,) = parse(source.encode(), Item(key, key, "html"), SourceOptions(base_url=base_url))
    return found


def test_only_the_main_content_becomes_blocks() -> None:
    assert document(PAGE).blocks == (
        Block(BlockKind.PARAGRAPH, f"Use json.dumps, not pickle. {FILLER.strip()}"),
        Block(BlockKind.CODE, "import json\njson.dumps(1)", language="python3"),
        Block(BlockKind.ITEM, "one"),
        Block(BlockKind.ITEM, "two", level=1),
        Block(BlockKind.ROW, "a | b"),
        Block(BlockKind.ROW, "1 | 2"),
        Block(BlockKind.PARAGRAPH, "tail"),
    )


def test_the_head_says_title_url_dates_keywords_and_language() -> None:
    found = document(PAGE)
    assert (found.title, found.url) == ("json — JSON encoder", "https://e.org/json")
    assert (found.created, found.updated) == ("2020-02-03", "2021-01-01")
    assert found.tags == ("json", "encode")
    assert found.metadata == {"description": "All about JSON.", "language": "en"}


def test_without_a_main_element_the_frame_is_left_out_too() -> None:
    found = document(PAGE.replace("<main>", "<div>").replace("</main>", "</div>"))
    assert "json.dumps" in found.text
    for frame in ("Menu", "Side", "nobody"):
        assert frame not in found.text


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>Page - Site</title>", "Page"),
        ("<title>Page | Site</title><meta property='og:title' content='Own title'>", "Own title"),
        ("<title>Well-known words</title>", "Well-known words"),
        ("", "Json"),
    ],
)
def test_a_title_loses_the_sites_name(head: str, title: str) -> None:
    assert document(f"<html><head>{head}</head><body><p>{FILLER}</p></body></html>").title == title


def test_the_name_of_the_site_above_the_content_is_not_the_title() -> None:
    page = (
        "<html><head><title>Targets - The Book</title></head><body><div><h1>The Book</h1></div>"
        f"<main><h1>Targets</h1><p>{FILLER}</p></main></body></html>"
    )
    found = document(page)
    assert found.title == "Targets"
    assert [block.text for block in found.blocks] == [FILLER.strip()]


def test_links_of_a_file_stay_as_written_and_those_of_a_fetched_page_become_absolute_and_local() -> None:
    assert [link.target for link in document(PAGE).links] == ["pickle.html#x"]
    links = "<a href='b.html'>b</a> <a href='https://other.org/'>o</a> <a href='#x'>self</a> <a href='mailto:a@b'>m</a>"
    found = document(f"<html><body><main><p>{FILLER}{links}</p></main></body></html>", "https://www.e.org/d/a.html")
    assert [(link.target, link.anchor) for link in found.links] == [("https://www.e.org/d/b.html", "b")]


def test_the_sentence_around_a_link_is_kept() -> None:
    assert document("<p>One. See <a href=x>the page</a> now. Two.</p>").links == (
        Link("x", "the page", "See the page now."),
    )


def test_a_fragment_is_content_as_a_whole() -> None:
    found = document("<nav>kept</nav><p>text <b>bold</b></p>", base_url="https://e.org")
    assert [block.text for block in found.blocks] == ["kept", "text bold"]
    assert found.url == "https://e.org/dir/json.html"


def test_a_declared_charset_is_believed_where_the_bytes_are_not_utf8() -> None:
    page = f"<html><head><meta charset='windows-1251'></head><body><p>Привет {FILLER}</p></body></html>"
    (found,) = parse(page.encode("cp1251"), Item("a.html", "a.html", "html"), SourceOptions())
    assert found.blocks[0].text.startswith("Привет")


def test_a_canonical_address_that_is_a_script_is_no_address() -> None:
    page = f"<html><head><link rel=canonical href='javascript:alert(1)'></head><body>{FILLER}</body></html>"
    assert document(page).url is None


def test_a_page_without_text_is_skipped() -> None:
    with pytest.raises(Skipped, match="no text"):
        document("<html><body><script>x()</script><img src=a.png></body></html>")


@pytest.mark.parametrize(
    "source",
    ["<div>" * 50_000 + "x", "<b>" * 50_000 + "x", "<" * 100_000, "<table><tr><td>" * 3_000 + "x", "<ul><li>" * 20_000,
     "<a href='" * 20_000, "&" * 100_000, "<!--" * 20_000, "<html><body>" + "<p class='" * 20_000],
    ids=lambda source: source[:9],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_monstrous_pages_end(source: str) -> None:
    try:
        assert document(source)
    except SourceError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


_PIECES = st.sampled_from(
    ["<html>", "<body>", "<main>", "</main>", "<p>", "<li>", "<table>", "<tr>", "<td>", "<pre>", "</pre>",
     "<br>", "<a href=x>", "</a>", "<h1>", "</h1>", "<script>", "</script>", "<!--", "-->",
     "<?xml version='1.0' encoding='x'?>", "text ", "é", "\x00", "&#xD800;", "<nav>", "</nav>", "<title>",
     "</title>", "<div class=sidebar>", "</div>", "</table>", "</ul>"]
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(_PIECES, max_size=30))
def test_any_mixture_of_tags_is_a_document_or_said_not_to_be(pieces: list[str]) -> None:
    try:
        found = document("".join(pieces))
    except SourceError:
        return
    assert found.blocks
    assert all(block.text.strip() for block in found.blocks)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_said_not_to_be(data: bytes) -> None:
    try:
        assert parse(b"<html>" + data, Item("a.html", "a.html", "html"), SourceOptions())
    except SourceError as error:
        assert str(error)  # noqa: PT017
