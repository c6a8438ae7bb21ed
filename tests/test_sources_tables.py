"""CSV and TSV: a row a document, whatever the delimiter, with the columns that people use."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.sources import tables
from indexer.sources.base import Item, Problem, SourceOptions
from retrieval.errors import Skipped
from retrieval.types import Document

ITEM = Item("data/kettles.csv", "/data/kettles.csv", "csv")


def parse(text: str | bytes, item: Item = ITEM) -> tuple[list[Document], list[Problem]]:
    parts = tables.parse(text.encode() if isinstance(text, str) else text, item, SourceOptions())
    return [p for p in parts if isinstance(p, Document)], [p for p in parts if isinstance(p, Problem)]


def test_known_columns_play_their_part_and_others_are_metadata() -> None:
    table = (
        "ID,Title,Description,Link,Tags,Date,Price,Code,In stock\n"
        'k-1,Kettle,"Boils, and\n\nwhistles",https://k.example/1,"red, steel",2024-01-02,12.5,007,\n'
    )
    (document,), problems = parse(table)
    assert problems == []
    assert (document.id, document.title, document.url) == ("k-1", "Kettle", "https://k.example/1")
    assert [block.text for block in document.blocks] == ["Boils, and", "whistles"]
    assert document.tags == ("red", "steel")
    assert document.created == "2024-01-02"
    assert document.metadata == {"Price": 12.5, "Code": "007"}


def test_only_a_web_address_is_a_url() -> None:
    (document,), _ = parse("id,text,url\n1,x,javascript:alert(1)\n")
    assert document.url is None
    assert document.metadata == {"url": "javascript:alert(1)"}


def test_without_an_id_column_a_row_is_named_by_its_place() -> None:
    documents, _ = parse("name,text\nA,one\n\nB,two\n")
    assert [document.id for document in documents] == ["data/kettles.csv#1", "data/kettles.csv#2"]
    assert [document.title for document in documents] == ["A", "B"]


def test_without_a_text_column_every_cell_can_be_found() -> None:
    (document,), _ = parse("sku,colour,watts\nX-9,red,2200\n")
    assert document.text == "sku: X-9\ncolour: red\nwatts: 2200"
    assert document.metadata == {"sku": "X-9", "colour": "red", "watts": 2200}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows = [["id", "text"], ["a", "one, two; three | four"], ["b", "plain"]]
    table = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    documents, _ = parse(table)
    assert [(document.id, document.text) for document in documents] == [("a", "one, two; three | four"), ("b", "plain")]


def test_a_tsv_is_cut_at_tabs_only() -> None:
    item = Item("a.tsv", "/a.tsv", "tsv")
    (document,), _ = parse("id\ttext\n1\tx,y,z\n", item)
    assert document.text == "x,y,z"


def test_bad_rows_are_named_and_the_others_stay() -> None:
    documents, problems = parse("id,text\na,one\n,two\na,three\nb,four,five\nc,\nd,six\n")
    assert [document.id for document in documents] == ["a", "d"]
    assert [(problem.key, problem.skipped) for problem in problems] == [
        ("data/kettles.csv:2", False),
        ("data/kettles.csv:3", False),
        ("data/kettles.csv:4", False),
        ("data/kettles.csv:5", True),
    ]
    assert problems[0].reason == "row 2 has the id ''; an id is a string that is not empty."
    assert problems[1].reason == "row 3 repeats the id 'a' of row 1, which is kept."
    assert problems[2].reason == "row 4 has 3 cells where the header has 2; the last is 'five'."


def test_a_short_row_has_empty_cells_and_a_title_stands_in_for_a_text() -> None:
    (document,), _ = parse("id,title,text,size\na,Only a title\n")
    assert (document.text, document.metadata) == ("Only a title", {})


def test_repeated_and_missing_column_names_stay_apart() -> None:
    (document,), _ = parse("id,text,size,size,\na,x,1,2,3\n")
    assert document.metadata == {"size": 1, "size_4": 2, "column_5": 3}


def test_numbers_are_numbers_only_where_nothing_is_lost() -> None:
    cells = {"a": "-3", "b": "1e3", "c": "0x10", "d": "1_000", "e": "nan", "f": "1e999", "g": "12345678901234567890"}
    (document,), _ = parse(f"id,text,{','.join(cells)}\n1,x,{','.join(cells.values())}\n")
    assert document.metadata == {**cells, "a": -3, "b": 1000.0}


def test_other_encodings_are_read() -> None:
    assert parse("\ufeffid,text\na,café\n")[0][0].text == "café"
    assert parse("id,text\na,café crème déjà\n".encode("cp1252"))[0][0].text == "café crème déjà"
    assert parse("id,text\na,café\n".encode("utf-16"))[0][0].text == "café"


def test_a_cell_larger_than_the_csv_modules_limit_is_read() -> None:
    assert len(parse(f"id,text\na,{'x' * 200_000}\n")[0][0].text) == 200_000


def test_an_empty_table_is_skipped_and_a_header_alone_has_no_documents() -> None:
    for nothing in ("", "\n\n", " , \n"):
        with pytest.raises(Skipped, match=r"kettles\.csv"):
            parse(nothing)
    assert parse("id,text\n") == ([], [])


@given(
    st.one_of(
        st.binary(),
        st.text(alphabet=st.sampled_from('ab,;"\n\r\t|\x00\ud800é')).map(lambda t: t.encode("utf-8", "surrogatepass")),
    )
)
def test_any_bytes_give_documents_and_problems_or_are_skipped(data: bytes) -> None:
    with contextlib.suppress(Skipped):
        parts = tables.parse(b"id,text\n" + data, ITEM, SourceOptions())
        assert all(part.text.strip() for part in parts if isinstance(part, Document))
