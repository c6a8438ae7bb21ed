"""What a training command says on the way, and when it is told to stop."""

import signal
from pathlib import Path

import pytest

from tests.homes import Cli
from trainer import train as training
from trainer.commands.training_progress import ended_by_sigterm, told
from trainer.finetuning import TrainingInterrupted


def test_sigterm_is_taken_as_ctrl_c_and_afterwards_no_longer() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ended_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_embedding_tells_how_long_the_rest_takes_at_the_pace_so_far(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with told() as telling:
        for done, at in ((64, 1010.0), (128, 1020.0), (192, 1030.0), (64, 1040.0), (128, 1050.0)):
            now = at
            telling.embedding(done, 320)
    assert [line.strip() for line in capsys.readouterr().err.splitlines()] == [
        "64 of 320 chunks embedded",
        "128 of 320 chunks embedded, 30 s left",
        "192 of 320 chunks embedded, 20 s left",
        "64 of 320 chunks embedded",  # another model's
        "128 of 320 chunks embedded, 30 s left",
    ]


def test_wherever_a_training_is_interrupted_it_says_how_it_goes_on(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli.on(tmp_path / "home", tiny_model, capture=capsys, patch=monkeypatch)
    (tmp_path / "a.md").write_text("# A page\n\nAbout bread.")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "loaf"}\n')
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta.md\t1\n")
    assert cli("ingest", str(tmp_path)).code == 0
    qrels = ("--qrels", str(tmp_path / "qrels.tsv"))
    assert cli("judgments", "import", "--queries", str(tmp_path / "queries.jsonl"), *qrels).code == 0

    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(training, "train", interrupted)
    outcome = cli("train")
    assert (outcome.code, "Training 1 of 'default' was interrupted; `tandem train --resume`" in outcome.err) == (
        1,
        True,
    )
    assert (tmp_path / "home" / "training" / "default" / "1").is_dir()


def test_a_tuning_that_begins_anew_says_what_it_throws_away(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli.on(tmp_path / "home", tiny_model, capture=capsys, patch=monkeypatch)
    (tmp_path / "out.partial").mkdir()

    def interrupted(*_: object, **__: object) -> None:
        raise TrainingInterrupted("Told to stop.")

    monkeypatch.setattr("trainer.finetuning.finetune_in_subprocess", interrupted)
    begin = ("finetune", str(tmp_path / "set"), str(tmp_path / "out"), "--base", str(tiny_model))
    assert f"--resume would go on with what an earlier run left in {tmp_path / 'out.partial'}" in cli(*begin).err
    assert "anew" not in cli(*begin, "--resume").err
