"""Mined pairs: what is asked of which passage, what is hidden in it, and what never becomes a pair."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.analysis import Analyzer
from retrieval.catalog import ChunkText
from retrieval.catalog.pairs import Pair
from retrieval.errors import UsageError
from retrieval.keyword import sparse
from retrieval.stores.base import EmbeddingLeg, KeywordLeg, Point
from retrieval.stores.memory import MemoryStore
from retrieval.types import Block, BlockKind, Chunk, Document, Link
from tests.homes import Workbench
from trainer.mining import SETTING, MinedPairs, keep, mine_pairs
from trainer.pairs.anchors import sentence_of
from trainer.pairs.comments import is_said
from trainer.pairs.consistency import best_ranks
from trainer.pairs.keywords import Shortener
from trainer.pairs.legs import Legs
from trainer.pairs.passages import like, passage_of
from trainer.pairs.placing import heading_of, position_after, position_of_heading
from trainer.pairs.vectors import Progress, silent

FILLER = "It takes patience and a steady hand every day until the whole thing goes well without any recipe. "


def heading(text: str, level: int = 2) -> Block:
    return Block(BlockKind.HEADING, text, level=level)


def said(*sentences: str) -> Block:
    """A paragraph long enough for a chunk of its own."""
    return Block(BlockKind.PARAGRAPH, " ".join([*sentences, FILLER * 2]).strip())


def page(name: str, title: str, *blocks: Block, links: Sequence[Link] = (), kind: str = "") -> Document:
    return Document(name, title, blocks, links=tuple(links), metadata={"kind": kind} if kind else {})


BREAD = page(
    "bread.md",
    "Baking bread at home",
    said("Flour, water, salt and yeast make a loaf."),
    heading("Why does dough rise?"),
    said("Yeast eats sugar and makes gas, which warm flour holds."),
    heading("Cold oven"),
    said("Start in a cold oven where the crust stays soft; a cold stone bakes slowly."),
    heading("Overview"),
    said("All of it in short, from flour to loaf."),
)
CAR = page(
    "car.md",
    "Vehicle repair in winter",
    said("Mend the engine and the wheels before a long journey."),
    heading("Changing a frozen door lock"),
    said("Warm the key. Changing the lock of a frozen door takes an hour; the door and the lock are changed together."),
    links=[Link("bread.md", "here", "Eat something here."), Link("bread.md#cold-oven", "cold oven loaf", "A loaf.")],
)
DOG = page("dog.md", "Feeding a young dog", said("What a puppy may eat, and what no animal should."))
PAGES = (BREAD, CAR, DOG)


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Workbench:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*PAGES)
    return bench


def mined(bench: Workbench, *documents: Document) -> MinedPairs:
    if documents:
        bench.put(*documents)
    return mine_pairs(bench.home, bench.collection)


def pair_of(found: MinedPairs, query: str) -> Pair:
    return next(pair for pair in found.pairs if pair.query == query)


def why_dropped(found: MinedPairs, text: str) -> str:
    return next(reason for reason, texts in found.examples.items() if text in texts)


def text_of(bench: Workbench, pair: Pair) -> ChunkText:
    texts = [text for batch in bench.home.catalog.chunks.all_texts(bench.collection) for text in batch]
    return next(text for text in texts if (text.document_id, text.chunk.position) == (pair.document, pair.position))


# --- sources


def test_a_title_wants_the_lead_of_its_document(bench: Workbench) -> None:
    pair = pair_of(mined(bench), "Feeding a young dog")
    assert pair == Pair("Feeding a young dog", "dog.md", 0, "mined:title", 0.8, "dog.md", ("Feeding a young dog",))


def test_a_question_wants_the_section_that_it_heads(bench: Workbench) -> None:
    pair = pair_of(mined(bench), "Why does dough rise?")
    assert (pair.source, pair.weight, pair.strings) == ("mined:question-heading", 1.0, ("Why does dough rise?",))
    passage = passage_of(text_of(bench, pair), pair.strings).text
    assert passage.startswith("Baking bread at home\nYeast eats sugar")


def test_a_heading_that_tells_enough_is_a_query_by_itself(bench: Workbench) -> None:
    pair = pair_of(mined(bench), "Changing a frozen door lock")
    assert (pair.document, pair.position, pair.source) == ("car.md", 1, "mined:heading")


def test_a_heading_that_tells_too_little_has_the_title_before_it_and_both_are_hidden(bench: Workbench) -> None:
    pair = pair_of(mined(bench), "Baking bread at home Cold oven")
    assert pair.source == "mined:section"
    passage = passage_of(text_of(bench, pair), pair.strings).text
    assert passage.startswith("\nStart in a where the crust stays soft")


def test_a_heading_that_any_document_may_have_is_dropped(bench: Workbench) -> None:
    assert why_dropped(mined(bench), "Overview") == "a heading that any document may have"


def test_a_heading_of_several_sections_is_dropped(bench: Workbench) -> None:
    twice = [
        block
        for text in ("Nails", "Boards")
        for block in (heading("Wood and glue prices"), said(f"{text} of wood, wood glue prices, glue."))
    ]
    assert why_dropped(mined(bench, page("shed.md", "A wooden shed", *twice)), "Wood and glue prices") == (
        "a heading of several sections of its document"
    )


def test_an_anchor_wants_the_section_that_its_fragment_names(bench: Workbench) -> None:
    found = mined(bench)
    pair = pair_of(found, "cold oven loaf")
    assert (pair.document, pair.source) == ("bread.md", "mined:anchor")
    assert text_of(bench, pair).chunk.headings == ("Cold oven",)
    assert why_dropped(found, "here") == "an anchor that names nothing (here, next, read more)"


def test_a_thin_anchor_gives_its_sentence_if_that_tells_what_it_leads_to(bench: Workbench) -> None:
    sentence = "To bake a loaf of bread at home with flour and yeast, read the recipe."
    other = page("food.md", "Food for winter", said("Soup, and rice."), links=[Link("bread.md", "recipe", sentence)])
    pair = pair_of(mined(bench, other), "To bake a loaf of bread at home with flour and yeast")
    assert (pair.document, pair.position, pair.source) == ("bread.md", 0, "mined:anchor-sentence")


def test_a_docstring_wants_its_signature(bench: Workbench) -> None:
    signature = Block(BlockKind.CODE, "zoo.wake(animal, gently=True, at=None)", language="python")
    first = Block(BlockKind.PARAGRAPH, "Start the morning of an animal. It blocks.")
    pair = pair_of(
        mined(bench, page("zoo.wake", "zoo.wake", signature, first, kind="function")), "Start the morning of an animal"
    )
    assert pair.source == "mined:docstring"
    assert passage_of(text_of(bench, pair), pair.strings).chunk.text.endswith(". It blocks.")


def test_a_name_whose_documentation_refers_to_another_is_dropped(bench: Workbench) -> None:
    signature = Block(BlockKind.CODE, "zoo.sleep(animal, gently=True, at=None, other=True)", language="python")
    refers = Block(BlockKind.PARAGRAPH, "See also zoo.wake.")
    found = mined(bench, page("zoo.sleep", "zoo.sleep", signature, refers, kind="function"))
    assert why_dropped(found, "zoo.sleep") == "a name whose documentation only refers to another"


CODE = """import kitchen

# Fill the bowl with milk for the kitten
milk = kitchen.warm("milk", degrees=30)
bowl.fill(milk, until=bowl.edge, slowly=True)
#!/bin/sh
# TODO: the code below is broken
spill(milk)
"""


def test_a_comment_wants_the_code_below_it(bench: Workbench) -> None:
    block = Block(BlockKind.CODE, CODE, language="python")
    found = mined(bench, page("milk.md", "Milk and cream", said("Of bowls."), block))
    pair = pair_of(found, "Fill the bowl with milk for the kitten")
    assert (pair.source, pair.document) == ("mined:comment", "milk.md")
    assert "for the kitten" not in passage_of(text_of(bench, pair), pair.strings).text
    assert why_dropped(found, "TODO") == ("a comment that says nothing by itself, or is code")


def test_a_long_query_has_a_variant_of_its_telling_words(bench: Workbench) -> None:
    title = "How a baker may choose between yeast and soda for flour from rye"
    known = page("rye.md", title, said("Yeast and soda both lift rye flour; a baker takes yeast for rye."))
    found = mined(bench, known)
    pair = pair_of(found, "baker yeast soda flour rye")
    assert (pair.source, pair.weight, pair.document) == ("mined:keywords", 0.4, "rye.md")
    assert pair.strings == pair_of(found, title).strings


def test_a_query_that_people_brought_has_a_variant_too(bench: Workbench) -> None:
    query = "what could I give a puppy to eat that no other animal should have"
    brought = Pair(query, "dog.md", 0, "human", 1.0, "dog.md")
    gone = replace(brought, document="gone.md")
    bench.home.catalog.pairs.add(bench.collection, [brought, gone])
    assert pair_of(mined(bench), "puppy eat animal").document == "dog.md"


# --- what never becomes a pair


def test_what_several_documents_are_asked_is_dropped(bench: Workbench) -> None:
    found = mined(bench, page("pup.md", "Young dogs: feeding", said("Milk first, then meat and rice for the hound.")))
    assert why_dropped(found, "Feeding a young dog") == "asked of several documents"


def test_a_passage_that_masking_leaves_bare_is_dropped(bench: Workbench) -> None:
    bare = page(
        "bare.md",
        "Boats and harbours in the north",
        Block(BlockKind.PARAGRAPH, "Boats and harbours in the north, yes."),
    )
    assert why_dropped(mined(bench, bare), "Boats and harbours in the north") == (
        "hardly any text is left of its passage once it is masked"
    )


def test_a_passage_that_neither_leg_finds_is_dropped(bench: Workbench) -> None:
    others = [
        page(f"{n}.md", f"Page {n}", said(f"Violin music {n}", "The violin plays music.")) for n in "abcdefghijkl"
    ]
    away = page("away.md", "Violin music", said("Concrete needs gravel."))
    found = mined(bench, away, *others)
    assert why_dropped(found, "Violin music") == "neither leg finds its passage among the first"
    assert all(pair.document != "away.md" for pair in found.pairs)


def test_near_copies_are_asked_once_and_do_not_compete(bench: Workbench) -> None:
    copy = replace(DOG, id="a-dog.md")
    found = mined(bench, copy)
    pair = pair_of(found, "Feeding a young dog")
    assert pair.document in ("dog.md", "a-dog.md")
    assert pair.group == "a-dog.md"
    assert why_dropped(found, "Feeding a young dog") == "asked of its document already in the same words"


def test_a_book_gives_no_more_pairs_than_sixty(bench: Workbench) -> None:
    words = [
        a + b for a in "bcdfghklmn" for b in ("ampire", "ortune", "edding", "orridor", "asement", "illage", "ountry")
    ]
    sections = [
        block
        for word in words
        for block in (heading(f"{word} {word}s painted {word}ly"), said(f"{word} {word} painted {word}s {word}s"))
    ]
    found = mined(bench, page("book.md", "The book of made up words", *sections))
    assert sum(pair.document == "book.md" for pair in found.pairs) == 60
    assert found.dropped["more than wanted of one document"] > 0


def test_a_collection_without_documents_has_nothing_to_mine(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="has no document yet; `tandem ingest"):
        mined(Workbench.open(tmp_path / "home", tiny_model))


# --- the run as a whole


def test_the_same_documents_in_whatever_order_give_the_same_pairs(tmp_path: Path, tiny_model: Path) -> None:
    found = []
    for name, pages in (("a", PAGES), ("b", PAGES[::-1])):
        bench = Workbench.open(tmp_path / name, tiny_model)
        for one in pages:
            bench.put(one)
        found.append(mined(bench))
    assert found[0].pairs == found[1].pairs


def test_what_was_embedded_once_is_not_embedded_again(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.home, "encoder", lambda _: bench.encoder)
    bench.encoder.passages.clear()
    steps: list[Progress] = []
    first = mine_pairs(bench.home, bench.collection, on_progress=steps.append)
    assert len(bench.encoder.passages) == steps[-1].done == steps[-1].total > 0
    bench.encoder.passages.clear()
    assert mine_pairs(bench.home, bench.collection).pairs == first.pairs
    assert bench.encoder.passages == []


def test_mined_pairs_take_the_place_of_those_before_and_say_what_was_dropped(bench: Workbench) -> None:
    catalog, collection = bench.home.catalog, bench.collection
    stale = Pair("old", "dog.md", 0, "mined:title", 1.0, "dog.md")
    human = Pair("Feeding a young dog", "dog.md", 0, "human", 1.0, "dog.md")
    catalog.pairs.add(collection, [stale, human])
    found = mined(bench)
    keep(bench.home, collection, found)
    kept = catalog.pairs.list(collection)
    assert human in kept
    assert stale not in kept
    assert len(kept) == len(found.pairs)  # one of them is asked by a person as well
    assert catalog.collections.setting(collection, SETTING)["dropped"] == dict(found.dropped)


# --- both legs over the whole corpus


def test_scores_and_ranks_are_those_of_an_exact_search(bench: Workbench) -> None:
    catalog = bench.home.catalog
    legs = Legs.of(bench.home, bench.collection, {}, silent)
    store = MemoryStore()
    store.add_vector("base", bench.encoder.dimensions)
    stored = [chunk for batch in catalog.chunks.all_stored(bench.collection) for chunk in batch]
    vectors = catalog.embeddings.get(bench.encoder.fingerprint, {chunk.text_hash for chunk in stored})
    bm25 = legs.corpus.bm25
    store.upsert([Point(c.id, c.document, bm25.weights(c.terms), {"base": vectors[c.text_hash]}) for c in stored])
    queries = ["cold oven flour", "a frozen door lock", "zebra"]
    asked = legs.asked(queries)
    (scores,) = legs.corpus.scores(asked)
    ids = [text.id for text in legs.corpus.texts]
    for row, query in enumerate(queries):
        terms = sparse(Analyzer().query_terms(query))
        for leg, own in (
            (KeywordLeg(terms), scores.keyword),
            (EmbeddingLeg("base", asked.vectors[row]), scores.embedding),
        ):
            expected = store.scores(leg)
            assert expected[0].tolist() == ids
            np.testing.assert_allclose(own[row], expected[1], atol=1e-5)
    texts = [legs.corpus.texts[0], legs.corpus.texts[-1], legs.corpus.texts[-1]]
    positives = legs.positives([passage_of(text) for text in texts], [0, len(ids) - 1, len(ids) - 1])
    ranks = best_ranks(legs.corpus, asked, positives)
    for rank, text, row in zip(ranks, texts, range(3), strict=True):
        others = [place for place, one in enumerate(legs.corpus.texts) if one.document_id != text.document_id]
        own_row = ids.index(text.id)
        by_leg = [
            1 + sum(leg[row, other] > leg[row, own_row] + 1e-5 for other in others)
            for leg in (scores.embedding, scores.keyword)
            if leg is scores.embedding or leg[row, own_row] > 0
        ]
        assert rank == min(by_leg)


# --- small parts


def chunk(position: int, headings: tuple[str, ...], text: str, title: str = "Title") -> ChunkText:
    return ChunkText(position, "d", title, Chunk(position, headings, text, 1), "")


CHUNKS = (
    chunk(0, (), "Lead.\n\nIs it cold? "),
    chunk(1, ("Outer",), "## Inner one\n\nText of inner one.\n\n## Bare"),
    chunk(2, ("Outer", "Inner two"), "Text of inner two, and no more than that."),
)


@pytest.mark.parametrize(
    ("wanted", "position"), [("Inner two", 2), ("Inner  one", 1), ("Outer", 1), ("Bare", None), ("Other", None)]
)
def test_a_heading_leads_to_the_chunk_with_its_text(wanted: str, position: int | None) -> None:
    assert position_of_heading(CHUNKS, wanted) == position


def test_a_question_at_the_end_of_a_chunk_is_answered_by_the_next() -> None:
    assert position_after(CHUNKS, "Is it cold?") == 1
    assert position_after(CHUNKS, "Text of inner two") == 2
    assert position_after(CHUNKS, "no more than that.") is None
    assert position_after(CHUNKS, "nowhere") is None


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("d#cold-oven", "Cold oven"),
        ("d#Cold_Oven", "Cold oven"),
        ("d#cold%20oven", "Cold oven"),
        ("d", None),
        ("d#x", None),
    ],
)
def test_a_fragment_names_a_heading_however_its_site_writes_it(target: str, found: str | None) -> None:
    assert heading_of(BREAD, target) == found


@pytest.mark.parametrize(
    ("anchor", "sentence", "told"),
    [
        ("the guide", "To move otters at night, read the guide.", "To move otters at night"),
        ("guide", "Otters move at night, as explained in the guide.", "Otters move at night"),
        ("otters", "Feed the otters at night.", "Feed the otters at night"),
        ("", "Feed the otters.", ""),
    ],
)
def test_the_clause_that_sends_the_reader_away_is_no_part_of_a_sentence(anchor: str, sentence: str, told: str) -> None:
    assert sentence_of(Link("d", anchor, sentence)) == told


@pytest.mark.parametrize(
    "text", ["Load the words from a file", "sorts rows by name in place", "Creates a new table of users"]
)
def test_a_comment_that_says_what_code_does_may_be_asked(text: str) -> None:
    assert is_said(text)


@pytest.mark.parametrize(
    "text",
    [
        *("Load words", "the words of a file", "Copyright (c) the authors", "Add the words from above"),
        *(
            "x = load(the, words)",
            "Return words[0] of the file",
            "Update lastWord with the word",
            "Load words, see https://x.y",
        ),
        "Loads the code in this example",
    ],
)
def test_other_comments_are_no_queries(text: str) -> None:
    assert not is_said(text)


def test_keywords_are_the_rarest_words_that_the_passage_has_in_the_order_of_the_query() -> None:
    idf = {"otters": 3.0, "harbours": 2.0, "kites": 4.0, "violins": 5.0, "move": 1.0}
    shortener = Shortener("english", lambda word: idf.get(word, 0.0))
    passage = Analyzer().terms("kites, harbours and otters move")
    query = "how can otters and kites move between harbours without violins"
    assert shortener.keywords_of(query, passage) == "otters kites move harbours"
    assert shortener.keywords_of("otters and kites move to harbours", passage) is None
    assert shortener.keywords_of("how can the two of them move away without the violins", passage) is None


def test_what_is_like_a_passage_loses_its_title_and_last_heading_where_the_passage_does() -> None:
    other = chunk(0, ("Part", "Cold oven"), "Bake.", title="Bread")
    text = chunk(0, ("Section", "Warm oven"), "Cook.", title="Meat")
    assert like(text, other, ["zebra"]).text == "Meat > Section > Warm oven\nCook."
    assert like(text, other, ["bread"]).text == "Section > Warm oven\nCook."
    assert like(text, other, ["Cold oven"]).text == "Meat > Section\nCook."
    assert like(text, replace(other, title=""), ["cold oven"]).text == "Meat > Section\nCook."
