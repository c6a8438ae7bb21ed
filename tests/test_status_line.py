"""Progress on stderr: records for a program that asked for them, a line now and then in a log."""

import json

import pytest

from retrieval import status_line
from retrieval.status_line import SEPARATOR, StatusLine


def records(err: str) -> list[dict[str, object]]:
    return [json.loads(line.removeprefix(SEPARATOR)) for line in err.split("\n") if line.startswith(SEPARATOR)]


def test_a_program_reads_steps_and_how_far_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(status_line.VARIABLE, status_line.RECORDS)
    monkeypatch.setattr(status_line, "RECORD_EVERY_S", 0)
    line = StatusLine()
    line.step("Embedding")
    line.show("  3 of 4 chunks", share=0.75, left_s=2.0)
    line.close()
    err = capsys.readouterr().err
    assert records(err) == [{"step": "Embedding"}, {"text": "3 of 4 chunks", "share": 0.75, "left_s": 2.0}]
    assert err.split("\n")[0] == "Embedding"


def test_records_come_no_faster_than_anybody_reads(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(status_line.VARIABLE, status_line.RECORDS)
    monkeypatch.setattr(status_line, "RECORD_EVERY_S", 1_000)
    line = StatusLine()
    for number in range(100):
        line.show(str(number))
    assert not records(capsys.readouterr().err)


def test_a_log_has_a_line_now_and_then_and_no_records(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(status_line.VARIABLE, raising=False)
    monkeypatch.setattr(status_line, "EVERY_S", 0)
    line = StatusLine()
    line.step("Embedding")
    line.show("  3 of 4 chunks", share=0.75)
    assert capsys.readouterr().err == "Embedding\n  3 of 4 chunks\n"
