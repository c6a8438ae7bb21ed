"""The folder of a training: numbered, resumable, never half written, alone."""

from pathlib import Path

import pytest

from retrieval.errors import ModelError, UsageError
from retrieval.settings import Settings
from trainer.nightly.retraining import Begun
from trainer.training import run as training_run
from trainer.training.run import TrainingRun, alone


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_trainings_are_numbered_and_the_newest_unfinished_one_goes_on(settings: Settings) -> None:
    TrainingRun.begin(settings, "posts", {"seed": 1}).finish()
    TrainingRun.begin(settings, "posts", {"seed": 2})
    third = TrainingRun.begin(settings, "posts", {"seed": 3})
    third.give_up()  # it cannot be carried out: what was begun before it is still there
    assert TrainingRun.unfinished(settings, "posts").plan == {"seed": 2}
    third = TrainingRun.begin(settings, "posts", {"seed": 3})
    assert TrainingRun.unfinished(settings, "posts") == third
    (second := TrainingRun.all(settings, "posts")[1]).training_set.mkdir()
    assert TrainingRun.unfinished(settings, "posts") == second  # the third was stopped before it had its pairs
    third.training_set.mkdir()
    assert TrainingRun.unfinished(settings, "posts") == third
    assert third.replace_unfinished() == [2]
    assert [run.plan["seed"] for run in TrainingRun.all(settings, "posts")] == [1, 3]
    assert TrainingRun.unfinished(settings, "posts") == third
    third.finish()
    with pytest.raises(UsageError, match="No training of 'posts' is unfinished"):
        TrainingRun.unfinished(settings, "posts")


def test_decisions_are_kept_and_a_finished_training_has_no_weights_left(settings: Settings) -> None:
    run = TrainingRun.begin(settings, "posts", {})
    run.decide("test", ["q1"])
    run.decide("version", "v1")
    for folder in (run.tuned, run.share(0.25)):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "tandem-training.json").write_text("{}")
    run.finish()
    again = TrainingRun(run.path)
    assert (again.decided("test"), again.decided("version"), again.decided("other")) == (["q1"], "v1", None)
    assert again.is_done
    left = sorted(file.relative_to(run.path).as_posix() for file in run.path.rglob("*.*"))
    assert left == ["run.json", "share-25/tandem-training.json", "tuned/tandem-training.json"]


def test_old_trainings_that_are_done_are_forgotten(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "KEPT", 2)
    for _ in range(4):
        TrainingRun.begin(settings, "posts", {}).finish()
    assert [run.number for run in TrainingRun.all(settings, "posts")] == [3, 4]


def test_killed_while_it_begins_a_training_does_not_stand_in_the_way(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            TrainingRun.begin(settings, "posts", {})
    assert TrainingRun.begin(settings, "posts", {}).number == 1


def test_one_that_is_given_up_is_forgotten(settings: Settings) -> None:
    TrainingRun.begin(settings, "posts", {}).give_up()
    assert TrainingRun.all(settings, "posts") == []


def test_a_state_that_cannot_be_read_says_so(settings: Settings) -> None:
    run = TrainingRun.begin(settings, "posts", {})
    (run.path / "run.json").write_text("{")
    with pytest.raises(ModelError, match=r"run\.json cannot be read"):
        _ = run.plan


def test_a_training_that_cannot_be_read_does_not_stand_in_the_way_of_the_next(settings: Settings) -> None:
    (TrainingRun.begin(settings, "posts", {}).path / "run.json").write_text("{")
    with pytest.raises(ModelError, match="begin again"):
        _ = TrainingRun.unfinished(settings, "posts").plan
    assert Begun.of(settings, "posts") is None
    assert TrainingRun.begin(settings, "posts", {"seed": 1}).plan == {"seed": 1}
    assert len(TrainingRun.all(settings, "posts")) == 1


def test_two_trainings_of_one_collection_do_not_run_at_once(settings: Settings) -> None:
    with (
        alone(settings, "posts"),
        alone(settings, "others"),
        pytest.raises(ModelError, match="A training of 'posts' is under way"),
        alone(settings, "posts"),
    ):
        pass
    with alone(settings, "posts"):
        pass
