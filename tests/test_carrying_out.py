"""A worker does jobs in processes of their own: what comes of them, how they are stopped, what a kill leaves."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retrieval.catalog.job import Job, JobState, Work
from retrieval.home import Home
from service.jobs import carrying_out, working
from service.jobs.announcing import JobQueue
from service.jobs.carrying_out import Worker
from service.jobs.kinds import work_of
from service.jobs.resuming import Left, left_by_earlier_attempts
from service.jobs.working import Forgetting
from tests.homes import REPOSITORY, Workbench, environment, page, write_pages
from trainer.training.run import TrainingRun

WAITING = Left(["worker"])
"""A command that does nothing until it is stopped."""


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(page("a", "All about bread."))
    yield bench
    bench.close()


def until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def done(home: Home, work: Work) -> Job:
    job = JobQueue(home).submit(work, made_by="me")
    Worker(home, "w").carry_out(job.id)
    return home.catalog.jobs.get(job.id)


def log(home: Home, job: Job) -> str:
    return "\n".join(line.text for line in home.catalog.jobs.lines(job.id))


def test_an_ingest_is_done_and_its_summary_kept(bench: Workbench, tmp_path: Path) -> None:
    folder = write_pages(tmp_path / "docs", {"b.md": "# B\n\nAbout snow.", "c.md": "# C\n\nAbout rain."})
    job = done(bench.home, work_of("ingest", "default", {"sources": [str(folder)], "metadata": {"team": "web"}}))
    assert (job.state, job.error) == (JobState.DONE, "")
    assert isinstance(job.result, dict)
    assert job.result["documents"] == 2
    assert len(bench.ids()) == 3
    assert f"tandem ingest --collection=default --json --meta=team=web -- {folder}" in log(bench.home, job)


def test_one_bad_document_is_told_and_does_not_fail_the_job(bench: Workbench, tmp_path: Path) -> None:
    folder = write_pages(tmp_path / "docs", {"good.md": "# B\n\nAbout snow.", "bad.jsonl": "{not json"})
    job = done(bench.home, work_of("ingest", "default", {"sources": [str(folder)]}))
    assert job.state is JobState.DONE
    assert isinstance(job.result, dict)
    assert job.result["documents"] == 1
    assert job.result["problems"]


def test_a_command_that_fails_says_why(bench: Workbench) -> None:
    job = done(bench.home, work_of("train", "default", {}))
    assert job.state is JobState.FAILED
    assert "has no judged queries" in job.error
    assert not job.error.startswith("tandem:")


def test_a_worker_that_cannot_even_begin_fails_the_job_and_lives(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(home: Home, job: Job) -> Left:
        raise OSError("no space left")

    monkeypatch.setattr(carrying_out, "left_by_earlier_attempts", breaks)
    job = done(bench.home, work_of("audit", "default", {}))
    assert (job.state, job.error) == (JobState.FAILED, "The worker failed: no space left")


def test_a_job_that_is_cancelled_is_stopped_and_keeps_its_place(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying_out, "left_by_earlier_attempts", lambda home, job: WAITING)
    monkeypatch.setattr(carrying_out, "BEAT_S", 0.1)
    jobs = bench.home.catalog.jobs
    job = JobQueue(bench.home).submit(work_of("audit", "default", {}), made_by="me")
    thread = threading.Thread(target=Worker(bench.home, "w").carry_out, args=(job.id,))
    thread.start()
    until(lambda: "Waiting for jobs" in log(bench.home, job))
    jobs.cancel(job.id)
    thread.join(30)
    assert jobs.get(job.id).state is JobState.CANCELLED


def test_a_worker_that_stops_gives_its_job_back(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying_out, "left_by_earlier_attempts", lambda home, job: WAITING)
    monkeypatch.setattr(carrying_out, "BEAT_S", 0.1)
    job = JobQueue(bench.home).submit(work_of("audit", "default", {}), made_by="me")
    worker = Worker(bench.home, "w")
    thread = threading.Thread(target=worker.carry_out, args=(job.id,))
    thread.start()
    until(lambda: "Waiting for jobs" in log(bench.home, job))
    worker.begin_to_stop()
    thread.join(30)
    assert bench.home.catalog.jobs.get(job.id).state is JobState.QUEUED
    worker.carry_out(job.id)
    assert bench.home.catalog.jobs.get(job.id).state is JobState.QUEUED


KILLED = """
import sys
from pathlib import Path
from retrieval.home import Home
from retrieval.settings import Settings
from service.jobs import carrying_out
from service.jobs.resuming import Left, left_by_earlier_attempts

carrying_out.left_by_earlier_attempts = lambda home, job: Left(["worker"])
carrying_out.Worker(Home.open(Settings.from_environment()), "doomed").carry_out(int(sys.argv[1]))
"""


@pytest.mark.slow
def test_the_job_of_a_worker_that_was_killed_is_given_to_another(
    bench: Workbench, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, home = bench.home.catalog.jobs, bench.home
    job = JobQueue(home).submit(work_of("audit", "default", {}), made_by="me")
    doomed = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(job.id)],
        env={**environment(home.settings.home, tiny_model), "PYTHONPATH": str(REPOSITORY)},
    )
    until(lambda: "Waiting for jobs" in log(home, job))
    (child,) = children(doomed.pid)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    until(lambda: not is_alive(child))  # what it started does not go on without it
    assert jobs.get(job.id).state is JobState.RUNNING
    monkeypatch.setattr(working, "SILENT_S", 0)
    announced: list[int] = []
    working.look_after(home, announce=lambda waiting: announced.append(waiting.id))
    assert announced == [job.id]
    assert "The worker doomed went away" in log(home, job)
    Worker(home, "w").carry_out(job.id)
    found = jobs.get(job.id)
    assert (found.state, found.attempt) == (JobState.DONE, 2)


def test_a_job_is_given_up_when_three_workers_went_silent_with_it_and_not_when_they_were_stopped(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, home = bench.home.catalog.jobs, bench.home
    monkeypatch.setattr(working, "SILENT_S", -1)
    job = jobs.submit(work_of("audit", "default", {}), made_by="me")
    for _ in range(5):
        taken = jobs.take_up(job.id, "stopped")
        assert taken is not None
        assert jobs.give_back(taken)
    for state in (JobState.QUEUED, JobState.QUEUED, JobState.INTERRUPTED):
        assert jobs.take_up(job.id, "gone")
        working.look_after(home)
        assert jobs.get(job.id).state is state
    assert "gone went away, as 2 before it" in jobs.get(job.id).error
    assert jobs.queue_again(jobs.get(job.id)).attempt == 8
    assert jobs.take_up(job.id, "gone")
    working.look_after(home)
    assert jobs.get(job.id).state is JobState.QUEUED


@pytest.fixture
def old(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Makes a job that is over, which is old enough to be forgotten; returns how many jobs there are then."""
    monkeypatch.setattr(working, "KEPT_DAYS", -1)
    jobs = bench.home.catalog.jobs

    def make() -> int:
        jobs.cancel(jobs.submit(work_of("audit", "default", {}), made_by="me").id)
        return len(jobs.list())

    return make


def test_old_jobs_are_forgotten_every_hour_and_by_every_burst(bench: Workbench, old: Callable[[], int]) -> None:
    jobs, now_s = bench.home.catalog.jobs, time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: now_s)
        forgetting = Forgetting(bench.home)
        for later_s, left in ((0, 0), (working.FORGET_S - 1, 1), (working.FORGET_S, 0), (working.FORGET_S + 1, 1)):
            old()
            patch.setattr(time, "monotonic", lambda later_s=later_s: now_s + later_s)
            forgetting.go_on()
            assert len(jobs.list()) == left
    assert old() == 2
    assert working.drain(bench.home) == 0
    assert jobs.list() == []


def test_a_worker_that_stays_forgets_old_jobs(
    bench: Workbench, old: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "LOOK_S", 0.05)
    monkeypatch.setattr(working, "FORGET_S", 0.1)
    looked: list[int] = []

    def look(home: Home, **_: object) -> None:
        looked.append(old())
        if len(looked) == 10:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(working, "look_after", look)
    assert working.work(bench.home) == 0
    assert max(looked) <= 5  # or else each look had added one


def children(pid: int) -> list[int]:
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


@pytest.fixture
def second_attempt(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> tuple[Job, list[list[str]]]:
    """A training job at its second attempt, and what words would be run."""
    job = bench.home.catalog.jobs.submit(work_of("train", "default", {"promote": True}), made_by="me")
    for worker in ("a", "b"):
        taken = bench.home.catalog.jobs.take_up(job.id, worker)
        assert taken is not None
        if worker == "a":
            assert bench.home.catalog.jobs.give_back(taken)
    return bench.home.catalog.jobs.get(job.id), []


def test_a_training_that_this_job_began_is_resumed_and_no_other(
    bench: Workbench, second_attempt: tuple[Job, list[list[str]]]
) -> None:
    job, _ = second_attempt
    whole = ["train", "--collection=default", "--json", "--promote", f"--job={job.id}"]
    assert left_by_earlier_attempts(bench.home, job) == Left(whole)
    settings = bench.home.settings
    TrainingRun.begin(settings, "default", {}, job="999")
    assert left_by_earlier_attempts(bench.home, job) == Left(whole)
    TrainingRun.begin(settings, "default", {}, job=str(job.id))
    assert left_by_earlier_attempts(bench.home, job) == Left([*whole, "--resume"])


def test_a_training_that_was_done_before_the_kill_is_not_done_again(
    bench: Workbench, second_attempt: tuple[Job, list[list[str]]]
) -> None:
    job, _ = second_attempt
    run = TrainingRun.begin(bench.home.settings, "default", {}, job=str(job.id))
    run.report.with_suffix(".json").write_text('{"version": "new", "may_be_promoted": false}')
    run.finish()
    left = left_by_earlier_attempts(bench.home, job)
    assert left.words == []
    assert left.result == {"version": "new", "may_be_promoted": False, "report": str(run.report)}
    run.report.with_suffix(".json").write_text('{"version": "new", "may_be_promoted": true}')
    promote = ["models", "promote", "--collection=default", "--json", "--", "new"]
    assert left_by_earlier_attempts(bench.home, job) == Left(promote)
