"""Documents that hold an identifier of the query come first, the most about it first of all."""

import pytest

from retrieval.analysis import Analyzer
from retrieval.leads import RARE, RARE_IN_PROSE, Holders, Leads, Naming, tiers, with_holders
from retrieval.stores.base import Candidate

ANALYZER = Analyzer("english")
DEPTH = 300
LONG = "please tell me how the function asyncio.to_thread helps when servers block"


def leads(query: str) -> Leads:
    return Leads.of(ANALYZER, query)


def surfaces(query: str) -> list[str]:
    return [identifier.surface for identifier in leads(query).identifiers]


def holders_of(query: str, documents: int, *, of: int = 1000, chunks_each: int = 1) -> list[Holders]:
    """Who leads when every form of every identifier is held by so many documents out of `of`."""
    asked = leads(query)
    total = documents * chunks_each
    held = [Candidate(key, key // chunks_each, 1.0) for key in range(total)]
    return asked.holders(dict.fromkeys(asked.legs(), held[:DEPTH]), of, depth=DEPTH)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("asyncio.to_thread", ["asyncio.to_thread"]),
        ("what does XS-23 mean", ["XS-23"]),
        ("kube-apiserver", ["kube-apiserver"]),
        ("the kube-apiserver of a cluster does not answer", []),
        ("bake good bread", []),
        ("HTTPException and user_id", ["HTTPException", "user_id"]),
    ],
)
def test_a_strong_identifier_always_counts_and_a_weak_one_only_as_most_of_the_query(
    query: str, expected: list[str]
) -> None:
    assert surfaces(query) == expected


def test_each_form_of_an_identifier_is_looked_for() -> None:
    asked = leads("os.path.to_thread")
    assert len(asked.legs()) == len(asked.identifiers[0].terms[:3]) >= 2


def test_a_query_of_forty_identifiers_asks_for_eight() -> None:
    assert len(leads(" ".join(f"XS{number}" for number in range(40))).identifiers) == 8


def test_in_a_short_query_twenty_documents_lead_and_twenty_one_do_not() -> None:
    assert holders_of("XS23", RARE, of=100)
    assert not holders_of("XS23", RARE + 1, of=100)


def test_in_a_large_collection_one_document_in_a_hundred_may_hold_it() -> None:
    assert holders_of("XS23", 50, of=5000)
    assert not holders_of("XS23", 51, of=5000)


def test_in_a_long_question_an_identifier_leads_only_when_five_documents_hold_it() -> None:
    assert holders_of(LONG, RARE_IN_PROSE, of=100_000)
    assert not holders_of(LONG, RARE_IN_PROSE + 1, of=100_000)


def test_documents_are_counted_and_not_their_passages() -> None:
    assert holders_of("XS23", RARE, of=100, chunks_each=4)


def test_an_identifier_whose_holders_were_cut_off_does_not_lead() -> None:
    assert not holders_of("XS23", DEPTH, of=1_000_000)
    assert holders_of("XS23", DEPTH - 1, of=1_000_000)


def test_the_longest_form_that_the_corpus_holds_is_the_one_that_counts() -> None:
    asked = leads("asyncio.to_thread")
    whole, suffix = asked.legs()
    found = {whole: [Candidate(1, 1, 2.0)], suffix: [Candidate(1, 1, 1.0), Candidate(2, 2, 1.0)]}
    assert [c.document for holders in asked.holders(found, 10, depth=DEPTH) for c in holders.candidates] == [1]
    found[whole] = []
    assert [c.document for holders in asked.holders(found, 10, depth=DEPTH) for c in holders.candidates] == [1, 2]
    assert asked.holders({whole: [], suffix: []}, 10, depth=DEPTH) == []


def test_a_common_whole_name_does_not_fall_back_to_its_suffix() -> None:
    asked = leads("asyncio.to_thread")
    whole, suffix = asked.legs()
    common = [Candidate(key, key, 1.0) for key in range(RARE + 1)]
    assert asked.holders({whole: common, suffix: [Candidate(1, 1, 1.0)]}, 10, depth=DEPTH) == []


def test_a_title_that_is_the_name_beats_one_that_ends_with_it_beats_a_mention() -> None:
    (identifier,) = leads("to_thread").identifiers
    held = Holders(identifier.term, tuple(Candidate(key, key, 1.0) for key in (1, 2, 3, 4)))
    titles = {1: "to_thread", 2: "asyncio.to_thread", 3: "How I use asyncio.to_thread at work", 4: ""}
    assert tiers(ANALYZER, [held], titles) == {
        1: Naming.NAMED,
        2: Naming.NAMED_BY_SUFFIX,
        3: Naming.MENTIONS,
        4: Naming.MENTIONS,
    }


def test_a_document_that_holds_both_identifiers_leads_the_one_that_holds_one() -> None:
    first, second = leads("user_id and HTTPException").identifiers
    held = [
        Holders(first.term, (Candidate(1, 1, 1.0), Candidate(2, 2, 1.0))),
        Holders(second.term, (Candidate(2, 2, 1.0),)),
    ]
    assert tiers(ANALYZER, held, {1: "A", 2: "B"}) == {1: 1, 2: 2}


def test_a_holder_that_the_other_words_crowded_out_comes_back_at_the_end() -> None:
    keyword = [Candidate(1, 1, 9.0), Candidate(2, 2, 5.0)]
    held = [Holders("xs23", (Candidate(7, 3, 1.0), Candidate(1, 1, 1.0), Candidate(4, 2, 1.0)))]
    assert with_holders(keyword, held) == [*keyword, Candidate(4, 2, 5.0), Candidate(7, 3, 5.0)]
    assert with_holders([], held)[0] == Candidate(1, 1, 0.0)
