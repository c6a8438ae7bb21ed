"""PDF: text by page without running heads, title, date, and refusals with reasons."""

import contextlib
import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.sources import pdf
from indexer.sources.base import Item, SourceOptions
from retrieval.errors import ParseError, Skipped
from retrieval.types import Document

ITEM = Item("papers/kettles.pdf", "/papers/kettles.pdf", "pdf")


def pdf_of(pages: Sequence[Sequence[str]], info: str = "") -> bytes:
    """Write a PDF by hand: one line of text under the other, in Helvetica."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, lines in enumerate(pages):
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        stream = f"BT /F1 12 Tf 72 720 Td {shown}ET"
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    bodies.append(f"<< {info} >>")
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(bodies, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer << /Size {len(places) + 1} /Root 1 0 R /Info {len(places)} 0 R >>\n"
    return out + f"{end}startxref\n{len(out)}\n%%EOF\n".encode()


def parsed(data: bytes) -> Document:
    (document,) = pdf.parse(data, ITEM, SourceOptions())
    return document


def test_text_title_author_and_date_come_from_the_file() -> None:
    info = "/Title (On kettles) /Author (Ann Potts) /CreationDate (D:20240102030405Z)"
    document = parsed(
        pdf_of([["Kettles boil water quickly and without much noise,", "which is why people like them."]], info)
    )
    assert document.id == "papers/kettles.pdf"
    assert document.title == "On kettles"
    assert document.created == "2024-01-02T03:04:05+00:00"
    assert document.metadata == {"author": "Ann Potts", "pages": 1}
    assert document.text == "Kettles boil water quickly and without much noise, which is why people like them."


def test_without_a_title_of_its_own_the_first_line_is_the_title() -> None:
    assert parsed(pdf_of([["Boiling", "Text."]])).title == "Boiling"
    assert parsed(pdf_of([["Boiling", "Text."]], "/Title (Microsoft Word - x.doc)")).title == "Boiling"
    assert parsed(pdf_of([["x" * 200]])).title == "Kettles"


def test_the_base_url_and_the_path_make_the_address() -> None:
    (document,) = pdf.parse(pdf_of([["Tea."]]), ITEM, SourceOptions(base_url="https://a.example/files"))
    assert document.url == "https://a.example/files/papers/kettles.pdf"


def test_running_heads_and_page_numbers_are_left_out() -> None:
    bodies = ["Water is heated first.", "Then it is poured over.", "Tea needs three minutes.", "Milk is not needed."]
    pages = [["The Kettle Journal 12", body, f"Page {n} of 4"] for n, body in enumerate(bodies, start=1)]
    assert (
        parsed(pdf_of(pages)).text
        == "Water is heated first. Then it is poured over. Tea needs three minutes. Milk is not needed."
    )


def test_a_line_that_repeats_in_the_middle_of_pages_stays() -> None:
    pages = [[f"Start {word}.", "a", "Chorus again.", "b", f"End {word}."] for word in ("one", "two", "six", "ten")]
    assert parsed(pdf_of(pages)).text.count("Chorus again.") == 4


def test_words_cut_at_line_ends_are_healed_but_known_compounds_keep_their_hyphen() -> None:
    lines = ["This well-known kettle has a tempera-", "ture sensor that is well-", "known to be exact and X-", "Rays."]
    assert (
        parsed(pdf_of([lines])).text
        == "This well-known kettle has a temperature sensor that is well-known to be exact and X- Rays."
    )


def test_a_paragraph_ends_where_a_sentence_ends_before_the_margin() -> None:
    lines = [
        "The first paragraph runs on to the very margin of the page,",
        "and ends here.",
        "The second one begins on the next line and is long as well,",
        "continuing over the page's end until it comes to a full stop",
    ]
    document = parsed(pdf_of([lines, ["and it ends."]]))
    assert [len(block.text.split()) for block in document.blocks] == [15, 28]


def test_an_encrypted_file_is_skipped_with_a_reason_and_one_without_a_password_is_read() -> None:
    from pypdf import PdfReader, PdfWriter

    def encrypted(password: str) -> bytes:
        writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_of([["Secret tea."]]))))
        writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
        out = io.BytesIO()
        writer.write(out)
        return out.getvalue()

    with pytest.raises(Skipped, match="encrypted"):
        parsed(encrypted("user"))
    assert parsed(encrypted("")).text == "Secret tea."


def test_a_scan_is_skipped_and_too_many_pages_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Skipped, match="no text"):
        parsed(pdf_of([[], []]))
    monkeypatch.setattr(pdf, "MOST_PAGES", 1)
    with pytest.raises(Skipped, match="2 pages"):
        parsed(pdf_of([["a"], ["b"]]))
    monkeypatch.setattr(pdf, "MOST_PAGES", 9)
    monkeypatch.setattr(pdf, "MOST_SECONDS", -1.0)
    with pytest.raises(Skipped, match="split it"):
        parsed(pdf_of([["a"], ["b"]]))


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4", b"no pdf", pdf_of([["a"]])[:200]])
def test_a_broken_file_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError, match=r"kettles\.pdf"):
        parsed(data)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_the_bytes_a_parser_returns_or_refuses(data: st.DataObject) -> None:
    whole = pdf_of([["Some text", "more"], ["and more"]], "/Title (x) /CreationDate (D:2024)")
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:place] + data.draw(st.binary(max_size=8)) + whole[place + data.draw(st.integers(0, 30)) :]
    with contextlib.suppress(Skipped, ParseError):
        assert parsed(damaged).id == ITEM.key
