"""Any file's bytes become its text."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.sources.decoding import decoded, repaired
from retrieval.errors import Skipped

CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy a nikdo ho neposlouchal."
RUSSIAN = "Привет, мир! Это текст на русском языке о программировании."
JAPANESE = "これは日本語のテキストです。検索エンジンを作りましょう。"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", JAPANESE),
        ("utf-8-sig", "plain"),
        ("utf-16", "héllo wörld"),
        ("utf-16-le", "no byte order mark here"),
        ("utf-16-be", "no byte order mark here"),
        ("utf-32", "héllo"),
        ("latin-1", "Un café fermé."),
        ("cp1252", "“Curly” – naïve café"),
        ("cp1250", CZECH),
        ("cp1251", RUSSIAN),
        ("shift_jis", JAPANESE),
    ],
)
def test_the_encoding_of_a_text_is_found(encoding: str, text: str) -> None:
    assert decoded(text.encode(encoding)) == text


def test_double_encoded_text_is_repaired() -> None:
    assert decoded("A cafÃ© is â€œopenâ€\x9d.".encode()) == "A café is “open”."


@pytest.mark.parametrize(
    "text", ["“Curly” ‘quotes’", "ﬁnd the ligature", "a &amp; b &lt;tag&gt;", "ｆｕｌｌ", "x = 'é' # …"]
)
def test_clean_text_is_left_alone(text: str) -> None:
    assert repaired(text) == text


def test_one_broken_byte_does_not_change_the_encoding_of_the_rest() -> None:
    text = decoded("naïve façade, ".encode() * 5 + b"\xff")
    assert text.startswith("naïve façade, naïve")
    assert text.endswith("\ufffd")


def test_every_line_end_is_a_newline() -> None:
    assert decoded(b"a\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG\r\n\x1a\n rest", "PNG"),
        (b"PK\x03\x04 rest", "ZIP"),
        (b"text \x00 and \x00\x00\x01 more", "NUL"),
        (bytes(range(1, 32)) * 20, "control"),
    ],
)
def test_binary_data_is_skipped_and_named(data: bytes, what: str) -> None:
    with pytest.raises(Skipped, match=what):
        decoded(data)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60))
def test_text_without_signs_of_mojibake_survives_a_byte_order_mark(text: str) -> None:
    assert decoded(codecs.BOM_UTF8 + text.encode()) == repaired(text).removeprefix("\ufeff")


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_skipped(data: bytes) -> None:
    try:
        text = decoded(data)
    except Skipped:
        return
    assert "\r" not in text
    text.encode("utf-8")  # no lone surrogate
