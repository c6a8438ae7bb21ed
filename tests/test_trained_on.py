"""What a model was taught cannot judge it: which documents it was travels with it and what is tuned from it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.model_deletion import delete_model
from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import UsageError
from tests.homes import Workbench
from tests.training_home import NOUNS, PLAN, Tuner, begun, cars_and_dogs, judged_by, trained
from trainer import train as training
from trainer.arms import Arm
from trainer.compare import Declared, compare
from trainer.evaluation_set import EvaluationSet
from trainer.trained_on import digests, taught, unseen
from trainer.training.keeping import known_canary
from trainer.training.preparation import Preparation
from trainer.training.telling import Telling


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    bench = cars_and_dogs(tmp_path, tiny_model, monkeypatch)
    yield bench
    bench.close()


@pytest.fixture(autouse=True)
def tuner(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Tuner:
    tuner = Tuner(bench)
    monkeypatch.setattr(training, "finetune_in_subprocess", tuner)
    return tuner


def test_queries_that_want_what_a_model_was_trained_on_do_not_judge_it(bench: Workbench, tuner: Tuner) -> None:
    found = trained(bench, begun(bench))
    catalog = bench.home.catalog
    taught = [JudgedQuery(f"t-{noun}", f"vehicle {noun}", grades={f"dog-{noun}": 1}) for noun in NOUNS[40:]]
    catalog.judgments.put(bench.collection, "taught", [*taught, *catalog.judgments.get(bench.collection, "default")])
    judged = EvaluationSet.of(catalog.judgments.get(bench.collection, "taught"), "taught")
    assert unseen(judged, catalog, ["tiny"]) == judged
    assert set(unseen(judged, catalog, ["tiny", found.version]).queries) == {f"q-{noun}" for noun in NOUNS[:40]}
    declared = Declared([(Arm("hybrid", "tiny"), Arm("hybrid", found.version))], name="taught")
    report = compare(bench.home, bench.collection, judged, declared)
    assert report.judgments == "taught, held out"
    assert report.comparisons[0].contrast.queries == 40
    with pytest.raises(UsageError, match="All 60 judged queries want documents that a model was trained on"):
        compare(bench.home, bench.collection, judged.only({query.id for query in taught}), declared)


def test_what_a_base_was_taught_is_known_of_the_model_tuned_from_it_when_the_base_is_gone(
    bench: Workbench, tuner: Tuner
) -> None:
    found = trained(bench, begun(bench))
    catalog = bench.home.catalog
    first = taught(catalog, found.version)
    assert len(first) > 8
    assert digests([], first) == "".join(sorted(first))
    assert digests(["more"], first) == "".join(sorted({digests(["more"]), *first}))
    about = Preparation(bench.home, bench.collection, judged_by(bench), replace(PLAN, start=found.version), Telling())
    written = about.assembled(about.split()).split["trained_on"]
    assert all(digest in str(written) for digest in first)


def test_queries_that_want_what_the_base_was_taught_are_left_out_before_anything_is_split(
    bench: Workbench, tuner: Tuner
) -> None:
    found = trained(bench, begun(bench))
    catalog = bench.home.catalog
    known = [JudgedQuery(f"t-{noun}", f"vehicle {noun}", grades={f"dog-{noun}": 1}) for noun in NOUNS[40:]]
    catalog.judgments.put(bench.collection, "taught", known)
    plan = replace(PLAN, base=found.version, start=found.version, judgments="taught")
    with pytest.raises(UsageError, match="All 60 judged queries want documents that a model was trained on"):
        trained(bench, begun(bench, plan))
    assert tuner.asked == [0.25, 0.5, 1.0]  # nothing was tuned for it


def test_what_was_said_of_a_deleted_model_says_nothing_of_another_by_its_name(bench: Workbench, tuner: Tuner) -> None:
    found = trained(bench, begun(bench))
    catalog = bench.home.catalog
    delete_model(bench.home, found.version)
    (verdict,) = catalog.verdicts.about(bench.collection, f"hybrid@{found.version}")
    assert (verdict.key, verdict.verdict, "canary" in verdict.evidence) == ("", "better", False)
    assert known_canary(catalog, bench.collection, verdict.a, verdict.b) is None


def test_more_documents_than_a_model_can_remember_are_refused(
    bench: Workbench, tuner: Tuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.trained_on._MOST", 10)
    with pytest.raises(UsageError, match="only remember 10 that may not judge it"):
        trained(bench, begun(bench))
