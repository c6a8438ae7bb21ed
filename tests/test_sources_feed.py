"""Feeds: an entry a document; bytes only, and no entity expands."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.sources import feed
from indexer.sources.base import Item, Problem, SourceOptions
from retrieval.errors import ParseError, Skipped
from retrieval.types import BlockKind, Document

ITEM = Item("news.xml", "/data/news.xml", "feed")
PAGE = Item("https://a.example/feed", "https://a.example/feed", "web")

ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Kettle news</title>
<entry>
  <id>tag:a.example,2024:1</id><title type="html">Whistles &amp;amp; &lt;i&gt;steam&lt;/i&gt;</title>
  <link href="/one"/><published>2024-01-02T03:04:05+01:00</published><updated>2024-01-03T00:00:00Z</updated>
  <author><name>Ann Potts</name></author><category term="steam"/><category term="steel"/>
  <content type="html">&lt;p&gt;First &lt;b&gt;bold&lt;/b&gt; words.&lt;/p&gt;&lt;pre&gt;&lt;code&gt;x = 1
y = 2&lt;/code&gt;&lt;/pre&gt;</content>
</entry>
<entry><title>Neither id nor link</title><content>x</content></entry>
</feed>"""

RSS = """<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>R</title>
<item><guid isPermaLink="false">g-1</guid><title>A &lt; B</title><link>https://a.example/1</link>
<pubDate>Mon, 06 Sep 2021 00:01:00 +0000</pubDate><description>Short.</description>
<content:encoded><![CDATA[<p>The full text of this entry.</p>]]></content:encoded></item>
<item><link>https://a.example/2</link><title>Only a title</title></item>
<item><guid>g-1</guid><title>Again</title></item>
<item><guid>g-3</guid></item>
</channel></rss>"""


def parse(data: str | bytes, item: Item = ITEM) -> tuple[list[Document], list[Problem]]:
    parts = feed.parse(data.encode() if isinstance(data, str) else data, item, SourceOptions())
    return [p for p in parts if isinstance(p, Document)], [p for p in parts if isinstance(p, Problem)]


def test_an_atom_entry_becomes_a_document() -> None:
    (document,), (problem,) = parse(ATOM, PAGE)
    assert document.id == "tag:a.example,2024:1"
    assert document.title == "Whistles & steam"
    assert document.url == "https://a.example/one"
    assert document.created == "2024-01-02T02:04:05+00:00"
    assert document.updated == "2024-01-03T00:00:00+00:00"
    assert document.tags == ("steam", "steel")
    assert document.metadata == {"feed": "Kettle news", "author": "Ann Potts"}
    assert "First bold words." in document.text
    assert [block.text for block in document.blocks if block.kind is BlockKind.CODE] == ["x = 1\ny = 2"]
    assert problem.reason == "entry 2 has neither an id nor a link; its title is 'Neither id nor link'."


def test_an_rss_item_is_read_from_its_fullest_text() -> None:
    documents, problems = parse(RSS)
    assert [(document.id, document.title, document.text) for document in documents] == [
        ("g-1", "A < B", "The full text of this entry."),
        ("https://a.example/2", "Only a title", "Only a title"),
    ]
    assert documents[0].created == "2021-09-06T00:01:00+00:00"
    assert [(problem.key, problem.skipped) for problem in problems] == [("news.xml:3", False), ("news.xml:4", True)]
    assert "repeats the id 'g-1' of entry 1" in problems[0].reason


def test_bytes_are_never_taken_for_a_file_or_an_address() -> None:
    for name in (b"/etc/passwd", b"http://127.0.0.1:9/feed", __file__.encode()):
        with pytest.raises(ParseError, match=r"news\.xml is not an RSS or Atom feed"):
            parse(name)


def test_a_billion_laughs_are_not_laughed() -> None:
    levels = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))
    bomb = f"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY a0 'ha'>{levels}]>"
    began = time.monotonic()
    documents, _ = parse(
        f"{bomb}<rss version='2.0'><channel><item><guid>g</guid><title>&a12;</title>"
        "<description>safe &a12;</description></item></channel></rss>"
    )
    assert time.monotonic() - began < 5
    assert all(len(document.text) < 10_000 for document in documents)


def test_an_external_entity_is_not_read() -> None:
    xml = (
        "<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
        "<rss version='2.0'><channel><item><guid>g</guid><title>t</title>"
        "<description>see &x;</description></item></channel></rss>"
    )
    documents, _ = parse(xml)
    assert "root:" not in "".join(document.text + document.title for document in documents)


def test_scripts_are_no_text() -> None:
    text = "&lt;p&gt;Seen&lt;/p&gt;&lt;script&gt;hidden()&lt;/script&gt;"
    item = f"<item><guid>g</guid><description>{text}</description></item>"
    (document,), _ = parse(f"<rss version='2.0'><channel>{item}</channel></rss>")
    assert document.text == "Seen"


def test_an_empty_feed_is_skipped_and_what_is_no_feed_is_a_parse_error() -> None:
    with pytest.raises(Skipped, match="without entries"):
        parse("<rss version='2.0'><channel><title>x</title></channel></rss>")
    for data in ("", "words", "<html><body>x</body></html>"):
        with pytest.raises(ParseError, match=r"news\.xml"):
            parse(data)


@settings(deadline=None)
@given(st.data())
def test_whatever_the_bytes_a_parser_returns_or_refuses(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([ATOM.encode(), RSS.encode()]))
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:place] + data.draw(st.binary(max_size=8)) + whole[place + data.draw(st.integers(0, 30)) :]
    with contextlib.suppress(Skipped, ParseError):
        documents, problems = parse(damaged)
        assert documents or problems
        assert all(document.id and document.text.strip() for document in documents)
