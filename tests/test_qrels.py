"""Reading queries and judgments."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import UsageError
from trainer.evaluation_set import EvaluationSet
from trainer.qrels import read_qrels, read_queries

HEADER = "query-id\tcorpus-id\tscore\n"
IDS = st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=8)


def written(folder: Path, content: str | bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_queries_are_read_in_order_and_other_fields_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, '{"_id": "b", "text": "two", "metadata": {}}\n\n{"_id": 7, "text": "one\u2028more"}\n')
    assert list(read_queries(path).items()) == [("b", "two"), ("7", "one\u2028more")]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    queries = written(tmp_path, b'\xef\xbb\xbf{"_id": "1", "text": "a"}\r\n')
    assert read_queries(queries) == {"1": "a"}
    qrels = written(tmp_path, b"\xef\xbb\xbfquery-id\tcorpus-id\tscore\r\n1\td\t1\r\n")
    assert read_qrels(qrels) == {"1": {"d": 1}}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"_id": "2", "text": ', 'line 2 is not JSON .*\'{"_id": "2", "text": \''),
        ("[" * 100_000, r"line 2 is not JSON .*\[\[\["),
        ('["2", "text"]', r"line 2 is not an object with \"_id\" and \"text\" but \['2', 'text'\]"),
        ('{"text": "b"}', 'line 2 has the "_id" None'),
        ('{"_id": "", "text": "b"}', "line 2 has the \"_id\" ''"),
        ('{"_id": true, "text": "b"}', 'line 2 has the "_id" True'),
        ('{"_id": "\\ud800", "text": "b"}', r"line 2 has the \"_id\" '\\ud800'"),
        ('{"_id": "2"}', 'line 2 has the "text" None'),
        ('{"_id": "2", "text": " "}', "line 2 has the \"text\" ' '"),
        ('{"_id": "2", "text": 5}', 'line 2 has the "text" 5'),
        ('{"_id": "1", "text": "b"}', "line 2 has the query id '1' a second time"),
        (json.dumps({"_id": "2", "text": "x" * 10_001}), "line 2 has a query of 10001 characters"),
    ],
)
def test_a_line_that_is_no_query_is_named(tmp_path: Path, line: str, why: str) -> None:
    path = written(tmp_path, '{"_id": "1", "text": "a"}\n' + line + "\n", "queries.jsonl")
    with pytest.raises(UsageError, match=f"queries.jsonl, {why}"):
        read_queries(path)


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 1 is not UTF-8: 'caf\ufffd"):
        read_queries(written(tmp_path, b"caf\xe9\n"))


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UsageError, match="has no query in it"):
        read_queries(path)
    with pytest.raises(UsageError, match="has no judgment in it"):
        read_qrels(path)


def test_a_header_alone_is_no_judgment(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no judgment in it"):
        read_qrels(written(tmp_path, HEADER))


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    for read in (read_queries, read_qrels):
        with pytest.raises(UsageError, match="cannot be read"):
            read(tmp_path / name)


def test_beir_and_trec_say_the_same(tmp_path: Path) -> None:
    expected = {"q1": {"d1": 2, "d2": 0}, "q2": {"d1": 1}}
    beir = written(tmp_path, HEADER + "q1\td1\t2\nq1\td2\t0\nq2\td1\t1\n", "beir")
    trec = written(tmp_path, "q1 0 d1 2\nq1 0 d2 0\nq2 Q0   d1 1\n", "trec")
    tabbed = written(tmp_path, "q1\t0\td1\t2\nq1\t0\td2\t0\nq2\t0\td1\t1\n", "tabbed")
    assert read_qrels(beir) == read_qrels(trec) == read_qrels(tabbed) == expected


def test_the_header_may_be_written_with_spaces(tmp_path: Path) -> None:
    assert read_qrels(written(tmp_path, "query-id corpus-id score\nq d 1\n")) == {"q": {"d": 1}}


def test_an_id_keeps_its_spaces_between_tabs(tmp_path: Path) -> None:
    assert read_qrels(written(tmp_path, HEADER + "q 1\tmy post.md\t1\n")) == {"q 1": {"my post.md": 1}}


def test_a_judgment_said_twice_counts_once(tmp_path: Path) -> None:
    assert read_qrels(written(tmp_path, HEADER + "q\td\t1\nq\td\t1.0\n")) == {"q": {"d": 1}}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HEADER + "q\td\t-1\n", "line 2 has the grade '-1'"),
        (HEADER + "q\td\thigh\n", "line 2 has the grade 'high'"),
        (HEADER + "q\td\t0.5\n", "line 2 has the grade '0.5'"),
        (HEADER + "q\td\tnan\n", "line 2 has the grade 'nan'"),
        (HEADER + "q\td\t1001\n", "line 2 has the grade '1001'; a grade is a whole number from 0 to 1000"),
        (HEADER + "q\td\t" + "9" * 5000 + "\n", "line 2 has the grade '999"),
        (HEADER + "q\td\t\u0661\n", "line 2 has the grade"),
        ("q 0 d -2\n", "line 1 has the grade '-2'"),
        (HEADER + "q\td\t1\nq\td\t2\n", "line 3 grades document 'd' 2 for query 'q', which an earlier line grades 1"),
        (HEADER + "q\td\n", r"line 2 has 2 fields where its header names 3: 'q\\td'"),
        (HEADER + "q\t\t1\n", "line 2 has the document id ''"),
        ("q\td\t1\n", "line 1 has 3 fields: .* begin with the header"),
    ],
)
def test_a_line_that_is_no_judgment_is_named(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"test.tsv, {why}"):
        read_qrels(written(tmp_path, content, "test.tsv"))


@given(qrels=st.dictionaries(IDS, st.dictionaries(IDS, st.integers(0, 1000), min_size=1), min_size=1))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, qrels: dict[str, dict[str, int]]) -> None:
    folder = tmp_path_factory.mktemp("qrels")
    rows = [(query, document, grade) for query, grades in qrels.items() for document, grade in grades.items()]
    beir = HEADER + "".join(f"{query}\t{document}\t{grade}\n" for query, document, grade in rows)
    trec = "".join(f"{query} 0 {document} {grade}\n" for query, document, grade in rows)
    assert read_qrels(written(folder, beir, "beir")) == read_qrels(written(folder, trec, "trec")) == qrels


def read_set(folder: Path, queries: dict[str, str], qrels: str) -> EvaluationSet:
    lines = "".join(json.dumps({"_id": query, "text": text}) + "\n" for query, text in queries.items())
    return EvaluationSet.read(written(folder, lines, "queries.jsonl"), written(folder, HEADER + qrels, "qrels.tsv"))


def test_only_judged_queries_are_asked(tmp_path: Path) -> None:
    judged = read_set(tmp_path, {"a": "one", "b": "two", "c": "three"}, "c\td1\t1\na\td2\t1\n")
    assert list(judged.queries.items()) == [("a", "one"), ("c", "three")]
    assert judged.qrels == {"a": {"d2": 1}, "c": {"d1": 1}}
    assert list(judged.concerns({"d1", "d2"})) == ["1 query is left out, having no judgment yet: 'b'."]


def test_queries_and_judgments_of_different_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"judged in .*qrels.tsv \(such as 'z'\) is in .*queries.jsonl .*'a'"):
        read_set(tmp_path, {"a": "one"}, "z\td1\t1\n")


def test_concerns_count_and_give_examples(tmp_path: Path) -> None:
    qrels = "a\td1\t1\na\tgone1\t1\nb\tgone2\t0\nb\tgone3\t0\nb\tgone4\t0\nx\td1\t1\ny\td1\t1\n"
    unasked, unknown, hopeless = read_set(tmp_path, {"a": "one", "b": "two"}, qrels).concerns({"d1"})
    assert unasked == "2 judged queries are left out, having no text: 'x', 'y'."
    assert unknown.startswith("4 of 5 judged documents are not in the collection")
    assert unknown.endswith("'gone1', 'gone2', 'gone3', ...")
    assert hopeless == "1 query is judged without a relevant document, worth 0 to every arm: 'b'."
