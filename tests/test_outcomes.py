"""What came of a job, in lines: of results as the commands print them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.jobs.outcomes import is_in_vain, lines_of, trouble_of

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


def test_an_audit_tells_its_findings(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Stub\n\nToo short.\n", encoding="utf-8")
    home = ("--home", str(tmp_path / "home"))
    CliRunner().invoke(app, ["collections", "create", "default", *home])
    result = json.loads(CliRunner().invoke(app, ["audit", "--json", *home]).stdout)
    assert lines_of("audit", result) == ["0 documents, 0 words.", "Nothing found that harms search."]
    finding = {"severity": "high", "summary": "Three stubs.", "advice": "Write them."}
    assert lines_of("audit", result | {"findings": [finding]})[1:] == ["[high] Three stubs. Write them."]


def test_what_arms_reached_and_a_verdict_are_told() -> None:
    arm = {"ndcg@10": 0.80195, "mrr@10": 0.5, "recall@10": 1.0, "queries": 7}
    reached = "keyword: nDCG@10 0.8020, MRR@10 0.5000, recall@10 1.0000, 7 queries."
    assert lines_of("evaluate", {"arms": {"keyword": arm}}) == [reached]
    one = {"a": "keyword", "b": "hybrid", "verdict": "better", "reasons": ["By much."]}
    compared = lines_of("compare", {"comparisons": [one], "arms": {"keyword": arm}})
    assert compared == ["hybrid against keyword: better.", "By much.", reached]


def test_trainings_and_nights_tell_their_summaries() -> None:
    summary = {"headline": "Not proven", "worth_it": ["It brought little."], "next": ["Judge more."], "lines": ["A"]}
    assert lines_of("train", {"summary": summary}) == ["Not proven.", "It brought little.", "Judge more."]
    assert lines_of("nightly", {"summary": summary}) == ["Not proven.", "A"]


def test_a_result_of_another_form_is_told_as_it_is() -> None:
    assert lines_of("compare", {"verdict": "better", "d_z": 0.19807210714311757}) == ["verdict: better", "d_z: 0.1981"]
    assert lines_of("embed", {"version": "v", "done": True}) == ["version: v"]
    assert lines_of("ingest", [1]) == lines_of("ingest", None) == []
