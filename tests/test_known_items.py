"""Known items: what becomes a query, what does not, and that a masked document no longer gives its query away."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from indexer.sources import Item, SourceOptions, open_source
from retrieval.errors import TandemError
from retrieval.types import Block, BlockKind, Document, Link
from trainer.known_items import KnownItem, Mined, masked, mine
from trainer.known_items.shapes import cleaned, family

SUBJECTS = (
    "otters",
    "harbours",
    "lanterns",
    "glaciers",
    "violins",
    "orchards",
    "ferries",
    "pigments",
    "tunnels",
    "kites",
)


def prose(subject: str) -> Block:
    """Twenty-odd words that no other subject's prose shares in runs of five."""
    names = [f"{subject}{letter}" for letter in "abcdefghijklmnopqrstuvwx"]
    return Block(BlockKind.PARAGRAPH, " ".join(names))


def heading(text: str, level: int = 2) -> Block:
    return Block(BlockKind.HEADING, text, level=level)


def document(
    name: str,
    title: str = "",
    *blocks: Block,
    links: Sequence[tuple[str, str]] = (),
    kind: str = "",
    url: str | None = None,
) -> Document:
    """A document with prose of its own."""
    return Document(
        id=name,
        title=title,
        blocks=(*blocks, prose(name.partition(".")[0])),
        url=url,
        links=tuple(Link(target, anchor, "") for target, anchor in links),
        metadata={"kind": kind} if kind else {},
    )


def asked(mined: Mined, source: str = "") -> list[tuple[str, str]]:
    """What is asked of which document."""
    return [(item.text, item.document) for item in mined.items if item.source.startswith(f"mined:{source}")]


def why_dropped(mined: Mined, text: str) -> str:
    return next(reason for reason, texts in mined.examples.items() if text in texts)


# --- masking


@pytest.mark.parametrize(
    ("text", "strings", "left"),
    [
        ("Read how TO  move\notters, then rest.", ["How to move otters?"], "Read, then rest."),
        ("See [**moving**](x.md) day.", ["moving"], "See (x.md) day."),
        ("A *well-known* fact: well\u2011known, well known!", ["well known"], "A fact:,!"),
        ("Cafe\u0301 and CAFÉ and cafes", ["café"], "and and cafes"),
        ("the ﬁle of files", ["file"], "the of files"),
        ("path foo_bar, foobar, foo bar", ["foo"], "path foo_bar, foobar, bar"),
        ("C++ is not C and not C#", ["C"], "C++ is not and not C#"),
        ("本文介绍如何安装软件", ["如何安装"], "本文介绍 软件"),
        ("aa aa aa b", ["aa aa"], "b"),
        ("aa ab aa ab ac end", ["aa ab ac"], "aa ab end"),
    ],
)
def test_a_string_is_masked_wherever_its_words_follow_one_another(text: str, strings: list[str], left: str) -> None:
    assert masked(text, strings) == left


def test_a_line_of_which_no_word_is_left_goes_with_its_markup() -> None:
    text = "## Moving otters\n\nOtters move.\n\n- *Moving otters!*\n- Rest\n\n```\nx  =  1\n```"
    assert masked(text, ["Moving otters"]) == "Otters move.\n\n- Rest\n\n```\nx  =  1\n```"


def test_no_string_is_found_across_a_blank_line() -> None:
    assert masked("so much moving\n\notters swim", ["moving otters"]) == "so much moving\n\notters swim"


def test_brackets_and_quotes_around_what_is_masked_go_with_it() -> None:
    assert masked('Rest ("moving otters") and "moving otters", call f(moving)', ["moving otters"]) == (
        "Rest and, call f(moving)"
    )


def test_what_holds_none_of_the_strings_stays_as_it_is() -> None:
    text = "Two  blanks ,\n\n\n\nand gaps "
    assert masked(text, ["otters", "", "?!"]) == text


# --- cleaning


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("2014-09-15-Rust-1.0", "Rust-1.0"),
        ("2. Moving `otters`", "Moving otters"),
        ("2.1) Moving otters:", "Moving otters"),
        ("Step 3: Move the otters", "Move the otters"),
        ("Q: Do otters sleep?", "Do otters sleep?"),
        ("So, why do otters sleep?", "why do otters sleep?"),
        ("🦦 Otters &amp; you 🎉!", "Otters & you"),
        ("Moving <em>otters</em> {#moving}", "Moving otters"),
        ("[Moving otters](/otters) ¶", "Moving otters"),
        ("“Moving otters”", "Moving otters"),
        ("**Moving** otters with **options", "Moving otters with **options"),
        ("1.52.0 pre-release testing", "1.52.0 pre-release testing"),
        ("Depends() and Vec<T> in C#", "Depends() and Vec<T> in C#"),
        ("--offline and .env", "--offline and .env"),
        ("¡!", "¡"),
    ],
)
def test_a_query_is_a_title_without_its_trimmings(written: str, query: str) -> None:
    assert cleaned(written) == query


def test_titles_that_differ_in_numbers_and_dates_are_of_one_family() -> None:
    assert family("Otters update - March 2024") == family("Otters update - 3 May, 2025")
    assert family("Announcing Otter 1.2.0") != family("Announcing Otter nets")


# --- sources


def test_a_title_is_asked_of_its_document_and_masked_in_it() -> None:
    mined = mine([document("otters", "1. Moving otters at night")])
    assert mined.items == (
        KnownItem("Moving otters at night", "mined:title", "otters", (), "otters", ("Moving otters at night",)),
    )
    assert mined.sources == {"mined:title": 1}


def test_what_cleaning_took_out_of_the_middle_is_masked_as_written_too() -> None:
    (item,) = mine([document("otters", "Moving <b>wild</b> otters 🦦 at night")]).items
    assert item.strings == ("Moving wild otters at night", "Moving <b>wild</b> otters 🦦 at night")


def test_titles_that_any_document_may_have_are_dropped() -> None:
    titles = ("README", "Release Notes", "Getting started", "User Guide", "Table of contents", "2024-05-06", "")
    documents = [document(name, title) for name, title in zip(SUBJECTS, titles, strict=False)]
    assert asked(mine(documents)) == []


def test_the_name_of_the_site_is_no_part_of_a_title() -> None:
    documents = [document(name, f"Keeping {name} warm | The Warm Pages") for name in SUBJECTS[:5]]
    assert asked(mine(documents)) == sorted((f"Keeping {name} warm", name) for name in SUBJECTS[:5])


def test_of_a_family_of_titles_a_few_are_kept() -> None:
    documents = [document(f"{name}.{number}", f"Announcing Otter 1.{number}") for number, name in enumerate(SUBJECTS)]
    mined = mine(documents)
    assert len(mined.items) == 3
    assert mined.dropped == {"differs from others in numbers or dates only": 7}


def test_a_heading_that_asks_is_a_query_unless_it_points_elsewhere() -> None:
    headings = [heading("Why do otters hold hands?"), heading("How does this work?"), heading("Is it fast?")]
    mined = mine([document("otters", "", *headings)])
    assert asked(mined) == [("Why do otters hold hands?", "otters")]
    assert mined.items[0].source == "mined:question-heading"


def test_a_plain_heading_is_a_query_where_the_document_treats_it() -> None:
    said = Block(BlockKind.PARAGRAPH, "Salmon nets catch salmon. Mending nets, mending salmon nets.")
    mined = mine([document("otters", "", heading("Mending salmon nets"), heading("Drying smoked herring"), said)])
    assert asked(mined) == [("Mending salmon nets", "otters")]
    assert mined.items[0].source == "mined:heading"
    assert why_dropped(mined, "Drying smoked herring") == "touched upon in passing"


def test_the_questions_of_a_faq_are_found_as_headings_and_as_paragraphs() -> None:
    blocks = [
        heading("FAQ"),
        heading("Do otters bite divers?", 3),
        Block(BlockKind.PARAGRAPH, "Q: Do otters sleep afloat? A: Yes."),
        Block(BlockKind.PARAGRAPH, "Do divers feed otters?"),
        Block(BlockKind.PARAGRAPH, "Do divers count? Some say so."),
        heading("Diving season"),
        Block(BlockKind.PARAGRAPH, "Do divers need permits?"),
    ]
    assert {text for text, _ in asked(mine([document("otters", "", *blocks)], per_document=9), "faq")} == {
        "Do otters bite divers?",
        "Do otters sleep afloat?",
        "Do divers feed otters?",
    }


def test_an_anchor_is_asked_of_the_document_that_it_leads_to() -> None:
    said = Block(BlockKind.PARAGRAPH, "On holding hands.")
    target = document("otters", "Otters", heading("Hands while asleep"), said, url="https://example.org/otters/")
    links = [("otters#hands", "the holding of hands"), ("https://example.org/otters#a", "sleeping otter hands")]
    lost = [("nowhere", "lost otter hands"), ("https://example.com/otters", "foreign otter hands")]
    mined = mine([target, document("harbours", "", links=[*links, *lost])])
    assert sorted(asked(mined)) == [("holding of hands", "otters"), ("sleeping otter hands", "otters")]
    assert {item.source for item in mined.items} == {"mined:anchor"}


@pytest.mark.parametrize(
    "anchor",
    [
        *("here", "this post", "read more", "docs", "next", "the announcement", "x"),
        *("https://a.example/otters", "1.47.0", "October 2025", "parliament of owls"),
        *("has been posted", "announced otter hands", "last year's otter hands"),
    ],
)
def test_an_anchor_that_does_not_name_its_target_is_dropped(anchor: str) -> None:
    target = document("otters", "Otters", heading("Hands while asleep"))
    assert asked(mine([target, document("harbours", links=[("otters", anchor)])]), "anchor") == []


def test_an_anchor_that_leads_to_several_documents_is_dropped() -> None:
    targets = [document(name, "", heading("Mooring ropes")) for name in ("otters", "harbours")]
    links = [(target.id, "Mooring ropes by night") for target in targets]
    mined = mine([*targets, document("kites", links=links)])
    assert asked(mined) == []
    assert why_dropped(mined, "Mooring ropes by night") == "asked of several documents"


def test_the_first_sentence_of_a_docstring_is_a_query() -> None:
    signature = Block(BlockKind.CODE, "otters.wake(otter, gently=True, at=None, loudly=False, by_name='')")
    said = Block(BlockKind.PARAGRAPH, "Return True if the otter woke up. See also sleep.")
    other = Block(BlockKind.PARAGRAPH, "See also the otter's sleep.")
    mined = mine([document("otters.wake", "", signature, said, kind="function"), document("kites", "", said)])
    assert asked(mined) == [("Return True if the otter woke up", "otters.wake")]
    assert mined.items[0].source == "mined:docstring"
    assert asked(mine([document("otters.wake", "", signature, other, kind="function")])) == []


# --- the whole collection


def test_a_query_that_several_documents_are_asked_is_dropped_whatever_its_case_and_endings() -> None:
    mined = mine([document("otters", "Feeding otters"), document("kites", "feed the Otter")])
    assert asked(mined) == []
    assert mined.dropped["asked of several documents"] == 2


def test_near_copies_are_one_group_that_is_asked_once() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    copies = [
        Document("b", "Feeding wild otters", (Block(BlockKind.PARAGRAPH, words),)),
        Document("a", "Feeding wild otters", (Block(BlockKind.PARAGRAPH, f"{words} more"),)),
    ]
    (item,) = mine(copies).items
    assert {item.document, *item.duplicates} == {"a", "b"}
    assert item.group == "a"


def test_equal_texts_are_copies_however_short() -> None:
    text = (Block(BlockKind.PARAGRAPH, "One two three four five six seven eight nine ten eleven."),)
    (item,) = mine([Document("b", "Feeding otters", text), Document("a", "Feeding otters", text)]).items
    assert item.group == "a"


def test_a_document_with_hardly_any_text_beside_its_title_is_not_asked() -> None:
    short = Document("otters", "Feeding wild otters", (Block(BlockKind.PARAGRAPH, "Feeding wild otters: daily fish."),))
    mined = mine([short])
    assert mined.items == ()
    assert mined.dropped == {"hardly any text is left of its document once it is masked": 1}


def test_a_name_is_not_asked_of_a_document_that_masking_leaves_without_it() -> None:
    without = document("otters", "", heading("fish_net"))
    assert asked(mine([document("otters", "fish_net")])) == []
    assert asked(mine([document("otters", "fish_net", Block(BlockKind.CODE, "fish_net_size = 3; net = fish"))])) == []
    assert asked(mine([without])) == []


def corpus() -> list[Document]:
    return [
        document(
            name, f"Keeping {name} warm", *(heading(f"{word} do {name} hum?") for word in ("Why", "When", "Where"))
        )
        for name in SUBJECTS
    ]


def test_a_document_gives_as_many_queries_as_wanted() -> None:
    mined = mine(corpus(), per_document=1)
    assert len(mined.items) == len({item.document for item in mined.items}) == len(SUBJECTS)


def test_a_limit_draws_evenly_from_sources_and_documents() -> None:
    mined = mine(corpus(), limit=10)
    assert mined.sources == {"mined:title": 5, "mined:question-heading": 5}
    assert len({item.document for item in mined.items}) == 10


def test_a_limit_above_what_there_is_gives_all() -> None:
    assert set(mine(corpus(), limit=1_000).items) == set(mine(corpus()).items)


def test_the_same_seed_gives_the_same_queries_in_whatever_order_the_documents_come() -> None:
    assert mine(corpus()[::-1], limit=7, seed=4) == mine(corpus(), limit=7, seed=4)
    assert mine(corpus(), limit=7, seed=5) != mine(corpus(), limit=7, seed=4)


def test_no_document_gives_no_query() -> None:
    assert mine([]) == Mined((), {}, mine([]).dropped, {})


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "least"), [("rust-blog", 500), ("fastapi-docs", 250)])
def test_real_writing_gives_hundreds_of_queries(shared_data: Path, folder: str, least: int) -> None:
    (source,) = open_source(str(shared_data / folder), SourceOptions())
    documents: list[Document] = []
    for item in source.items():
        try:
            parts = source.parse(item, source.read(item)) if isinstance(item, Item) else []
        except TandemError:
            continue
        documents += [part for part in parts if isinstance(part, Document)]
    mined = mine(documents)
    assert len(mined.items) >= least
    by_id = {document.id: document for document in documents}
    for query in mined.items[::10]:
        left = masked(by_id[query.document].text, query.strings).casefold()
        assert f" {query.text.casefold()} " not in " ".join(left.split())
