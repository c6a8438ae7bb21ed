"""Schedules: work asked for when its time has come, exactly once, and not again while it waits or runs."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retrieval.catalog import Catalog
from retrieval.catalog.job import JobState, Work
from retrieval.catalog.schedules import Rhythm, SameSchedule, Schedule
from retrieval.errors import NotFound, UsageError
from retrieval.home import Home
from service.jobs import scheduling, working
from service.jobs.scheduling import add_schedule, submit_due, switch_schedule
from tests.homes import Cli, Workbench, write_pages

AUDIT = Work("audit", "default", {})
HOURLY = Rhythm("0 * * * *")


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


@pytest.fixture
def home(bench: Workbench) -> Home:
    return bench.home


@pytest.fixture
def tandem(
    bench: Workbench, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    return Cli.on(bench.home.settings.home, tiny_model, capture=capsys, patch=monkeypatch)


def added(home: Home, work: Work = AUDIT, rhythm: Rhythm = HOURLY) -> Schedule:
    return add_schedule(home, work, rhythm, made_by="me")


def later(schedule: Schedule, **ahead: float) -> datetime:
    """A moment after the schedule's next time."""
    return datetime.fromisoformat(schedule.next_run_at) + timedelta(**ahead)


def finish(home: Home, job: int) -> None:
    taken = home.catalog.jobs.take_up(job, "w")
    assert taken is not None
    home.catalog.jobs.end(taken, JobState.DONE)


def test_work_is_asked_for_when_its_time_has_come_and_not_before(home: Home) -> None:
    made = added(home)
    assert made.next_run_at > datetime.now(UTC).isoformat(timespec="seconds")
    assert submit_due(home, later(made, seconds=-1)) == []
    (job,) = submit_due(home, later(made))
    found = home.catalog.jobs.get(job)
    assert (found.work, found.state, found.made_by) == (AUDIT, JobState.QUEUED, f"schedule {made.id}")
    after = home.catalog.schedules.get(made.id)
    assert (after.last_run_at, after.last_job) == (made.next_run_at, job)
    assert after.next_run_at == later(made, hours=1).isoformat(timespec="seconds")
    assert submit_due(home, later(made, minutes=59)) == []


def test_missed_times_are_made_up_for_once(home: Home) -> None:
    made = added(home)
    back = later(made, days=3, minutes=20)
    (job,) = submit_due(home, back)
    finish(home, job)
    assert submit_due(home, back + timedelta(seconds=5)) == []
    assert len(submit_due(home, back + timedelta(hours=1))) == 1


def test_of_several_workers_one_asks(home: Home) -> None:
    made = added(home)
    asked: list[int] = []
    together = threading.Barrier(6)

    def look() -> None:
        together.wait()
        asked.extend(submit_due(home, later(made)))

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert [job.id for job in home.catalog.jobs.list()] == asked


def test_one_that_looked_before_another_asked_asks_no_more(home: Home) -> None:
    made = added(home)
    assert home.catalog.schedules.take(made, at="now", next_run_at="9999") is not None
    assert home.catalog.schedules.take(made, at="now", next_run_at="9999") is None


def test_the_same_work_is_not_queued_beside_what_waits_or_runs(home: Home) -> None:
    by_hand = home.catalog.jobs.submit(AUDIT, made_by="me")
    made = added(home)
    assert submit_due(home, later(made)) == [by_hand.id]
    running = home.catalog.jobs.take_up(by_hand.id, "w")
    assert running is not None
    assert submit_due(home, later(made, hours=1)) == [by_hand.id]
    assert len(home.catalog.jobs.list()) == 1
    assert home.catalog.schedules.get(made.id).last_job == by_hand.id
    home.catalog.jobs.end(running, JobState.DONE)
    assert submit_due(home, later(made, hours=2)) == [by_hand.id + 1]  # no number was used up meanwhile


def test_where_the_job_cannot_be_queued_the_schedule_stays_due(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    made, other = added(home), added(home, Work("reindex", "default", {}))
    with monkeypatch.context() as patch:
        patch.setattr("retrieval.catalog.schedules.queued", fails_for_audit)
        (job,) = submit_due(home, later(made))
    assert home.catalog.jobs.get(job).work == other.work
    assert home.catalog.schedules.get(made.id) == made
    assert len(submit_due(home, later(made))) == 1


def fails_for_audit(connection: object, work: Work, *, made_by: str) -> object:
    from retrieval.catalog.jobs import queued

    if work.kind == "audit":
        raise UsageError("the catalog is locked")
    return queued(connection, work, made_by=made_by)  # type: ignore[arg-type]  # passed on as it came


def test_a_schedule_that_rests_asks_for_nothing_and_makes_up_for_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = added(home)
    rests = switch_schedule(home, made.id, is_enabled=False)
    assert (rests.is_enabled, rests.to_json()["next_run_at"]) == (False, None)
    back = later(made, days=2, minutes=1)
    assert submit_due(home, back) == []

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return back

    monkeypatch.setattr(scheduling, "datetime", Clock)
    again = switch_schedule(home, made.id, is_enabled=True)
    assert again.next_run_at == later(made, days=2, hours=1).isoformat(timespec="seconds")
    assert submit_due(home, back) == []


def test_a_schedule_goes_with_its_collection_or_alone(home: Home) -> None:
    made, other = added(home), added(home, rhythm=Rhythm("0 3 * * *"))
    assert home.catalog.schedules.remove(made.id) == made
    assert home.catalog.schedules.list() == [other]
    with pytest.raises(NotFound, match=f"no schedule {made.id}"):
        home.catalog.schedules.remove(made.id)
    home.catalog.collections.delete("default")
    assert home.catalog.schedules.list() == []
    assert submit_due(home, later(other)) == []


def test_what_cannot_be_scheduled_is_refused_when_it_is_asked_for(home: Home) -> None:
    added(home)
    with pytest.raises(SameSchedule, match="Schedule 1 does the same at the same times"):
        added(home, rhythm=Rhythm("0  * * * *"))
    added(home, rhythm=Rhythm("0 * * * *", "Europe/Berlin"))
    with pytest.raises(UsageError, match="no time in the next nine years"):
        added(home, rhythm=Rhythm("0 0 30 2 *"))
    with pytest.raises(NotFound, match="no collection 'new'"):
        added(home, Work("ingest", "new", {"sources": ["/a"]}))


def test_the_schema_knows_schedules_of_other_collections_apart(catalog: Catalog) -> None:
    from retrieval.catalog import CollectionConfig

    for name in ("a", "b"):
        made = catalog.collections.create(name, CollectionConfig())
        catalog.schedules.add(made, Work("audit", name, {}), HOURLY, next_run_at="2026", made_by="me")
    assert [found.work.collection for found in catalog.schedules.list()] == ["a", "b"]
    assert [found.work.collection for found in catalog.schedules.list("b")] == ["b"]


def test_commands_add_list_rest_and_remove(tandem: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pages(tmp_path / "docs", {"b.md": "# B\n\nAbout snow."})
    monkeypatch.chdir(tmp_path)
    made = tandem("schedules", "add", "ingest", "--cron", "0 3 * * *", 'sources=["docs"]', "prune=true", "--json").json
    assert made["parameters"] == {"sources": [str(tmp_path / "docs")], "prune": True}
    assert (made["is_enabled"], made["made_by"], made["last_run_at"]) == (True, "command line", None)
    assert "a worker must run then" in tandem("schedules", "add", "nightly", "--cron", "0 3 * * *", "min_new=5").out
    assert len(tandem("schedules", "list", "--json").json["schedules"]) == 2
    assert tandem("schedules", "disable", "1", "--json").json["next_run_at"] is None
    assert "rests" in tandem("schedules", "list").out
    assert tandem("schedules", "enable", "1", "--json").json["next_run_at"] == made["next_run_at"]
    assert tandem("schedules", "remove", "1").code == 0
    assert tandem("schedules", "list", "--json", "-c", "other").json == {"schedules": []}


REFUSED = [
    (("add", "magic", "--cron", "0 3 * * *"), 2, "no kind of job 'magic'"),
    (("add", "nightly"), 2, "Missing option '--cron'"),
    (("add", "nightly", "--cron", "often"), 2, "has 1 fields"),
    (("add", "nightly", "--cron", "0 3 * * *", "--timezone", "Mars"), 2, "no time zone 'Mars'"),
    (("add", "nightly", "--cron", "0 3 * * *", "min_new=0"), 2, "min_new: input should be greater"),
    (("add", "nightly", "--cron", "0 3 * * *", "-c", "nope"), 1, "no collection 'nope'"),
    (("remove", "7"), 1, "There is no schedule 7"),
    (("enable", "7"), 1, "There is no schedule 7"),
]


def test_what_cannot_be_is_one_clear_line(tandem: Cli) -> None:
    for words, code, said in REFUSED:
        outcome = tandem("schedules", *words)
        assert outcome.code == code, words
        assert said in outcome.err, words


def test_a_worker_does_what_is_due(tandem: Cli, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    made = added(home)
    assert working.drain(home) == 0
    home.catalog.schedules.switch(made.id, is_enabled=True, next_run_at="2026-01-01T00:00:00+00:00")
    assert tandem("worker", "--burst").out.startswith("Jobs done: 1;")
    (job,) = home.catalog.jobs.list()
    assert (job.state, job.work.kind) == (JobState.DONE, "audit")
    assert tandem("worker", "--burst").out.startswith("Jobs done: 0;")
