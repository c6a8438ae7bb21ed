"""A night: sources ingested again, a training where enough is new, a promotion on the verdict, a report of it all.

Fine-tuning is stood in for as in tests/test_train.py; where the verdict does not matter, so is the whole training.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from retrieval.catalog import Collection
from retrieval.catalog.job import Job
from retrieval.catalog.judgments import JudgedQuery
from retrieval.catalog.pairs import Pair
from retrieval.catalog.sources import KeptOptions
from retrieval.errors import ModelError, TandemError, UsageError
from retrieval.home import Home
from service.jobs.kinds import work_of
from service.jobs.resuming import Left, left_by_earlier_attempts
from tests.homes import Cli, Outcome, Workbench, page, write_pages
from tests.training_home import Killed, Tuner, cars_and_dogs
from trainer import train as training
from trainer.finetuning import TrainingInterrupted
from trainer.nightly import retraining
from trainer.nightly.retraining import news_of
from trainer.training.material import material_of
from trainer.training.run import TrainingRun
from trainer.training.telling import Telling

BODY = {
    "version": None,
    "base": "tiny",
    "verdict": "keep the base",
    "may_be_promoted": False,
    "summary": {"headline": "Not worth it"},
    "comparison": None,
}


@dataclass
class Trainings:
    """Stands for trainings; `raises` is what happens in the next one instead, which may give its run up."""

    done: list[int] = field(default_factory=list)
    raises: BaseException | None = None
    gives_up: bool = False
    body: dict[str, Any] = field(default_factory=lambda: dict(BODY))

    def __call__(self, home: Home, collection: Collection, run: TrainingRun, _: Telling) -> SimpleNamespace:
        if self.raises is not None:
            raised, self.raises = self.raises, None
            if self.gives_up:
                run.give_up()
            raise raised
        self.done.append(run.number)
        home.catalog.trainings.keep(collection, "keep the base", material_of(home.catalog, collection))
        run.report.with_suffix(".json").write_text(json.dumps(self.body))
        run.finish()
        return SimpleNamespace(body=self.body)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_pages(tmp_path / "docs", {"a.md": "# A\n\nAbout snow.", "b.md": "# B\n\nAbout rain."})


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path, docs: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


@pytest.fixture
def judged(bench: Workbench) -> None:
    bench.home.catalog.judgments.put(bench.collection, "default", [JudgedQuery("q", "snow", grades={"a.md": 1})])


@pytest.fixture
def trainings(judged: None, monkeypatch: pytest.MonkeyPatch) -> Trainings:
    stub = Trainings()
    monkeypatch.setattr(retraining, "train", stub)
    monkeypatch.setattr(retraining, "training_json", lambda found: found.body)
    return stub


@pytest.fixture
def tandem(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    return Cli.on(tmp_path / "home", tiny_model, capture=capsys, patch=monkeypatch)


def done(outcome: Outcome) -> Any:
    assert outcome.code == 0, outcome.err
    return outcome.json


def night(tandem: Cli, *more: str) -> Outcome:
    return tandem("nightly", "--min-new", "2", "--json", *more)


def test_what_changed_in_the_sources_comes_in_as_it_was_told_the_last_time(
    tandem: Cli, bench: Workbench, docs: Path
) -> None:
    assert tandem("ingest", str(docs), "--id-prefix", "x/", "--meta", "team=web", "--prune").code == 0
    (docs / "a.md").unlink()
    write_pages(docs, {"b.md": "# B\n\nAbout fog.", "c.md": "# C\n\nAbout hail."})
    found = done(night(tandem))
    (source,) = found["sources"]
    counts = {name: source[name] for name in ("new", "changed", "unchanged", "gone", "documents", "deleted", "failed")}
    assert counts == {
        "new": 1, "changed": 1, "unchanged": 0, "gone": 1, "documents": 2, "deleted": 1, "failed": 0,
    }  # fmt: skip
    assert bench.ids() == ["x/b.md", "x/c.md"]
    assert bench.home.catalog.documents.get(bench.collection, "x/c.md").metadata["team"] == "web"
    assert tandem("search", "hail", "--json").json["hits"][0]["document"]["id"] == "x/c.md"


def test_without_judged_queries_it_ingests_and_says_what_is_missing(tandem: Cli, bench: Workbench, docs: Path) -> None:
    tandem("ingest", str(docs))
    write_pages(docs, {"c.md": "# C\n\nAbout hail."})
    found = done(night(tandem))
    assert (found["training"]["state"], found["promoted"]) == ("no judgments", None)
    assert "tandem judgments mine -c default" in found["training"]["why"]
    assert len(bench.ids()) == 3
    assert "tandem judgments import" in tandem("nightly").out


def test_it_trains_where_enough_is_new_and_does_nothing_where_nothing_is(
    tandem: Cli, trainings: Trainings, docs: Path
) -> None:
    tandem("ingest", str(docs))
    first = done(night(tandem))
    assert (first["training"]["state"], first["training"]["verdict"]) == ("trained", "keep the base")
    assert first["news"] == {
        "documents": 2, "pairs": 0, "needed": 2, "since": None, "expected": 0, "is_enough": True,
    }  # fmt: skip
    again = done(night(tandem))
    assert again["summary"]["headline"] == "Nothing is new, so nothing was done"
    assert (again["training"]["state"], again["news"]["documents"]) == ("not needed", 0)
    write_pages(docs, {"c.md": "# C\n\nAbout hail."})
    few = done(night(tandem))
    assert "nothing was trained, as 1 of the 2 that it takes are new" in few["summary"]["headline"]
    assert few["news"]["since"]
    assert trainings.done == [1]
    write_pages(docs, {"a.md": "# A\n\nAbout snow and ice."})
    assert done(night(tandem))["training"]["state"] == "trained"
    assert trainings.done == [1, 2]
    assert tandem("nightly").out.startswith("default: Nothing is new, so nothing was done.\n- ")


def test_a_source_that_fails_does_not_cost_the_others(
    tandem: Cli, trainings: Trainings, bench: Workbench, docs: Path, tmp_path: Path
) -> None:
    gone = write_pages(tmp_path / "gone", {"g.md": "# G\n\nAbout wind."})
    bench.home.catalog.sources.keep(bench.collection, ["pydoc:no_such_package_here"], KeptOptions())
    tandem("ingest", str(gone), str(docs))
    (gone / "g.md").unlink()
    gone.rmdir()
    write_pages(docs, {"c.md": "# C\n\nAbout hail.", "bad.jsonl": "{not json"})
    outcome = night(tandem)
    assert outcome.code == 1
    unlisted, broken, good = outcome.json["sources"]
    assert "no_such_package_here" in unlisted["error"]
    assert "is no file, folder, URL" in broken["error"]
    assert (good["documents"], good["failed"], good["failures"][0].startswith("bad.jsonl")) == (1, 1, True)
    assert bench.ids() == ["a.md", "b.md", "c.md", "g.md"]
    assert trainings.done == [1]
    assert outcome.err.splitlines()[-1].startswith("tandem: pydoc:no_such_package_here: ")
    assert f"; {gone}: " in outcome.err.splitlines()[-1]
    assert "could not be ingested, such as bad.jsonl" in outcome.err.splitlines()[-1]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    tandem: Cli, trainings: Trainings, bench: Workbench, docs: Path
) -> None:
    bench.put(page("old", "About tea."))
    tandem("ingest", str(docs))
    done(night(tandem))
    write_pages(docs, {"c.md": "# C\n\nAbout hail.", "a.md": "# A\n\nAbout fog."})
    found = done(night(tandem, "--dry-run"))
    assert found["unkept"] == ["/pages"]  # documents whose source nobody kept are left alone
    assert (found["dry_run"], found["training"]["state"], found["news"]["expected"]) == (True, "planned", 2)
    assert "1 new and 1 changed items would be ingested, and a training would follow" in found["summary"]["headline"]
    assert bench.ids() == ["a.md", "b.md", "old"]
    assert trainings.done == [1]
    assert done(tandem("nightly", "--dry-run", "--json"))["training"]["state"] == "not needed"


def test_a_training_that_fails_is_told_and_the_next_night_begins_anew(
    tandem: Cli, trainings: Trainings, docs: Path
) -> None:
    tandem("ingest", str(docs))
    trainings.raises = ModelError("no space left")
    failed = night(tandem)
    assert (failed.code, failed.json["training"]["state"]) == (1, "failed")
    assert failed.err.splitlines()[-1] == "tandem: The training failed: no space left"
    trainings.raises, trainings.gives_up = UsageError("too few pairs"), True
    few = night(tandem)
    assert (few.code, few.json["training"]["why"]) == (1, "too few pairs")
    trainings.raises, trainings.gives_up = OSError("a broken disk"), False
    with pytest.raises(OSError, match="a broken disk"):
        night(tandem)
    assert done(night(tandem))["training"]["state"] == "trained"
    assert len(trainings.done) == 1  # the others are forgotten


@pytest.mark.parametrize("stopped", [TrainingInterrupted("stopped"), Killed()], ids=["told to stop", "killed"])
def test_a_training_that_is_stopped_goes_on_the_next_time(
    tandem: Cli, trainings: Trainings, docs: Path, stopped: BaseException, tmp_path: Path
) -> None:
    tandem("ingest", str(docs))
    trainings.raises = stopped
    if isinstance(stopped, TandemError):
        outcome = night(tandem, "--job", "7")
        assert (outcome.code, outcome.out) == (1, "")  # no report: a job that is stopped is not done
    else:
        with pytest.raises(Killed):
            night(tandem, "--job", "7")
    begun = TrainingRun(tmp_path / "home" / "training" / "default" / "1")
    begun.decide("version", "kept")
    write_pages(docs, {"c.md": "# C\n\nAbout hail."})
    same = done(night(tandem, "--job", "7"))
    assert (same["training"]["state"], same["sources"][0]["new"]) == ("trained", 0)  # not looked at again
    assert begun.decided("version") == "kept"
    assert trainings.done == [1]


def test_another_night_goes_on_too_and_ingests_before(
    tandem: Cli, trainings: Trainings, bench: Workbench, docs: Path
) -> None:
    tandem("ingest", str(docs))
    trainings.raises = TrainingInterrupted("stopped")
    night(tandem, "--job", "7")
    write_pages(docs, {"c.md": "# C\n\nAbout hail."})
    assert done(night(tandem, "--dry-run"))["training"]["why"] == "Training 1 goes on, which a night began."
    outcome = night(tandem, "--job", "8")
    assert done(outcome)["sources"][0]["new"] == 1
    assert "Going on with training 1" in outcome.err
    assert trainings.done == [1]
    assert len(bench.ids()) == 3


def test_a_training_that_a_person_stopped_is_not_gone_on_with(
    tandem: Cli, trainings: Trainings, bench: Workbench, docs: Path
) -> None:
    tandem("ingest", str(docs))
    TrainingRun.begin(bench.home.settings, "default", {})
    found = done(tandem("nightly", "--min-new", "3", "--json"))
    assert found["training"]["state"] == "not needed"
    assert not TrainingRun.unfinished(bench.home.settings, "default").is_done


def test_while_another_training_is_under_way_it_says_so(
    tandem: Cli, trainings: Trainings, bench: Workbench, docs: Path
) -> None:
    from trainer.training.run import alone

    tandem("ingest", str(docs))
    with alone(bench.home.settings, "default"):
        outcome = night(tandem)
    assert outcome.code == 1
    assert "A training of 'default' is under way" in outcome.json["training"]["why"]


WRONG = [
    (("--judgments", "nope"), 2, "no judgment set 'nope'"),
    (("--method", "magic"), 2, "--method 'magic' is unknown"),
    (("--min-new", "0"), 2, "--min-new"),
    (("-c", "nope"), 1, "no collection 'nope'"),
    (("--canary", "nope"), 1, "no judgment set 'nope'"),
]


def test_what_is_wrong_with_its_options_is_told_before_anything_is_done(
    tandem: Cli, bench: Workbench, docs: Path
) -> None:
    for words, code, said in WRONG:
        outcome = tandem("nightly", "--json", *words)
        assert (outcome.code, outcome.out) == (code, ""), words
        assert said in outcome.err


def test_what_is_new_are_documents_by_their_content_and_pairs_that_were_brought(bench: Workbench) -> None:
    catalog, collection = bench.home.catalog, bench.collection

    def counted() -> tuple[int, int]:
        news = news_of(catalog, collection, needed=1)
        return news.documents, news.pairs

    bench.put(page("a", "About bread."), page("b", "About tea."))
    brought = Pair("how to bake", "a", 0, "human", 1.0, "a")
    catalog.pairs.add(collection, [brought, Pair("bread", "a", 0, "mined:title", 1.0, "a")])
    assert counted() == (2, 1)
    catalog.trainings.keep(collection, "better", material_of(catalog, collection))
    assert counted() == (0, 0)
    bench.put(page("a", "About bread."), page("b", "About coffee."), page("c", "About cake."))
    catalog.pairs.add(collection, [Pair("cake", "c", 0, "mined:title", 1.0, "c"), Pair("pie", "c", 0, "click", 1, "c")])
    catalog.documents.delete(collection, ["a"], bench.pipeline.analyzer.words)
    assert counted() == (2, 1)


def test_a_nightly_job_tells_its_command_which_job_it_is(bench: Workbench) -> None:
    jobs = bench.home.catalog.jobs
    job = jobs.submit(work_of("nightly", "default", {"min_new": 7, "promote": False}), made_by="me")
    words = ["nightly", "--collection=default", "--json", "--min-new=7", "--no-promote", f"--job={job.id}"]
    for worker in ("a", "b"):
        taken: Job | None = jobs.take_up(job.id, worker)
        assert taken is not None
        assert left_by_earlier_attempts(bench.home, taken) == Left(words)
        jobs.give_back(taken)


@pytest.mark.slow
def test_killed_in_tuning_and_before_its_promotion_it_goes_on_to_a_promoted_model_once(
    tmp_path: Path, tiny_model: Path, tandem: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = cars_and_dogs(tmp_path, tiny_model, monkeypatch)
    tuner = Tuner(bench, dies=True)
    monkeypatch.setattr(training, "finetune_in_subprocess", tuner)
    told = ("nightly", "--method", "adapter", "--pair-sources", "human", "--canary", "general", "--budget", "0")
    with pytest.raises(Killed):
        tandem(*told, "--json")
    tuner.dies = False
    with monkeypatch.context() as patch:
        patch.setattr(retraining, "promoted", dies)
        with pytest.raises(Killed):
            tandem(*told, "--json")
    assert tuner.asked == [1.0, 1.0]
    assert bench.home.catalog.collections.get("default").config.model == "tiny"
    found = done(tandem(*told, "--json"))
    assert tuner.asked == [1.0, 1.0]  # nothing was tuned again
    assert (found["training"]["verdict"], found["training"]["may_be_promoted"]) == ("better", True)
    assert found["promoted"]["after"] == found["training"]["version"]
    assert found["training"]["comparison"]["effect"] > 0
    assert Path(found["report"]).is_file()
    assert bench.home.catalog.collections.get("default").config.model == found["training"]["version"]
    again = done(tandem(*told, "--json"))
    assert (again["training"]["state"], again["news"]["documents"], again["news"]["pairs"]) == ("not needed", 0, 0)
    assert len(TrainingRun.all(bench.home.settings, "default")) == 1
    bench.close()


def dies(*_: object) -> None:
    raise Killed
