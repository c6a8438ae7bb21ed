"""Keywords match the words of a document's path."""

import pytest

from indexer.fields import indexed_text, path_words
from retrieval.types import Chunk


@pytest.mark.parametrize(
    ("document_id", "words"),
    [
        ("posts/sqlite/upsert_rows.md", "posts sqlite upsert rows"),
        ("https://docs.example.org/en/build-with/tools#get-started", "en build with tools get started"),
        ("a%20folder/b.html", "a folder b"),
        ("asyncio.to_thread", ""),
        ("4983", ""),
        ("http://[broken/x", ""),
    ],
)
def test_a_path_or_url_has_words_and_another_id_has_none(document_id: str, words: str) -> None:
    assert path_words(document_id) == words


def test_path_words_count_as_a_heading() -> None:
    chunk = Chunk(0, ("Usage",), "text", 1)
    assert indexed_text("sqlite/a.md", "T", chunk).headings == ("Usage", "sqlite a")
    assert indexed_text("a", "T", chunk).headings == ("Usage",)
