"""Files read in a process of their own: it may hang, swell or die, and the next file is read."""

import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.apart.messages import answered, read_answered
from indexer.apart.reader import Reader
from indexer.sources.base import Item, Problem, SourceOptions
from retrieval.errors import ParseError, Skipped
from retrieval.types import Block, BlockKind, Document, Link
from tests.homes import REPOSITORY

OPTIONS = SourceOptions(base_url="https://example.org")


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as started:
        yield started


def parsed(reader: Reader, name: str, data: bytes, kind: str) -> list[Document | Problem]:
    return list(reader.parse(data, Item(name, "", kind), OPTIONS))


def test_what_a_parser_gives_comes_back_as_it_was() -> None:
    document = Document(
        "a", "A", (Block(BlockKind.CODE, "x", 0, "py"), Block(BlockKind.HEADING, "h", 2)), "u", "2024-01-01", None,
        ("t",), {"n": [1, None, {"k": "v"}]}, (Link("b#c", "b", "See b."),),
    )  # fmt: skip
    for part in (document, Problem("a", "why", skipped=True)):
        assert read_answered(answered(part)) == part


def test_files_are_read_one_after_the_other_whatever_they_are(reader: Reader) -> None:
    [page] = parsed(reader, "guide/a.md", b"# A\n\nSee [b](b.md).", "markdown")
    assert isinstance(page, Document)
    told = (page.id, page.title, page.url, page.links[0].target)
    assert told == ("guide/a.md", "A", "https://example.org/guide/a.md", "b.md")
    rows = parsed(reader, "r.jsonl", b'{"_id": "1", "text": "one"}\nbroken\n', "jsonl")
    assert [type(row) for row in rows] == [Document, Problem]
    with pytest.raises(ParseError, match=r"p\.pdf is not a PDF"):
        parsed(reader, "p.pdf", b"%PDF-1.4 broken", "pdf")
    with pytest.raises(Skipped, match="empty"):
        parsed(reader, "t.txt", b"\n\n", "text")


def test_a_reader_that_dies_costs_its_file_alone(reader: Reader) -> None:
    parsed(reader, "a.txt", b"Text.", "text")
    assert reader._child is not None
    reader._child.kill()
    reader._child.wait()
    with pytest.raises(ParseError, match="ended the process"):
        parsed(reader, "b.txt", b"Text.", "text")
    assert len(parsed(reader, "c.txt", b"Text.", "text")) == 1


def test_a_file_that_takes_too_long_is_given_up_and_then_all_that_come_after_all_the_time_is_gone() -> None:
    with Reader(file_s=0.01, all_s=0.015) as reader:
        began = time.monotonic()
        with pytest.raises(ParseError, match="took over"):
            parsed(reader, "slow.txt", b"Text.", "text")  # the process alone takes longer to begin
        with pytest.raises(ParseError, match=r"took all the time|took over"):
            parsed(reader, "next.txt", b"Text.", "text")
        with pytest.raises(ParseError, match="took all the time"):
            parsed(reader, "last.txt", b"Text.", "text")
        assert time.monotonic() - began < 5


@pytest.mark.slow
def test_a_bomb_is_refused_and_the_process_that_asked_lives(reader: Reader) -> None:
    [small] = parsed(reader, "small.pdf", pdf(b"BT /F1 12 Tf (A small page.) Tj ET"), "pdf")
    assert isinstance(small, Document)
    assert small.text == "A small page."
    for times in (1_000_000, 100_000_000):  # tokens to go through; bytes to unpack
        with pytest.raises(ParseError, match=r"(?i)limit"):
            parsed(reader, "bomb.pdf", pdf(b"BT /F1 12 Tf " + b"(a) Tj " * times + b"ET"), "pdf")
    assert len(parsed(reader, "after.txt", b"Text.", "text")) == 1


def pdf(content: bytes) -> bytes:
    """A PDF of one page, its content packed."""
    page = zlib.compress(content, 9)
    parts = [
        b"%PDF-1.4",
        b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj",
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj",
        b"3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj",
        b"4 0 obj<</Length " + str(len(page)).encode() + b"/Filter/FlateDecode>>stream",
        page,
        b"endstream endobj",
        b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj",
        b"trailer<</Root 1 0 R/Size 6>>\nstartxref\n0\n%%EOF",
    ]
    return b"\n".join(parts)


def test_a_reader_has_no_more_memory_than_it_is_allowed_and_writes_no_file(tmp_path: Path) -> None:
    tried = f"""
from indexer.apart import child
child.confine()
try:
    bytearray(child.MEMORY_BYTES)
except MemoryError:
    print("no memory")
try:
    with open({str(tmp_path / "written")!r}, "w") as file:
        file.write("x")
except OSError:
    print("no file")
"""
    done = subprocess.run([sys.executable, "-c", tried], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout == "no memory\nno file\n", done.stderr


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system shows no environment")
def test_a_reader_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_CATALOG_URL", "postgresql://user:password@host/db")
    with Reader() as reader:
        parsed(reader, "a.txt", b"Text.", "text")
        assert reader._child is not None
        told = Path(f"/proc/{reader._child.pid}/environ").read_bytes()
    assert b"PYTHONPATH" in told
    assert b"TANDEM_" not in told
