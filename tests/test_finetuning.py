"""The parent of a training: what it relays, what it makes of each end, and that it never leaves the child behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.errors import ModelError, TandemError
from tests.homes import REPOSITORY
from trainer.finetuning import TrainingInterrupted, estimate_in_subprocess, finetune_in_subprocess
from trainer.finetuning.progress import INTERRUPTED, Progress, Reporter, Stage, Stopped

PROGRESS = {"stage": "training", "step": 3, "steps": 9, "seconds_left": 41.5, "ndcg": 0.5}
RESULT = {
    "lambda": 0.5,
    "dev": {"0": 0.4, "0.5": 0.45, "1": 0.42},
    "dev_curve": [[0, 0.4], [9, 0.42]],
    "dev_queries": 30,
    "gain_error": 0.01,
    "pairs": 90,
    "seconds": 12.5,
    "pairs_per_s": 7.2,
    "device": "cpu",
    "stopped_early": False,
}

Ending = Callable[[str], None]


@pytest.fixture
def ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ending:
    """Gives the next child this end, in place of a training: lines of a shell script."""

    def give(script: str) -> None:
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))

    return give


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def said(**record: object) -> str:
    """A line of shell that prints this record."""
    return f"echo '{json.dumps(record)}'"


def test_progress_is_relayed_and_the_result_read(ending: Ending, tmp_path: Path) -> None:
    ending("\n".join(["echo a library speaks", "echo 5", said(progress=PROGRESS), said(result=RESULT)]))
    seen: list[Progress] = []
    tuned = finetune_in_subprocess(tmp_path / "set", tmp_path / "base", tmp_path / "out", on_progress=seen.append)
    assert seen == [Progress(Stage.TRAINING, 3, 9, 41.5, 0.5)]
    assert (tuned.folder, tuned.share, tuned.keeps_base) == (tmp_path / "out", 0.5, False)
    assert tuned.gain == pytest.approx(0.05)
    assert tuned.curve == [(0, 0.4), (9, 0.42)]
    assert tuned.provenance == RESULT


def test_the_child_is_given_its_task_and_no_network(ending: Ending, tmp_path: Path) -> None:
    ending(f'echo "$@" > {tmp_path}/asked; echo $HF_HUB_OFFLINE$HF_DATASETS_OFFLINE >> {tmp_path}/asked; false')
    with pytest.raises(ModelError):
        finetune_in_subprocess(Path("/s"), Path("/b"), Path("/o"), share=0.25, resume=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["-P -m trainer.finetune /s /b /o --share 0.25 --resume --end-with-stdin", "11"]


def test_the_childs_error_is_raised_here(ending: Ending, tmp_path: Path) -> None:
    ending(said(error="The set is broken; write it again.") + "\nexit 1")
    with pytest.raises(ModelError, match=r"^The set is broken; write it again\.$"):
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out")


def test_a_child_that_dies_is_reported_with_its_last_words(ending: Ending, tmp_path: Path) -> None:
    ending("echo 'std::bad_alloc' >&2\nexit 134")
    with pytest.raises(ModelError, match=r"^The training failed with exit code 134: std::bad_alloc. With --resume"):
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out")


def test_a_killed_child_may_have_lacked_memory(ending: Ending, tmp_path: Path) -> None:
    ending("kill -9 $$")
    with pytest.raises(ModelError, match=r"was killed, perhaps for lack of memory. With --resume"):
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out")


def test_a_child_without_a_word_has_failed(ending: Ending, tmp_path: Path) -> None:
    ending("exit 0")
    with pytest.raises(ModelError, match="no message"):
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out")


def test_a_child_that_was_told_to_stop_can_be_gone_on_with(ending: Ending, tmp_path: Path) -> None:
    ending(said(progress=PROGRESS) + "\nexit 75")
    with pytest.raises(TrainingInterrupted, match=r"was interrupted while .*at step 3 of 9; .*--resume") as raised:
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out")
    assert isinstance(raised.value, TandemError)


# The shell waits in short sleeps: it handles a signal only once its child has ended.
SAVES = f"""trap 'echo saved > saved; exit 75' TERM
cd "$(dirname "$0")"
{said(progress=PROGRESS)}
for i in $(seq 600); do sleep 0.05; done
"""
SAVES_LATER = f"later() {{ {said(progress={**PROGRESS, 'step': 4})}; }}\n" + SAVES.replace("'echo", "'later; echo")


def test_an_interrupt_here_lets_the_child_save(ending: Ending, tmp_path: Path) -> None:
    ending(SAVES)

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted, match="at step 3 of 9; with --resume"):
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out", on_progress=interrupt)
    assert (tmp_path / "saved").exists()


def test_an_interrupted_training_says_how_far_it_is_once_it_saved(ending: Ending, tmp_path: Path) -> None:
    ending(SAVES_LATER)
    shown: list[int] = []

    def interrupt(progress: Progress) -> None:
        shown.append(progress.step)
        raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted, match="at step 4 of 9"):
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out", on_progress=interrupt)
    assert shown == [3]


def test_an_interrupt_that_comes_too_late_is_still_one(ending: Ending, tmp_path: Path) -> None:
    ending("\n".join(["trap '' TERM", said(progress=PROGRESS), said(result=RESULT)]))

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out", on_progress=interrupt)


def test_who_fails_to_follow_does_not_leave_the_child_behind(ending: Ending, tmp_path: Path) -> None:
    ending(SAVES)

    def fail(_: Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        finetune_in_subprocess(tmp_path, tmp_path, tmp_path / "out", on_progress=fail)
    assert (tmp_path / "saved").exists()


def test_a_training_that_nobody_follows_any_more_is_to_stop() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    reporter = Reporter(stream)
    reporter.progress(Progress(Stage.LOADING, 0, 0))
    reporter.check()
    os.close(reading)
    reporter.progress(Progress(Stage.LOADING, 0, 0))
    with pytest.raises(Stopped):
        reporter.check()
    with pytest.raises(BrokenPipeError):
        stream.close()


ORPHAN = """
import sys, time
import trainer.finetune as child
from trainer.finetuning import progress

def finetune(task, reporter):
    reporter.progress(progress.Progress(progress.Stage.TRAINING, 1, 2))
    while sys.argv[1] != "stuck":
        time.sleep(0.01)
        try:
            reporter.check()
        except progress.Stopped:
            print("saved", flush=True)
            raise
    time.sleep(60)

child.finetune = finetune
progress.GRACE_S = float(sys.argv[2])
sys.exit(child.main(["set", "base", "out", "--end-with-stdin"]))
"""


@pytest.mark.parametrize(
    ("how", "grace_s", "is_told_before", "last"),
    [("saves", "60", False, "saved\n"), ("stuck", "0.2", False, ""), ("stuck", "60", True, "")],
)
def test_a_training_ends_with_whoever_started_it(how: str, grace_s: str, is_told_before: bool, last: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, how, grace_s],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert "progress" in child.stdout.readline()
        if is_told_before:
            child.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        child.stdin.close()
        assert child.wait(30) == INTERRUPTED
        assert child.stdout.read() == last


KILLED = """
import sys
from pathlib import Path
from trainer.finetuning import finetune_in_subprocess

folder = Path(sys.argv[1])
sys.executable = str(folder / "python")
finetune_in_subprocess(folder, folder, folder / "out", on_progress=lambda _: (folder / "begun").touch())
"""


def test_the_child_of_a_command_that_was_killed_learns_of_it(ending: Ending, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    ending(said(progress=PROGRESS) + f"\ncat > {tmp_path}/read\ntouch {tmp_path}/ended")
    with subprocess.Popen(command, cwd=REPOSITORY) as parent:
        until(lambda: (tmp_path / "begun").exists())
        assert not (tmp_path / "ended").exists()
        parent.kill()
    until(lambda: (tmp_path / "ended").exists())


def test_an_estimate_is_read(ending: Ending, tmp_path: Path) -> None:
    found = {"seconds": 640.0, "steps": 87, "pairs": 919, "pairs_per_s": 3.5}
    ending(f'echo "$@" > {tmp_path}/asked\n' + said(estimate=found))
    estimate = estimate_in_subprocess(tmp_path / "set", tmp_path / "base", share=0.5)
    assert (estimate.seconds, estimate.steps, estimate.pairs, estimate.details) == (640.0, 87, 919, found)
    assert (tmp_path / "asked").read_text().endswith("--share 0.5 --estimate --end-with-stdin\n")
