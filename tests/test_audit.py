"""An audit finds what to clean, counts it right and says what to do."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.audit import AuditedDocument, AuditReport, Bin, Finding, Severity, audit
from indexer.audit.languages import language_of
from indexer.audit.reading import prose_lines, words_of
from indexer.audit.shingles import jaccard, linked_groups, shingles_of


def words(start: int, stop: int) -> str:
    return " ".join(f"w{number}" for number in range(start, stop))


def document(name: str, text: str = "", **fields: object) -> AuditedDocument:
    given_fields = {"title": f"Title of {name}", "created": "2024-01-01", **fields}
    return AuditedDocument(id=name, text=text, **given_fields)  # type: ignore[arg-type]  # any field may be given


def found(report: AuditReport, name: str) -> Finding:
    (finding,) = [finding for finding in report.findings if finding.name == name]
    return finding


def names(*documents: AuditedDocument) -> set[str]:
    return {finding.name for finding in audit(documents).findings}


def test_distinct_titled_dated_documents_leave_nothing_to_clean() -> None:
    report = audit([document("a", words(0, 30)), document("b", words(100, 130))])
    assert report.findings == ()
    assert (report.documents, report.words, report.characters) == (2, 60, len(words(0, 30)) + len(words(100, 130)))
    assert report.lines()[-1] == "Nothing to clean."


def test_copies_are_found_whatever_their_letter_case_and_blank_space() -> None:
    report = audit([document("a", "One  two\nthree"), document("b", "one two THREE"), document("c", "other")])
    finding = found(report, "exact-duplicates")
    assert (finding.count, finding.severity) == (1, Severity.HIGH)
    assert [example.ids for example in finding.examples] == [("a", "b")]


def test_empty_documents_are_empty_and_not_copies_of_each_other() -> None:
    assert names(document("a"), document("b", " \n")) == {"empty"}


def test_near_duplicates_are_told_with_their_similarity() -> None:
    # 100 words have 96 runs of five; 95 common words have 91; 91 / (96 + 96 - 91) = 0.901
    one, other = words(0, 100), words(0, 95) + " " + words(200, 205)
    report = audit([document("a", one), document("b", other), document("c", words(300, 400))])
    finding = found(report, "near-duplicates")
    assert finding.count == 1
    assert finding.examples[0].ids == ("a", "b")
    assert finding.examples[0].detail == "2 documents, similarity from 0.90"


def test_documents_under_the_threshold_are_no_near_duplicates() -> None:
    # 85 common words have 81 runs; 81 / (96 + 96 - 81) = 0.730
    assert names(document("a", words(0, 100)), document("b", words(0, 85) + " " + words(200, 215))) == set()


def test_a_copy_counts_once_and_not_as_a_near_duplicate_too() -> None:
    report = audit([document(name, words(0, 100)) for name in "abc"])
    assert [(finding.name, finding.count) for finding in report.findings] == [("exact-duplicates", 2)]


def test_groups_are_what_links_connect() -> None:
    texts = [words(start, start + 200) for start in (0, 15, 30)]  # neighbours 181 / 211, the ends .73
    texts += [words(1000, 1200), words(500, 505)]
    (group,) = linked_groups(texts)
    assert group.members == (0, 1, 2)
    assert group.least == pytest.approx(181 / 211)


def test_a_family_of_many_alike_pages_is_one_group() -> None:
    texts = [f"{words(0, 100)} page{number}" for number in range(200)]
    assert [len(group.members) for group in linked_groups(texts)] == [200]


@given(st.integers(0, 2**32), st.integers(20, 60), st.integers(0, 40))
def test_jaccard_equals_that_of_the_plain_sets_of_runs(seed: int, length: int, changed: int) -> None:
    source = random.Random(seed)
    one = source.choices([f"w{number}" for number in range(30)], k=length)
    other = [*one[: max(0, length - changed)], *source.choices(["x", "y", "z"], k=changed)]
    sets = [{tuple(text[i : i + 5]) for i in range(len(text) - 4)} for text in (one, other)]
    shingles = [shingles_of(" ".join(text)) for text in (one, other)]
    assert shingles[0] is not None
    assert shingles[1] is not None
    assert jaccard(shingles[0], shingles[1]) == pytest.approx(len(sets[0] & sets[1]) / len(sets[0] | sets[1]))


def test_lines_that_many_documents_repeat_are_boilerplate_with_their_share() -> None:
    footer = "Subscribe to our newsletter today"
    texts = [f"{words(100 * number, 100 * number + 30)}\n\n{footer}" for number in range(5)]
    finding = found(audit([document(str(number), text) for number, text in enumerate(texts)]), "boilerplate")
    share = 100 * 5 * len(footer) / sum(map(len, texts))
    assert (finding.count, finding.severity) == (1, Severity.HIGH)
    assert f"1 line repeated across documents, {share:.0f} % of all characters." == finding.summary
    assert finding.examples[0].detail == f'in 5 documents: "{footer}"'
    assert names(*[document(str(number), text) for number, text in enumerate(texts[:4])]) == set()


def test_repeated_code_and_short_lines_are_no_boilerplate() -> None:
    repeated = "## Usage\n\n```python\nfrom package import everything\n```"
    texts = [f"{words(100 * number, 100 * number + 30)}\n\n{repeated}" for number in range(6)]
    assert names(*[document(str(number), text) for number, text in enumerate(texts)]) == set()


def test_a_line_in_under_five_percent_of_many_documents_is_no_boilerplate() -> None:
    texts = [words(100 * number, 100 * number + 30) for number in range(120)]
    texts[:5] = [f"{text}\nA sentence that five documents hold." for text in texts[:5]]
    assert names(*[document(str(number), text) for number, text in enumerate(texts)]) == set()


def test_prose_is_read_without_code_and_an_inner_fence_ends_nothing() -> None:
    text = "Before.\n\n````md\n```\ninner\n```\n````\n\n  After   it. \n```py\nunclosed"
    assert list(prose_lines(text)) == ["Before.", "After it."]


def test_documents_under_twenty_words_are_tiny_and_over_ten_thousand_very_long() -> None:
    report = audit([document("a", words(0, 19)), document("b", words(0, 20)), document("c", words(0, 10_001))])
    assert [example.ids for example in found(report, "tiny").examples] == [("a",)]
    assert [(example.ids, example.detail) for example in found(report, "very-long").examples] == [
        (("c",), "10,001 words")
    ]


def test_a_chinese_character_counts_as_a_word() -> None:
    assert words_of("Hello 世界, it's") == ["hello", "世", "界", "it", "s"]


LANGUAGES = {
    "english": "The index is built from the catalog, and it can be thrown away at any time. What you search is a copy.",
    "german": "Der Index wird aus dem Katalog gebaut und kann jederzeit weggeworfen werden. Das ist eine Kopie.",
    "french": "Cet index est construit à partir du catalogue et il ne contient que des copies. Vous pouvez le jeter.",
    "spanish": "El índice se construye con los datos del catálogo, y por eso se puede borrar sin perder nada.",
    "italian": "Questo indice è fatto con i dati del catalogo e si può buttare via quando non serve più.",
    "portuguese": "O índice é feito com os dados do catálogo e pode ser apagado, porque não é mais que uma cópia.",
    "dutch": "De index wordt gebouwd uit de catalogus en je kunt hem altijd weggooien, want het is een kopie.",
    "swedish": "Det som söks är en kopia av katalogen, och man kan kasta den när som helst för det är en kopia.",
    "polish": "Indeks jest kopią katalogu i dlatego można go usunąć, bo nie ma w nim tego, co nie jest już w katalogu.",
    "russian": "Индекс строится из каталога, и его можно удалить в любой момент: это только копия, и всё цело.",
    "ukrainian": "Індекс будується з каталогу, тому його можна видалити будь-коли: це лише копія, і нічого не зникне.",
    "greek": "Το ευρετήριο είναι αντίγραφο του καταλόγου και μπορεί να διαγραφεί οποιαδήποτε στιγμή χωρίς απώλεια.",
    "japanese": "索引はカタログから作られるので、いつでも消すことができます。これはただの写しです。",
    "chinese": "索引由目录生成，随时可以删除，因为它只是一个副本，不会丢失任何内容。",
    "korean": "색인은 목록에서 만들어지므로 언제든지 지울 수 있습니다. 이것은 사본일 뿐입니다.",
    "arabic": "يتم بناء الفهرس من الدليل ويمكن حذفه في أي وقت لأنه مجرد نسخة ولا يضيع شيء.",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_of_a_text_is_told_by_script_and_common_words(language: str) -> None:
    assert language_of(LANGUAGES[language]) == language


@pytest.mark.parametrize(
    "text", ["", "12 34 56", "def f(a, s, t, d, n): return a", "```\n" + LANGUAGES["german"] + "\n```"]
)
def test_code_and_numbers_have_no_language(text: str) -> None:
    assert language_of(text) == "unknown"


def test_documents_in_another_language_than_most_are_told_by_name() -> None:
    report = audit([document("a", LANGUAGES["english"]), document("b", LANGUAGES["english"] + " More of it."),
                    document("c", LANGUAGES["german"]), document("d", words(0, 30))])  # fmt: skip
    assert dict(report.languages) == {"english": 2, "german": 1, "unknown": 1}
    finding = found(report, "mixed-languages")
    assert [(example.ids, example.detail) for example in finding.examples] == [(("c",), "german")]


def test_a_language_that_is_given_is_not_guessed_and_needs_a_model_that_reads_it() -> None:
    report = audit([document("a", LANGUAGES["english"], language="german")])
    assert dict(report.languages) == {"german": 1}
    assert "multilingual" in found(report, "not-english").advice


def test_a_title_that_is_empty_or_a_file_name_is_missing() -> None:
    untitled = [
        document("blog/a.md", words(0, 30), title=" "),
        document("blog/my-first_post.md", words(100, 130), title="My first post"),
        document("blog/b.md", words(200, 230), title="b"),
    ]
    titled = [
        document("guide/install.md", f"# Install\n\n{words(300, 330)}", title="Install"),
        document("blog/RLS-deprecation.md", words(500, 530), title="RLS Deprecation"),
        document("asyncio.to_thread", words(400, 430), title="asyncio.to_thread"),
    ]
    finding = found(audit([*untitled, *titled]), "missing-titles")
    assert {example.ids[0] for example in finding.examples} == {entry.id for entry in untitled}


def test_titles_that_several_documents_share_are_grouped() -> None:
    titles = {"a": "Intro", "b": "intro ", "c": "Other"}
    report = audit([document(name, f"{name} {words(0, 5)}", title=title) for name, title in titles.items()])
    finding = found(report, "duplicated-titles")
    assert (finding.count, finding.examples[0].ids, finding.examples[0].detail) == (2, ("a", "b"), "Intro")


def test_missing_dates_are_counted_with_their_share() -> None:
    report = audit([document("a", words(0, 30), created=None), document("b", words(100, 130))])
    assert found(report, "missing-dates").summary == "1 document without a date, 50 % of all."


def test_replacement_characters_and_text_decoded_twice_are_counted() -> None:
    broken = document("a", words(0, 30) + " caf\ufffd na\u00c3\u00afve it\u00e2\u20ac\u2122s")
    finding = found(audit([broken, document("b", words(100, 130) + " café Â 5 Ã la")]), "broken-characters")
    assert [(example.ids, example.detail) for example in finding.examples] == [(("a",), "3 places")]


def test_links_to_documents_that_do_not_exist_are_broken() -> None:
    links = ("b.md#part", "gone.md?x=1", "gone.md", "https://example.org/x", "mailto:a@b.c", "#here", "/b/")
    report = audit([document("a", words(0, 30), links=links), document("b.md", words(100, 130), url="/b/")])
    finding = found(report, "broken-links")
    assert (finding.count, finding.summary) == (2, "2 links to 1 document that the collection lacks.")
    assert finding.examples[0].detail == "-> gone.md"


def test_chunk_lengths_are_counted_in_bins_of_twenty_five() -> None:
    report = audit([document("a", words(0, 30), chunk_tokens=(0, 24, 25)), document("b", "x", chunk_tokens=(99,))])
    assert report.chunk_lengths == (Bin(0, 24, 2), Bin(25, 49, 1), Bin(50, 74, 0), Bin(75, 99, 1))
    assert "  25-49 ████████████████████ 1" in report.lines()


def test_findings_come_with_the_most_harmful_first_and_at_most_ten_examples() -> None:
    report = audit([document(f"{number:02}", title="", created=None) for number in range(30)])
    assert [finding.name for finding in report.findings] == ["empty", "missing-titles", "missing-dates"]
    assert [len(finding.examples) for finding in report.findings] == [10, 10, 10]


def test_a_line_of_text_names_three_documents_of_an_example_and_counts_the_others() -> None:
    report = audit([document(name, words(0, 30)) for name in "abcde"])
    assert "  - a, b, c and 2 more: 5 copies" in report.lines()


def test_the_report_is_the_same_json_whatever_the_order_of_the_documents() -> None:
    texts = [words(0, 100), words(0, 97), words(3, 103), words(200, 230), "", LANGUAGES["french"]]
    documents = [document(f"{number}.md", text) for number, text in enumerate(texts)]
    one, other = audit(documents), audit(reversed(documents))
    assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())
    assert found(one, "near-duplicates").count == 2


def test_no_documents_give_an_empty_report() -> None:
    assert audit([]) == AuditReport(0, 0, 0, {}, (), ())


@given(st.lists(st.text(max_size=200), max_size=8))
def test_any_texts_whatever_are_audited(texts: list[str]) -> None:
    report = audit([document(str(number), text, title=text[:9]) for number, text in enumerate(texts)])
    assert report.documents == len(texts)
    assert all(finding.count > 0 and finding.summary and finding.advice for finding in report.findings)


def test_posts_all_in_english_have_no_other_language(shared_data: Path) -> None:
    paths = sorted((shared_data / "til").rglob("*.md"))[:150]
    languages = {language_of(path.read_text(encoding="utf-8")) for path in paths}
    assert languages <= {"english", "unknown"}
