"""JSONL: ids unchanged, text unchanged, and one bad line never sinks the others."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.sources import jsonl, records
from indexer.sources.base import Item, Problem, SourceOptions
from retrieval.errors import Skipped
from retrieval.types import Block, BlockKind, Document

ITEM = Item("corpus.jsonl", "/data/corpus.jsonl", "jsonl")


def parse(*lines: object, options: SourceOptions | None = None) -> tuple[list[Document], list[Problem]]:
    data = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    parts = jsonl.parse(data, ITEM, options or SourceOptions())
    return [p for p in parts if isinstance(p, Document)], [p for p in parts if isinstance(p, Problem)]


def test_a_beir_line_becomes_a_document_with_its_own_id_and_text() -> None:
    text = "p < 0.05 & *not* _emphasis_,  two  spaces\nand a line.\n\nSecond   paragraph."
    (document,), problems = parse({"_id": " MED-10 ", "title": "A title", "text": text, "metadata": {"year": 2001}})
    assert problems == []
    assert document == Document(
        id=" MED-10 ",
        title="A title",
        blocks=(
            Block(BlockKind.PARAGRAPH, "p < 0.05 & *not* _emphasis_,  two  spaces\nand a line."),
            Block(BlockKind.PARAGRAPH, "Second   paragraph."),
        ),
        metadata={"year": 2001},
    )


def test_other_names_of_the_fields_are_known_and_unknown_fields_are_metadata() -> None:
    (document,), _ = parse(
        {
            "id": 7,
            "body": "x",
            "url": "https://a.example/7",
            "lang": "en",
            "score": 1.5,
            "none": None,
            "tags": ["a", "b"],
            "date": "2024-05-06",
            "updated_at": "2024-05-07T08:09:10Z",
            "metadata": {"lang": "de"},
        }
    )
    assert (document.id, document.url, document.text) == ("7", "https://a.example/7", "x")
    assert document.metadata == {"lang": "de", "score": 1.5}
    assert document.tags == ("a", "b")
    assert (document.created, document.updated) == ("2024-05-06", "2024-05-07T08:09:10+00:00")


def test_only_a_web_address_is_a_url() -> None:
    (document,), _ = parse({"_id": "1", "text": "x", "url": "javascript:alert(1)"})
    assert document.url is None
    assert document.metadata == {"url": "javascript:alert(1)"}


def test_a_date_inside_metadata_counts_and_stays_there() -> None:
    (document,), _ = parse({"_id": "1", "text": "x", "metadata": {"date": "2024-05-06"}})
    assert document.created == "2024-05-06"
    assert document.metadata == {"date": "2024-05-06"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"_id": "1", "text": ', "is not JSON"),
        (b'["_id", "1"]', "is not an object but ['_id', '1']"),
        (b'{"_id": "1", "text": "\xff"}', "is not UTF-8"),
        (b'{"_id": "1", "text": "x", "score": NaN}', "NaN"),
        ({"text": "x"}, 'has no "_id"'),
        ({"_id": "", "text": "x"}, "has the \"_id\" ''"),
        ({"_id": True, "text": "x"}, 'has the "_id" True'),
        ({"_id": "a\x00b", "text": "x"}, r"'a\x00b'"),
        ({"_id": "1"}, 'has no "text"'),
        ({"_id": "1", "text": ["x"]}, "has the \"text\" ['x']; it is a string"),
        ({"_id": "1", "text": " \n", "title": ""}, r"' \n' and no title"),
        ({"_id": "1", "text": "x", "title": 3}, 'has the "title" 3'),
        ({"_id": "1", "text": "x", "url": {}}, 'has the "url" {}'),
        ({"_id": "1", "text": "x", "metadata": []}, 'has the "metadata" []; it is an object'),
        (b"[" * 100_000, "is not JSON"),
        (b'{"_id": ' + b"9" * 5000 + b', "text": "x"}', "is not JSON"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_the_value_seen(line: object, reason: str) -> None:
    documents, (problem,) = parse({"_id": "a", "text": "fine"}, line, {"_id": "b", "text": "fine too"})
    assert [document.id for document in documents] == ["a", "b"]
    assert problem.key == "corpus.jsonl:2"
    assert problem.reason.startswith("line 2 ")
    assert reason in problem.reason
    assert not problem.skipped
    assert len(problem.reason) < 300


def test_the_second_of_two_lines_with_one_id_is_refused_naming_both() -> None:
    documents, (problem,) = parse({"_id": "a", "text": "first"}, b"", {"_id": "a", "text": "second"})
    assert [document.text for document in documents] == ["first"]
    assert problem.reason == "line 3 repeats the id 'a' of line 1, which is kept."


def test_a_title_alone_is_still_something_to_find() -> None:
    (document,), problems = parse({"_id": "a", "title": "Only this", "text": ""})
    assert (document.text, problems) == ("Only this", [])


def test_markdown_and_html_are_read_only_where_the_record_or_the_option_says_so() -> None:
    marked = {"_id": "a", "text": "# Head\n\nBody with `code`."}
    (plain,), _ = parse(marked)
    (own,), _ = parse({**marked, "format": "markdown"})
    (chosen,), _ = parse(marked, options=SourceOptions(format="markdown"))
    (page,), _ = parse({"_id": "a", "text": "<p>One &amp; two</p><p>three</p>", "format": "html"})
    assert plain.blocks[0] == Block(BlockKind.PARAGRAPH, "# Head")
    assert own.blocks[0] == chosen.blocks[0] == Block(BlockKind.HEADING, "Head", level=1)
    assert "One & two" in page.text
    assert "<p>" not in page.text


def test_a_byte_order_mark_and_crlf_change_nothing() -> None:
    parts = jsonl.parse(b'\xef\xbb\xbf{"_id": "a", "text": "x\\r\\n\\r\\ny"}\r\n\r\n', ITEM, SourceOptions())
    assert [part.text for part in parts if isinstance(part, Document)] == ["x\n\ny"]
    assert len(parts) == 1


def test_what_no_database_takes_is_replaced_in_text_and_metadata() -> None:
    (document,), _ = parse(b'{"_id": "a", "title": "\\ud800t", "text": "x\\u0000y", "k\\u0000": ["\\udfff", 1e999]}')
    assert (document.title, document.text) == ("\ufffdt", "x\ufffdy")
    assert document.metadata == {"k\ufffd": ["\ufffd", None]}


def test_a_flood_of_bad_lines_is_counted_and_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_PROBLEMS", 2)
    _, problems = parse(*[b"x"] * 5)
    assert [problem.key for problem in problems] == ["corpus.jsonl:1", "corpus.jsonl:2", "corpus.jsonl"]
    assert problems[-1].reason.startswith("3 more lines")


def test_a_file_without_a_line_is_skipped() -> None:
    for data in (b"", b"\n \n"):
        with pytest.raises(Skipped, match=r"corpus\.jsonl"):
            jsonl.parse(data, ITEM, SourceOptions())


@given(st.lists(st.one_of(st.binary(), st.from_type(dict[str, str]).map(lambda d: json.dumps(d).encode()))))
def test_any_bytes_give_documents_and_problems_or_are_skipped(lines: list[bytes]) -> None:
    data = b"\n".join([*lines, b'{"_id": "last", "text": "x"}'])
    parts = jsonl.parse(data, ITEM, SourceOptions())
    assert "last" in {part.id for part in parts if isinstance(part, Document)}


@given(st.text(min_size=1).filter(records.is_storable), st.text().filter(lambda t: bool(t.strip())))
def test_ids_come_back_unchanged_and_no_word_of_a_text_is_lost(document_id: str, text: str) -> None:
    (document,), _ = parse({"_id": document_id, "text": text})
    assert document.id == document_id
    assert document.text.split() == records.storable(text).split()


def test_the_scientific_corpus_is_read_whole(shared_data: Path) -> None:
    path = shared_data / "scifact-dev" / "corpus.jsonl"
    parts = jsonl.parse(path.read_bytes(), ITEM, SourceOptions())
    assert [part for part in parts if isinstance(part, Problem)] == []
    assert len(parts) == 5183
