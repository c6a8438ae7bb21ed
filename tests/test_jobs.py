"""Jobs in the catalog: what state they are in, who has them, and what no two workers can both do."""

import pytest

from retrieval.catalog import Catalog
from retrieval.catalog.job import Job, JobState, Listed, SameJob, Work
from retrieval.catalog.jobs import Jobs
from retrieval.errors import NotFound, UsageError

WORK = Work("train", "default", {"method": "full", "epochs": 3})


@pytest.fixture
def jobs(catalog: Catalog) -> Jobs:
    return catalog.jobs


def begun(jobs: Jobs, work: Work = WORK, worker: str = "a") -> Job:
    found = jobs.take_up(jobs.submit(work, made_by="me").id, worker)
    assert found is not None
    return found


def test_a_job_waits_until_a_worker_takes_it_up(jobs: Jobs) -> None:
    job = jobs.submit(WORK, made_by="me")
    assert (job.state, job.attempt, job.made_by, job.work) == (JobState.QUEUED, 0, "me", WORK)
    taken = jobs.take_up(job.id, "worker 1")
    assert taken is not None
    assert (taken.state, taken.attempt, taken.worker) == (JobState.RUNNING, 1, "worker 1")
    assert jobs.take_up(job.id, "worker 2") is None


def test_the_same_work_is_not_queued_twice_until_it_is_over(jobs: Jobs) -> None:
    job = begun(jobs)
    with pytest.raises(SameJob, match=f"Job {job.id} does the same already"):
        jobs.submit(Work("train", "default", {"epochs": 3, "method": "full"}), made_by="another")
    jobs.submit(Work("train", "other", WORK.parameters), made_by="me")
    jobs.end(job, JobState.DONE, result={"verdict": "better"})
    assert jobs.submit(WORK, made_by="me").id > job.id


def test_what_came_of_it_is_kept(jobs: Jobs) -> None:
    job = begun(jobs)
    assert jobs.beat(job, {"share": 0.5})
    assert jobs.get(job.id).progress == {"share": 0.5}
    jobs.end(job, JobState.FAILED, error="no pairs")
    found = jobs.get(job.id)
    assert (found.state, found.error, found.result) == (JobState.FAILED, "no pairs", None)
    assert found.ended_at
    assert not jobs.beat(job, {})


def test_a_result_is_read_where_one_job_is_asked_for_and_its_outline_in_lists(jobs: Jobs) -> None:
    job = begun(jobs)
    result = {
        "verdict": "better",
        "summary": {"headline": "Worth it.", "lines": ["a"]},
        "arms": {"keyword": {"ndcg@10": 0.5}},
        "told": "x" * 3_000,
        "changed": list(range(1_000)),
        "queries": {str(number): number for number in range(1_000)},
    }
    jobs.end(job, JobState.DONE, result=result)
    assert jobs.get(job.id).result == result
    for found in (jobs.glance(job.id), *jobs.list()):
        assert found.result is None
        assert found.outline == {
            "verdict": "better",
            "summary": {"headline": "Worth it.", "lines": []},
            "arms": {"keyword": {}},
            "told": "x" * 2_000,
            "changed": [],
            "queries": {str(number): number for number in range(100)},
        }


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_told(jobs: Jobs) -> None:
    waiting = jobs.submit(WORK, made_by="me")
    assert jobs.cancel(waiting.id).state is JobState.CANCELLED
    with pytest.raises(UsageError, match="is cancelled already"):
        jobs.cancel(waiting.id)
    running = begun(jobs)
    assert jobs.cancel(running.id).state is JobState.RUNNING
    assert not jobs.beat(running, {})
    jobs.end(running, JobState.CANCELLED)
    assert jobs.get(running.id).state is JobState.CANCELLED


def test_what_was_cancelled_is_queued_again_as_the_same_job(jobs: Jobs) -> None:
    job = begun(jobs)
    with pytest.raises(UsageError, match="is running"):
        jobs.queue_again(jobs.get(job.id))
    jobs.cancel(job.id)
    jobs.end(job, JobState.CANCELLED)
    again = jobs.queue_again(jobs.get(job.id))
    assert (again.id, again.state, again.is_cancelled) == (job.id, JobState.QUEUED, False)
    taken = jobs.take_up(job.id, "b")
    assert taken is not None
    assert taken.attempt == 2


def test_nothing_is_queued_again_beside_the_same_work(jobs: Jobs) -> None:
    job = begun(jobs)
    jobs.end(job, JobState.CANCELLED)
    another = jobs.submit(WORK, made_by="me")
    with pytest.raises(SameJob, match=f"Job {another.id} does the same"):
        jobs.queue_again(jobs.get(job.id))


def test_a_worker_that_was_given_up_changes_nothing_any_more(jobs: Jobs) -> None:
    first = begun(jobs)
    assert [job.id for job in jobs.silent(-1)] == [first.id]
    assert jobs.silent(60) == []
    assert not jobs.lose(first, seconds=60)
    assert jobs.lose(first, seconds=-1)
    assert not jobs.give_back(first)
    second = jobs.take_up(first.id, "b")
    assert second is not None
    assert not jobs.beat(first, {"share": 1.0})
    jobs.end(first, JobState.DONE)
    assert jobs.get(first.id).state is JobState.RUNNING
    assert jobs.beat(second, {})


def test_lines_are_read_from_where_a_reader_stopped(jobs: Jobs) -> None:
    one, other = begun(jobs), begun(jobs, Work("audit", "default", {}))
    jobs.say(one.id, ["a", "b"])
    jobs.say(other.id, ["elsewhere"])
    jobs.say(one.id, ["c"])
    lines = jobs.lines(one.id)
    assert [line.text for line in lines] == ["a", "b", "c"]
    assert [line.text for line in jobs.lines(one.id, after=lines[1].id)] == ["c"]
    assert [line.text for line in jobs.lines(one.id, limit=2)] == ["a", "b"]


def test_jobs_are_listed_newest_first_and_by_what_they_are(jobs: Jobs) -> None:
    made = [jobs.submit(Work("ingest", name, {}), made_by="me").id for name in ("a", "b", "c")]
    assert [job.id for job in jobs.list()] == made[::-1]
    assert [job.id for job in jobs.list(Listed(collection="b"))] == [made[1]]
    assert [job.id for job in jobs.list(Listed(before=made[2], limit=1))] == [made[1]]
    assert jobs.list(Listed(kind="train")) == []
    jobs.take_up(made[0], "w")
    assert [job.id for job in jobs.list(Listed(states=[JobState.RUNNING]))] == [made[0]]


def test_old_jobs_are_forgotten_with_what_they_said(jobs: Jobs) -> None:
    job = begun(jobs)
    jobs.say(job.id, ["a"])
    jobs.end(job, JobState.DONE)
    waiting = jobs.submit(WORK, made_by="me")
    assert jobs.forget(before="9999") == 1
    assert jobs.lines(job.id) == []
    assert jobs.get(waiting.id).state is JobState.QUEUED
    with pytest.raises(NotFound, match=f"no job {job.id}"):
        jobs.get(job.id)
