"""Chunks respect the reader, the encoder's window and every word of the document."""

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split, Whitespace

from indexer.chunking import Chunker
from retrieval.errors import ModelError, UsageError
from retrieval.types import Block, BlockKind, Chunk, Document


def word_tokenizer() -> Tokenizer:
    """A tokenizer for which every word and every run of punctuation is one token."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer


def token_count(text: str) -> int:
    """The same count, made without the tokenizer."""
    return len(re.findall(r"\w+|[^\w\s]+", text))


WORDS = word_tokenizer().to_str()


def heading(text: str, level: int = 2) -> Block:
    return Block(BlockKind.HEADING, text, level)


def paragraph(text: str) -> Block:
    return Block(BlockKind.PARAGRAPH, text)


def code(text: str) -> Block:
    return Block(BlockKind.CODE, text, language="sh")


def row(text: str) -> Block:
    return Block(BlockKind.ROW, text)


def item(text: str, level: int = 0) -> Block:
    return Block(BlockKind.ITEM, text, level)


def words(start: int, stop: int) -> str:
    return " ".join(f"w{number}" for number in range(start, stop))


def chunks_of(*blocks: Block, title: str = "Title", max_tokens: int = 20, min_tokens: int = 6) -> tuple[Chunk, ...]:
    chunker = Chunker(WORDS, max_tokens=max_tokens, min_tokens=min_tokens)
    return chunker.chunk(Document("id", title, blocks))


def texts_of(*blocks: Block, max_tokens: int = 20, min_tokens: int = 6) -> list[str]:
    return [chunk.text for chunk in chunks_of(*blocks, max_tokens=max_tokens, min_tokens=min_tokens)]


def test_a_short_document_is_one_chunk_of_plain_markdown() -> None:
    blocks = [paragraph("Run this:"), code("ls -l"), item("one"), item("two", 1), row("a | b"), row("c | d")]
    (chunk,) = chunks_of(*blocks, max_tokens=60)
    assert chunk.text == "Run this:\n\n```sh\nls -l\n```\n\n- one\n  - two\n\na | b\nc | d"
    assert (chunk.position, chunk.headings, chunk.tokens) == (0, (), token_count(chunk.text))


def test_a_chunk_knows_its_heading_path_outermost_first_without_the_title() -> None:
    found = chunks_of(
        heading("Title", 1), paragraph(words(0, 8)), heading("A"), paragraph(words(8, 16)), heading("B", 3),
        paragraph(words(16, 24)), heading("C"), paragraph(words(24, 32)),
    )  # fmt: skip
    assert [chunk.headings for chunk in found] == [(), ("A",), ("A", "B"), ("C",)]
    assert found[2].embedding_text("Title") == "Title > A > B\n" + words(16, 24)


def test_a_section_over_the_limit_is_cut_into_equal_chunks_and_not_into_a_full_one_and_a_scrap() -> None:
    blocks = [paragraph(words(start, start + 6)) for start in range(0, 24, 6)]
    assert [chunk.tokens for chunk in chunks_of(*blocks, max_tokens=20)] == [12, 12]


def test_a_block_that_fits_in_a_chunk_is_never_split() -> None:
    script = "\n".join(f"w{number}" for number in range(15))
    assert texts_of(paragraph(words(20, 34)), code(script)) == [words(20, 34), f"```sh\n{script}\n```"]


def test_an_introduction_that_ends_in_a_colon_stays_with_what_it_introduces() -> None:
    first, second, third = words(0, 9), words(9, 15) + ":", words(16, 25)
    assert texts_of(paragraph(first), paragraph(second), item(third)) == [first, f"{second}\n\n- {third}"]


def test_a_long_paragraph_is_split_at_sentences() -> None:
    one, two, three = (words(start, start + 8).capitalize() + "." for start in (0, 8, 16))
    assert texts_of(paragraph(f"{one} {two} {three}")) == [f"{one} {two}", three]


def test_an_abbreviation_before_a_small_letter_ends_no_sentence() -> None:
    text = f"{words(0, 8)} e.g. {words(9, 14)}. {words(15, 20).capitalize()}."
    assert texts_of(paragraph(text)) == [f"{words(0, 8)} e.g. {words(9, 14)}.", f"{words(15, 20).capitalize()}."]


def test_a_long_sentence_is_split_between_words_and_compounds_stay_whole() -> None:
    text = " ".join(["kube-apiserver"] * 16)
    assert texts_of(paragraph(text), max_tokens=20) == [" ".join(["kube-apiserver"] * part) for part in (6, 5, 5)]


def test_long_code_is_split_at_blank_lines_and_each_part_has_its_own_fence() -> None:
    one, two = "def f():\n    a\n    b", "def g():\n    c\n    d\n    e\n    f"
    assert texts_of(code(f"{one}\n\n{two}"), max_tokens=14) == [f"```sh\n{one}\n```", f"```sh\n{two}\n```"]


def test_code_without_blank_lines_is_split_at_lines_and_keeps_its_indentation() -> None:
    lines = [f"    w{number} = {number}" for number in range(8)]
    found = texts_of(code("\n".join(lines)), max_tokens=20)
    assert found == ["```sh\n" + "\n".join(half) + "\n```" for half in (lines[:4], lines[4:])]


def test_a_table_that_goes_on_in_the_next_chunk_repeats_its_first_row_where_there_is_room() -> None:
    header, rows = "name | size", [f"r{number} | {number}" for number in range(8)]
    first, second = texts_of(row(header), *map(row, rows), max_tokens=20)
    assert first.splitlines()[0] == second.splitlines()[0] == header
    assert first.splitlines()[1:] + second.splitlines()[1:] == rows


def test_short_sections_join_under_their_parent_and_show_their_headings_in_the_text() -> None:
    found = chunks_of(
        heading("Parent"), heading("A", 3), paragraph("one two"), heading("B", 3), paragraph("three four"),
        heading("Next"), paragraph(words(0, 8)),
    )  # fmt: skip
    assert [chunk.headings for chunk in found] == [("Parent",), ("Next",)]
    assert found[0].text == "### A\n\none two\n\n### B\n\nthree four"


def test_a_short_introduction_joins_the_first_section_under_its_own_heading() -> None:
    found = chunks_of(heading("A"), paragraph("one two"), heading("B", 3), paragraph(words(0, 8)))
    assert [(chunk.headings, chunk.text) for chunk in found] == [(("A",), f"one two\n\n### B\n\n{words(0, 8)}")]


def test_a_short_section_does_not_join_one_under_another_parent() -> None:
    found = chunks_of(heading("A"), heading("B", 3), paragraph("one"), heading("C"), paragraph(words(0, 8)))
    assert [chunk.headings for chunk in found] == [("A", "B"), ("C",)]


def test_a_short_section_stays_alone_where_the_whole_would_not_fit() -> None:
    found = chunks_of(heading("A"), paragraph("one two"), heading("B"), paragraph(words(0, 19)))
    assert [(chunk.headings, chunk.text) for chunk in found] == [(("A",), "one two"), (("B",), words(0, 19))]


def test_no_sections_are_joined_when_min_tokens_is_zero() -> None:
    found = chunks_of(heading("A"), paragraph("one"), heading("B"), paragraph("two"), min_tokens=0)
    assert [chunk.headings for chunk in found] == [("A",), ("B",)]


@pytest.mark.parametrize("body", [paragraph(words(0, 20)), code("\n".join(words(0, 17).split()))])
def test_a_heading_with_nothing_under_it_is_no_chunk_of_its_own(body: Block) -> None:
    found = chunks_of(heading("Full"), body, heading("Empty"))
    assert [chunk.headings for chunk in found] == [("Full",), ("Full",)]
    assert found[-1].text.endswith("\n\n## Empty")
    assert found[-1].tokens > token_count("## Empty")


def test_empty_headings_before_the_first_text_come_with_it() -> None:
    found = chunks_of(heading("Empty"), heading("Full"), paragraph(words(0, 25)))
    assert [chunk.headings for chunk in found] == [(), ()]
    assert found[0].text.startswith("## Empty\n\n## Full\n\nw0 ")


def test_a_document_of_headings_alone_is_a_chunk_of_them() -> None:
    assert texts_of(heading("A"), heading("B", 3), heading("C")) == ["## A\n\n### B\n\n## C"]


def test_a_document_without_text_has_its_title_as_its_text() -> None:
    assert [chunk.text for chunk in chunks_of(title="Only a title")] == ["Only a title"]
    assert [chunk.text for chunk in chunks_of(heading("Title", 1), paragraph(" \n "))] == ["Title"]


def test_a_document_without_title_and_text_has_no_chunk() -> None:
    assert chunks_of(paragraph("\n"), title=" ") == ()


def test_a_heading_of_paragraph_length_is_text_and_not_part_of_a_path() -> None:
    long = words(0, 40)
    found = chunks_of(heading("A"), heading(long, 3), paragraph(words(40, 50)), max_tokens=60)
    assert [(chunk.headings, chunk.text) for chunk in found] == [(("A",), f"### {long}\n\n{words(40, 50)}")]


def test_a_long_title_leaves_less_room_for_the_text_down_to_half() -> None:
    chunker = Chunker(WORDS, max_tokens=40, window=50)
    body = (paragraph(words(0, 200)),)
    largest = {
        length: max(chunk.tokens for chunk in chunker.chunk(Document("id", words(0, length), body)))
        for length in (10, 20, 45)
    }
    assert largest == {10: 40, 20: 29, 45: 20}


def test_a_hundred_thousand_characters_without_a_space_are_cut_to_ten_characters_a_token() -> None:
    found = chunks_of(paragraph("x" * 100_000), max_tokens=200)
    assert "".join(chunk.text for chunk in found) == "x" * 100_000
    assert {len(chunk.text) for chunk in found} == {2000}


def test_a_word_of_too_many_tokens_is_cut_until_it_fits() -> None:
    letters = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    letters.pre_tokenizer = Split("", "isolated")
    found = Chunker(letters.to_str(), max_tokens=16).chunk(Document("id", "", (paragraph("x" * 100),)))
    assert "".join(chunk.text for chunk in found) == "x" * 100
    assert max(chunk.tokens for chunk in found) <= 16


def test_text_without_spaces_between_words_is_split_at_its_own_full_stops() -> None:
    one, two = "日本語" * 30 + "。", "文章です" * 20 + "。"
    assert texts_of(paragraph(one + two), max_tokens=12) == [one, two]


def test_many_short_rows_are_packed_in_linear_time() -> None:
    found = chunks_of(*[row(f"r{number}") for number in range(20_000)], max_tokens=200)
    assert len(found) <= 120
    assert max(chunk.tokens for chunk in found) <= 200


def test_lone_surrogates_become_replacement_characters() -> None:
    assert texts_of(paragraph("a \ud800 b")) == ["a \ufffd b"]


def test_a_tokenizer_that_counts_blank_lines_is_believed() -> None:
    spaced = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    spaced.pre_tokenizer = Split(" ", "removed")
    separate = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    separate.pre_tokenizer = Split("\n\n", "isolated")
    for tokenizer in (spaced, separate):
        blocks = tuple(paragraph(f"a{number} b c") for number in range(20))
        found = Chunker(tokenizer.to_str(), max_tokens=10).chunk(Document("id", "", blocks))
        counts = [len(tokenizer.encode(chunk.text, add_special_tokens=False)) for chunk in found]
        assert [chunk.tokens for chunk in found] == counts
        assert max(counts) <= 10


def test_truncation_and_padding_of_the_tokenizer_do_not_change_the_count() -> None:
    tokenizer = word_tokenizer()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=64)
    (chunk,) = Chunker(tokenizer.to_str(), max_tokens=20).chunk(Document("id", "", (paragraph(words(0, 9)),)))
    assert chunk.tokens == 9


def test_a_tokenizer_that_cannot_be_read_is_a_model_error() -> None:
    with pytest.raises(ModelError, match=r"valid tokenizer\.json"):
        Chunker("{}")


@pytest.mark.parametrize("max_tokens", [0, 7, 257])
def test_a_chunk_size_the_encoder_cannot_take_is_refused(max_tokens: int) -> None:
    with pytest.raises(UsageError, match=f"Chunks of {max_tokens} tokens"):
        Chunker(WORDS, max_tokens=max_tokens)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Documents in which every word is another one, so that a lost, doubled or displaced word shows."""
    number = count()

    def text(longest: int) -> str:
        ends = draw(st.lists(st.sampled_from(["", "", "", ".", ":", "\n"]), min_size=1, max_size=longest))
        return " ".join(f"W{next(number)}{end}" for end in ends)

    def block(kind: BlockKind) -> Block:
        level = draw(st.integers(1, 4)) if kind in (BlockKind.HEADING, BlockKind.ITEM) else 0
        return Block(kind, text(6 if kind == BlockKind.HEADING else 30), level)

    kinds = draw(st.lists(st.sampled_from(BlockKind), max_size=20))
    return Document("id", draw(st.sampled_from(["", "Some title"])), tuple(map(block, kinds)))


def _document_words(blocks: Sequence[Block]) -> list[str]:
    return re.findall(r"W\d+", " ".join(block.text for block in blocks))


def _chunk_words(chunks: Sequence[Chunk]) -> Iterator[str]:
    for chunk in chunks:
        yield from re.findall(r"W\d+", " ".join([*chunk.headings, chunk.text]))


@given(document=documents(), max_tokens=st.integers(8, 40), min_tokens=st.integers(0, 20))
def test_chunks_hold_every_word_in_order_within_the_limit(document: Document, max_tokens: int, min_tokens: int) -> None:
    found = Chunker(WORDS, max_tokens=max_tokens, min_tokens=min_tokens).chunk(document)
    assert [chunk.position for chunk in found] == list(range(len(found)))
    assert all(chunk.text.strip() for chunk in found)
    assert [chunk.tokens for chunk in found] == [token_count(chunk.text) for chunk in found]
    assert max((chunk.tokens for chunk in found), default=0) <= max_tokens
    remaining = _chunk_words(found)
    assert all(word in remaining for word in _document_words(document.blocks))
    assert found == Chunker(WORDS, max_tokens=max_tokens, min_tokens=min_tokens).chunk(document)


@given(document=documents())
def test_no_word_of_the_body_stands_in_two_chunks_except_a_repeated_table_header(document: Document) -> None:
    body = [block for block in document.blocks if block.kind not in (BlockKind.HEADING, BlockKind.ROW)]
    found = Chunker(WORDS, max_tokens=16).chunk(document)
    everything = " ".join(chunk.text for chunk in found)
    assert all(len(re.findall(rf"\b{word}\b", everything)) == 1 for word in _document_words(body))


@given(text=st.text(max_size=300), title=st.text(max_size=20), kind=st.sampled_from(BlockKind))
def test_any_text_whatever_gives_bounded_chunks(text: str, title: str, kind: BlockKind) -> None:
    found = Chunker(WORDS, max_tokens=8).chunk(Document("id", title, (Block(kind, text, 1),)))
    assert all(chunk.text.strip() for chunk in found)
    assert all(len(chunk.text) <= 8 * 10 + 20 for chunk in found)
    assert bool(found) == bool(text.strip() or title.strip())


@pytest.mark.parametrize("folder", ["til", "fastapi-docs"])
def test_real_posts_give_chunks_whose_embedding_text_fits_the_window(shared_data: Path, folder: str) -> None:
    chunker, tokenizer = Chunker(WORDS), word_tokenizer()
    for path in sorted((shared_data / folder).rglob("*.md"))[:20]:
        lines = [line for line in path.read_text(encoding="utf-8").split("\n\n") if line.strip()]
        for chunk in chunker.chunk(Document(path.name, path.stem, tuple(map(paragraph, lines)))):
            assert chunk.tokens <= 200
            assert len(tokenizer.encode(chunk.text)) == chunk.tokens
            assert len(tokenizer.encode(chunk.embedding_text(path.stem))) <= 256
