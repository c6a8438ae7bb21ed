"""What came of a job, in lines: of results as the commands print them."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.jobs.outcomes import is_in_vain, lines_of, trouble_of
from tests.homes import environment, tandem, write_pages

INGESTED: dict[str, Any] = {"new": 2, "changed": 0, "unchanged": 0, "gone": 0, "deleted": 0, "documents": 1}
INGESTED |= {"chunks": 3, "embedded": 3, "seconds": 1.5}
FAILED = {"key": "http://127.0.0.1:9/", "reason": "127.0.0.1 is not a public address.", "skipped": False}
SKIPPED = {"key": "a.png", "reason": "not text", "skipped": True}


def test_an_ingest_tells_what_failed_and_what_was_left_out() -> None:
    result = INGESTED | {"problems": [SKIPPED, FAILED]}
    assert lines_of("ingest", result) == [
        "1 documents in (2 new items, 0 changed, 0 unchanged), 0 documents deleted.",
        "3 chunks, 3 embedded.",
        "Failed: http://127.0.0.1:9/: 127.0.0.1 is not a public address.",
        "Skipped: a.png: not text",
    ]
    assert trouble_of(result) == "http://127.0.0.1:9/: 127.0.0.1 is not a public address."
    assert trouble_of(INGESTED | {"problems": [FAILED, FAILED]}).endswith("(and 1 more)")
    assert trouble_of(INGESTED | {"problems": [SKIPPED]}) == trouble_of({}) == trouble_of(None) == ""


def test_many_problems_are_counted() -> None:
    told = lines_of("ingest", INGESTED | {"problems": [FAILED] * 30})
    assert told[-1] == "Failed: 10 more."
    assert len(told) == 23


@pytest.mark.parametrize(
    ("counts", "is_vain"), [({"documents": 0}, True), ({}, False), ({"documents": 0, "unchanged": 3}, False)]
)
def test_an_ingest_that_brought_nothing_in_for_trouble_was_in_vain(counts: dict[str, int], is_vain: bool) -> None:
    assert is_in_vain(INGESTED | {"problems": [FAILED]} | counts) is is_vain
    assert not is_in_vain(INGESTED | {"problems": []} | counts)


@pytest.mark.slow
def test_what_commands_print_is_told(tmp_path: Path, tiny_model: Path) -> None:
    write_pages(tmp_path / "docs", {"dog.md": "# Dogs\n\nA puppy.", "cat.md": "# Cats\n\nA kitten sleeps in the sun."})
    write_pages(
        tmp_path,
        {"queries.jsonl": '{"_id": "q", "text": "puppy"}\n', "qrels.tsv": "query-id\tcorpus-id\tscore\nq\tdog.md\t1\n"},
    )

    def printed(*command: str) -> Any:
        done = tandem(environment(tmp_path / "home", tiny_model), *command, "--json")
        return json.loads(done.stdout)

    assert lines_of("ingest", printed("ingest", str(tmp_path / "docs")))[0].startswith("2 documents in (2 new items")
    printed("judgments", "import", "--queries", str(tmp_path / "queries.jsonl"), "--qrels", str(tmp_path / "qrels.tsv"))
    [kept, *findings] = lines_of("audit", printed("audit"))
    assert kept.startswith("2 documents, ")
    assert findings
    assert all(line.startswith("[") for line in findings)
    assert lines_of("evaluate", printed("evaluate", "--arms", "keyword")) == [
        "keyword: nDCG@10 1.0000, MRR@10 1.0000, recall@10 1.0000, 1 queries."
    ]
    compared = lines_of("compare", printed("compare", "keyword", "reference-bm25"))
    assert compared[0] == "reference-bm25 against keyword: cannot tell yet."
    assert len(compared) > 1


def test_trainings_and_nights_tell_their_summaries() -> None:
    summary = {"headline": "Not proven", "worth_it": ["It brought little."], "next": ["Judge more."], "lines": ["A"]}
    assert lines_of("train", {"summary": summary}) == ["Not proven.", "It brought little.", "Judge more."]
    assert lines_of("nightly", {"summary": summary}) == ["Not proven.", "A"]


def test_a_result_of_another_form_is_told_as_it_is() -> None:
    assert lines_of("compare", {"verdict": "better", "d_z": 0.19807210714311757}) == ["verdict: better", "d_z: 0.1981"]
    assert lines_of("embed", {"version": "v", "done": True}) == ["version: v"]
    assert lines_of("ingest", [1]) == lines_of("ingest", None) == []
