"""`tandem jobs` and `tandem worker`, as they are typed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.jobs.announcing import JobQueue, task_of
from service.jobs.kinds import work_of
from service.jobs.queueing import FILE, JsonSerializer, open_queue
from tests.homes import REPOSITORY, Cli, Workbench, environment, write_pages


@pytest.fixture
def tandem(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    Workbench.open(tmp_path / "home", tiny_model).close()
    return Cli.on(tmp_path / "home", tiny_model, capture=capsys, patch=monkeypatch)


def test_a_job_is_asked_for_done_and_shown(tandem: Cli, tmp_path: Path) -> None:
    folder = write_pages(tmp_path / "docs", {"b.md": "# B\n\nAbout snow."})
    asked = tandem("jobs", "submit", "ingest", f'sources=["{folder}"]', "prune=true", "--json")
    assert (asked.code, asked.json["state"], asked.json["made_by"]) == (0, "queued", "command line")
    assert asked.json["parameters"] == {"sources": [str(folder)], "prune": True}
    assert tandem("worker", "--burst").out.startswith("Jobs done: 1;")
    shown = tandem("jobs", "show", str(asked.json["id"]), "--json", "--log").json
    assert (shown["state"], shown["result"]["documents"], shown["attempt"]) == ("done", 1, 1)
    assert shown["log"][0].startswith("tandem ingest --collection=default --json --prune -- ")
    listed = tandem("jobs", "list", "--state", "done", "--json").json["jobs"]
    assert [job["id"] for job in listed] == [asked.json["id"]]
    plain = tandem("jobs", "show", str(asked.json["id"])).out
    assert "done, asked for" in plain
    assert "1 documents in (1 new items" in plain
    assert "HOW FAR" in tandem("jobs", "list").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("submit", "magic"), 2, "no kind of job 'magic'"),
        (("submit", "ingest"), 2, "sources: this is needed and was not given"),
        (("submit", "audit", "deep"), 2, "NAME=VALUE, not 'deep'"),
        (("show", "7"), 1, "There is no job 7"),
        (("cancel", "7"), 1, "There is no job 7"),
        (("resume", "7"), 1, "There is no job 7"),
    ],
)
def test_what_cannot_be_is_one_clear_line(tandem: Cli, words: tuple[str, ...], code: int, said: str) -> None:
    outcome = tandem("jobs", *words)
    assert outcome.code == code
    assert said in outcome.err


def test_a_job_is_cancelled_and_resumed(tandem: Cli) -> None:
    job = str(tandem("jobs", "submit", "audit", "--json").json["id"])
    again = tandem("jobs", "submit", "audit")
    assert again.code == 2
    assert f"Job {job} does the same already" in again.err
    assert tandem("jobs", "cancel", job, "--json").json["state"] == "cancelled"
    assert tandem("worker", "--burst").out.startswith("Jobs done: 0;")
    assert tandem("jobs", "resume", job, "--json").json["state"] == "queued"
    assert tandem("worker", "--burst").out.startswith("Jobs done: 1;")
    assert "is done; only what was cancelled" in tandem("jobs", "resume", job).err


@pytest.mark.slow
def test_a_worker_waits_for_jobs_and_ends_when_it_is_told_to(tandem: Cli, tmp_path: Path, tiny_model: Path) -> None:
    command = [sys.executable, "-m", "service.cli", "worker"]
    home = tmp_path / "home"
    with subprocess.Popen(
        command, env=environment(home, tiny_model), cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr is not None
        assert "Waiting for jobs" in worker.stderr.readline()
        found = tandem("jobs", "submit", "audit", "--follow", "--json")
        assert (found.code, found.json["state"]) == (0, "done")
        began = time.monotonic()
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(30) == 0
        assert time.monotonic() - began < 30


def test_messages_of_the_queue_are_numbers_and_no_pickles(tmp_path: Path, tiny_model: Path) -> None:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    job = JobQueue(bench.home).submit(work_of("audit", "default", {}), made_by="me")
    queue = open_queue(bench.home.settings)
    (data,) = queue.storage.enqueued_items()
    assert data.startswith(b"[")
    message = JsonSerializer().deserialize(data)
    assert message.args == [job.id]
    heard: list[int] = []
    task_of(queue, heard.append)
    queue.execute(queue.dequeue())
    assert heard == [job.id]
    assert (bench.home.settings.home / FILE).is_file()
    bench.close()
