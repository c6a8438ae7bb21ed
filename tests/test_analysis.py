import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.analysis import ANALYZER_VERSION, LANGUAGES, Analyzer, pieces, tokens
from retrieval.analysis.folding import fold
from retrieval.analysis.lexicon import lexicon_of
from retrieval.errors import UsageError

ENGLISH = Analyzer()
HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(list("aA1.-_/:@'#+ \n\u0301\u200d\xad\ud800日ก็ﷺß")),
    ),
    max_size=200,
)


def terms(text: str, language: str = "english") -> set[str]:
    return set(Analyzer(language).terms(text))


def strong(text: str) -> list[str]:
    return [identifier.surface for identifier in ENGLISH.identifiers(text) if identifier.strong]


def weak(text: str) -> list[str]:
    return [identifier.surface for identifier in ENGLISH.identifiers(text) if not identifier.strong]


def test_word_forms_meet_in_their_stem() -> None:
    assert terms("indexes") == terms("Indexing") == terms("INDEXED") == {"index"}


def test_terms_are_counted() -> None:
    assert ENGLISH.terms("A search, two searches; 404") == {"a": 1, "search": 2, "two": 1, "404": 1}


def test_stop_words_stay_in_the_index_and_leave_the_query() -> None:
    assert terms("what is the cache") == {"what", "is", "the", "cach"}
    assert ENGLISH.query_terms("What is the cache?") == {"cach": 1.0}


def test_a_query_of_stop_words_alone_still_asks_for_them() -> None:
    assert ENGLISH.query_terms("Who are you?") == {"who": 1.0, "are": 1.0, "you": 1.0}


def test_a_repeated_query_word_counts_twice() -> None:
    assert ENGLISH.query_terms("cache the caches") == {"cach": 2.0}


def test_compatibility_forms_case_and_accents_fold() -> None:
    assert terms("Résumé") == terms("re\u0301sume\u0301") == terms("RESUME")
    assert terms("ＸＳ２３") == terms("xs23")
    assert terms("co\xadoperate") == terms("cooperate")
    assert fold("Łódź Ærøskøbing STRAẞE ﬁ İ") == "lodz aeroskobing strasse fi i"


def test_marks_that_are_vowels_are_kept() -> None:
    assert fold("हिन्दी") == "हिन्दी"
    assert fold("が") == "が"


def test_possessives_and_contractions_are_one_word() -> None:
    assert terms("Claude's") == terms("Claude’s") == {"claud"}
    assert terms("don’t") == {"don't"}
    assert terms("print('x')") == {"print", "x"}


def test_elisions_split() -> None:
    assert terms("l'index qu’elle", "french") == {"l", "index", "qu", "elle"}


def test_stemming_sees_accents_where_a_language_writes_them() -> None:
    assert terms("mangées", "french") == terms("manger", "french")
    assert terms("книги", "russian") == terms("книгами", "russian")


def test_language_none_neither_stems_nor_stops() -> None:
    assert Analyzer("none").query_terms("the running dogs") == {"the": 1.0, "running": 1.0, "dogs": 1.0}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_of_the_list_works(language: str) -> None:
    assert Analyzer(language).terms("one Word")


def test_an_unknown_language_is_refused_with_the_choice() -> None:
    with pytest.raises(UsageError, match=r"'klingon' is unknown; choose one of none, arabic"):
        Analyzer("klingon")


def test_the_version_names_the_stemmer_that_made_the_terms() -> None:
    assert re.fullmatch(r"\d+\+pystemmer-\d+\.\d+.*", ANALYZER_VERSION)


@pytest.mark.parametrize("written", ["XS23", "XS-23", "xs 23", "xs23", "Xs‑23", "xs\xa023"])
@pytest.mark.parametrize("asked", ["XS23", "XS-23", "xs 23", "xs23"])
def test_letters_and_digits_meet_however_they_are_joined(written: str, asked: str) -> None:
    assert "xs23" in terms(written)
    assert "xs23" in ENGLISH.query_terms(asked)


def test_a_word_and_a_number_join_only_as_neighbours() -> None:
    assert "python3.11" in terms("Python 3.11")
    assert terms("in 2019") == {"in", "2019"}
    assert "xs23" not in terms("xs, 23") | terms("xs\n23") | terms("xs  23") | terms("axs-xs 23x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("asyncio.to_thread", {"asyncio.to_thread", "to_thread", "asyncio", "to", "thread"}),
        (
            "pathlib.Path.read_text",
            {"pathlib.path.read_text", "path.read_text", "read_text", "pathlib", "path", "text"},
        ),
        ("HTTPException", {"httpexcept", "http", "except"}),
        ("getElementById", {"getelementbyid", "get", "element", "by", "id"}),
        ("kube-apiserver", {"kubeapiserv", "kube", "apiserv"}),
        ("E0425", {"e0425", "0425"}),
        ("v1.2.3", {"v1.2.3", "1.2.3"}),
        ("2.5.1", {"2.5.1"}),
        ("--no-cache", {"--no-cache", "nocach", "no", "cach"}),
        ("X-Forwarded-For", {"xforwardedfor", "x", "forward", "for"}),
        ("os.environ['HOME']", {"os.environ", "os", "environ", "home"}),
        ("std::vec::Vec", {"std.vec.vec", "vec.vec", "std", "vec"}),
        ("std::io::Error", {"std.io.error", "io.error", "std", "io", "error"}),
        ('@app.get("/items/{item_id}")', {"app.get", "app", "get", "item", "item_id", "id"}),
        ("C++", {"c++", "c"}),
        ("C#", {"c#", "c"}),
        (".NET", {".net", "net"}),
        ("node.js", {"node.js", "node", "js"}),
        ("user_id", {"user_id", "user", "id"}),
        ("__init__", {"__init__", "init"}),
        ("/etc/passwd", {"etc/passwd", "etc", "passwd"}),
        ("TypeError:", {"typeerror", "type", "error"}),
        ("foo()", {"foo"}),
        ("git rebase --onto", {"git", "rebas", "--onto", "onto"}),
        ("CVE-2024-24576", {"cve202424576", "cve", "2024", "24576"}),
        ("404", {"404"}),
        ("utf-8", {"utf8", "utf", "8"}),
        ("i18n", {"i18n"}),
        ("IPv6", {"ipv6", "ip", "v6"}),
        ("APIs", {"api"}),
        ("2024-05-01", {"2024-05-01", "2024", "05", "01"}),
        ("joe@example.com", {"joe@example.com", "joe", "example.com", "exampl", "com"}),
    ],
)
def test_an_identifier_is_found_whole_and_by_its_parts(text: str, expected: set[str]) -> None:
    assert expected <= terms(text)


def test_an_address_is_found_whole_and_by_its_parts() -> None:
    found = terms("see https://docs.example.com/3/os.html#os.walk")
    assert {"docs.example.com/3/os.html", "docs.example.com", "os.html", "os.walk", "walk"} <= found
    assert "https" not in found


def test_no_occurrence_counts_a_term_twice() -> None:
    assert set(ENGLISH.terms("read.read_read").values()) == {1}


def test_plain_words_are_one_term_and_hyphenations_add_one() -> None:
    assert ENGLISH.terms("Reading") == {"read": 1}
    assert ENGLISH.terms("well-known") == {"wellknown": 1, "well": 1, "known": 1}
    assert terms("e-mail") >= terms("email")


def test_abbreviations_are_words() -> None:
    assert terms("U.S.A.") == terms("USA") == {"usa"}
    assert not ENGLISH.identifiers("e.g. the U.S.A., i.e. this one.")


def test_a_query_weighs_a_name_above_its_parts_and_words_above_their_joined_form() -> None:
    assert ENGLISH.query_terms("user_name") == {"user_name": 1.0, "user": 0.5, "name": 0.5}
    assert ENGLISH.query_terms("well-known") == {"wellknown": 0.5, "well": 1.0, "known": 1.0}


def test_stop_words_inside_names_leave_a_query_but_not_the_name() -> None:
    assert ENGLISH.query_terms("to_thread") == {"to_thread": 1.0, "thread": 0.5}
    assert ENGLISH.query_terms("is_a") == {"is_a": 1.0}


STRONG = """XS23 XS-23 E0425 CVE-2024-24576 v1.2.3 2.5.1 http2 i18n user_id __init__ HTTP_404_NOT_FOUND
asyncio.to_thread HTTPException getElementById TypeError --no-cache std::io::Error X-Forwarded-For C++ .NET node.js
me@example.com /etc/passwd"""


@pytest.mark.parametrize("name", STRONG.split())
def test_the_shape_of_an_identifier_tells(name: str) -> None:
    surface = name.lstrip("/")
    assert strong(f"what about {name} then") == [surface]


@pytest.mark.parametrize("name", ["kube-apiserver", "utf-8", "well-known", "docs/guide", "step 2", "-v"])
def test_a_weak_identifier_waits_for_the_corpus(name: str) -> None:
    expected = [] if name == "docs/guide" else [name]
    assert (strong(f"what about {name} then"), weak(f"what about {name} then")) == ([], expected)


@pytest.mark.parametrize(
    "text", ["404", "in 2019", "NASA", "Python", "The end. Next", "APIs", "1st", "24h", "10x", "3.11"]
)
def test_words_numbers_and_quantities_are_no_identifiers(text: str) -> None:
    assert not ENGLISH.identifiers(text)


def test_in_a_composed_word_the_parts_are_the_identifiers() -> None:
    assert (strong("p53-dependent"), weak("p53-dependent")) == (["p53"], ["p53-dependent"])
    assert strong("UCP1/UCP2") == ["UCP1", "UCP2"]
    assert ENGLISH.query_terms("p53-dependent") == {"p53dependent": 0.5, "p53": 1.0, "depend": 1.0}


def test_an_identifier_falls_back_on_the_suffixes_that_are_names_themselves() -> None:
    (identifier,) = ENGLISH.identifiers("pathlib.Path.read_text()")
    assert identifier.terms == ("pathlib.path.read_text", "path.read_text", "read_text")
    assert identifier.term in ENGLISH.terms("use pathlib::Path::read_text here")
    assert "read_text" in ENGLISH.terms("Path.read_text")


def test_unspaced_scripts_are_indexed_by_bigrams() -> None:
    assert {"日本", "本語", "python", "入門"} <= terms("日本語Python入門")
    assert ENGLISH.query_terms("日本語") == {"日本": 1.0, "本語": 1.0}
    assert terms("ﾃﾞｰﾀ") == terms("データ")
    assert "ภา" in terms("ภาษาไทย")


def test_a_query_of_one_character_finds_it_in_a_longer_run() -> None:
    assert ENGLISH.query_terms("水") == {"水": 1.0}
    assert "水" in terms("飲料水")


def test_spans_point_into_the_original_text() -> None:
    text = "Café: asyncio.to_thread, xs 23"
    found = {(text[start:end], term) for start, end, term in ENGLISH.spotter().spots(text)}
    assert found >= {
        ("Café", "cafe"),
        ("asyncio.to_thread", "asyncio.to_thread"),
        ("to_thread", "to_thread"),
        ("thread", "thread"),
        ("xs 23", "xs23"),
    }


@settings(deadline=None)
@given(HOSTILE)
def test_cutting_a_text_at_white_space_first_finds_the_same_stretches(text: str) -> None:
    lexicon = lexicon_of("english")
    by_token = [(at + p.start, at + p.end, p.term) for at, token in tokens.located(text) for p in lexicon.pieces(token)]
    pairs = [(pair.start, pair.end, lexicon.pair_term(pair)) for pair in lexicon.pairs(text)]
    assert sorted(ENGLISH.spotter().spots(text)) == sorted(by_token + pairs)


@settings(deadline=None)
@given(HOSTILE | st.text(st.sampled_from("abS'.,;:!?()[]{}\"#+-/ 1"), max_size=20), st.randoms(use_true_random=False))
def test_a_spotter_of_some_terms_finds_those_of_all_that_it_wants(text: str, chooser: Random) -> None:
    everything = ENGLISH.spotter().spots(text)
    terms = sorted({term for _, _, term in everything})
    wanted = set(chooser.sample(terms, len(terms) // 2 + 1) if terms else [])
    assert sorted(ENGLISH.spotter(wanted).spots(text)) == sorted(spot for spot in everything if spot[2] in wanted)


def test_a_word_that_another_spotter_meets_first_is_found_all_the_same() -> None:
    first, second = ENGLISH.spotter({"walrus"}), ENGLISH.spotter({"other"})
    assert second.spots("Two walruses, asleep.") == []
    assert first.spots("Two walruses, asleep.") == [(4, 12, "walrus")]


def test_spotters_of_several_threads_share_what_they_have_met() -> None:
    texts = [f"cats-{n} and cats cat{n} dog{n % 7}" for n in range(400)]

    def found(part: int) -> int:
        return sum(len(ENGLISH.spotter({"cat"}).spots(text)) for text in texts[part:] + texts[:part])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            counts = list(pool.map(found, [0, 100, 200, 300]))
    finally:
        sys.setswitchinterval(interval)
    assert len(set(counts)) == 1
    assert counts[0] >= 800


def test_words_are_folded_and_not_stemmed() -> None:
    assert ENGLISH.words("Cafés: asyncio.to_thread 42") == [
        "cafes",
        "asyncio.to_thread",
        "to_thread",
        "to",
        "thread",
        "asyncio",
    ]


def test_typed_words_leave_out_what_no_vocabulary_holds() -> None:
    words = ENGLISH.typed("How to index 42 日本 to_thraed")
    assert [(word.text, word.parts) for word in words] == [("index", ()), ("to_thraed", ("to", "thraed"))]
    assert (words[0].start, words[0].end) == (7, 12)


def test_both_patterns_agree_on_every_character_the_simple_one_is_trusted_with() -> None:
    full = regex.compile(f"(?V1){tokens._UNICODE_WORD}")
    simple = re.compile(tokens._SIMPLE_WORD)
    trusted = [chr(code) for code in range(0x10000) if not tokens._NEEDS_FULL.match(chr(code))]
    assert len(trusted) > 1000
    assert [c for c in trusted if bool(full.match(c)) != bool(simple.match(c))] == []


@given(st.text(st.sampled_from("AaBbSsVv019"), max_size=12))
def test_both_engines_cut_ascii_names_at_the_same_humps(name: str) -> None:
    ours = [match.span() for match in pieces._ASCII_HUMP.finditer(name)]
    assert ours == [match.span() for match in regex.finditer(pieces._HUMP, name)]


HOSTILE_UNITS = ["a", "a.b", "aA1_-", "日", "ก็", "ﷺ", "\ud800", "\u0301", "xs 23 ", "https://", "a'", "1."]


@pytest.mark.parametrize("unit", HOSTILE_UNITS, ids=map(ascii, HOSTILE_UNITS))
def test_a_hundred_thousand_hostile_characters_take_well_under_a_second(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    started = time.perf_counter()
    counts = ENGLISH.terms(text)
    assert time.perf_counter() - started < 5  # each takes 0.01 to 0.3 s; quadratic work would take minutes
    assert all(0 < len(term) <= 64 for term in counts)
    assert len(counts) < 50


@settings(deadline=None)
@given(HOSTILE)
def test_any_text_gives_bounded_terms_and_true_offsets(text: str) -> None:
    counts = ENGLISH.terms(text)
    assert all(0 < len(term) <= 64 for term in counts)
    assert sum(counts.values()) <= 8 * len(text) + 1
    spans = ENGLISH.spotter().spots(text)
    assert all(0 <= start < end <= len(text) for start, end, _ in spans)
    assert {term for _, _, term in spans} == set(counts)
    assert set(ENGLISH.query_terms(text)) <= set(counts)
    assert {identifier.term for identifier in ENGLISH.identifiers(text)} <= set(counts)
    assert all(word for word in ENGLISH.words(text))
    ENGLISH.typed(text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["the", "XS-23", "to_thread", "word", "naïve", "C++", "--flag", "日本語"]), min_size=1))
def test_terms_of_words_do_not_depend_on_what_stands_around_them(words: list[str]) -> None:
    separately = sum((ENGLISH.terms(word) for word in words), start=ENGLISH.terms(""))
    assert ENGLISH.terms(" , ".join(words)) == separately


def test_threads_share_an_analyzer() -> None:
    texts = [f"organizations{n} running{n % 7} generally" for n in range(300)]
    expected = [Analyzer().terms(text) for text in texts]
    fresh = Analyzer("spanish")
    spanish = [fresh.terms(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ENGLISH.terms, texts)) == expected
        assert list(pool.map(Analyzer("spanish").terms, texts)) == spanish


def test_names_of_real_documentation_are_found_by_their_last_component(shared_data: Path) -> None:
    pages = (shared_data / "fastapi-docs/docs/en/docs").rglob("*.md")
    text = "\n".join(page.read_text() for page in pages)
    names = set(re.findall(r"(?<![\w.-])(?:[A-Za-z]+\.)+([a-z]+_[a-z_]+)\b", text))
    assert len(names) > 20
    assert names <= terms(text)
