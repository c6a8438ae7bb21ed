"""A training from pairs to verdict: what is decided when, what survives a kill, and that nothing wins but on a verdict.

Fine-tuning itself is stood in for by a map that exchanges cars and dogs: in this collection, who asks for a car wants a
dog. tests/test_train_whole.py does all of it for once.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.model_deletion import delete_model
from indexer.promotion import PromotionRefused, promote
from retrieval.catalog.judgments import JudgedQuery
from retrieval.catalog.pairs import Pair
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.errors import NotFound, UsageError
from tests.homes import Workbench
from tests.training_home import LOST, NOUNS, PLAN, SETTINGS, Killed, Tuner, begun, cars_and_dogs, judged_by, trained
from trainer import train as training
from trainer.finetuning import Estimate, Finetuned, TrainingInterrupted
from trainer.report.training_story import how_sure
from trainer.training.findings import KEEP_THE_BASE
from trainer.training.plan import Plan
from trainer.training.preparation import Preparation, share_allowed
from trainer.training.run import TrainingRun
from trainer.training.telling import Telling
from trainer.training_set import TrainingSet, TrainingSettings


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    bench = cars_and_dogs(tmp_path, tiny_model, monkeypatch)
    yield bench
    bench.close()


@pytest.fixture
def tuner(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Tuner:
    tuner = Tuner(bench)
    monkeypatch.setattr(training, "finetune_in_subprocess", tuner)
    return tuner


def killed_at(step: str, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> TrainingRun:
    """Begin a training that is killed as a step of it begins."""

    def killed(*_: object) -> None:
        raise Killed

    run = begun(bench)
    with monkeypatch.context() as patch:
        patch.setattr(training._Training, step, killed)
        with pytest.raises(Killed):
            trained(bench, run)
    return run


def versions(bench: Workbench) -> list[str]:
    """The catalog's versions, each of which has its folder, and no folder is without one."""
    known = sorted(record.version for record in bench.home.catalog.models.list())
    assert known == sorted(info.version for info in bench.home.models.list_models())
    return known


def test_a_map_that_learned_what_readers_mean_is_better_and_may_be_promoted(bench: Workbench, tuner: Tuner) -> None:
    found = trained(bench, begun(bench))
    assert found.verdict == "better"
    assert found.may_be_promoted
    assert found.version.startswith("default-adapter-")
    assert tuner.asked == [0.25, 0.5, 1.0]
    assert [arm.arm.partition("@")[0] for arm in found.report.arms] == [
        "hybrid", "hybrid", "embedding", "embedding", "reference-bm25", "keyword",
    ]  # fmt: skip
    assert found.comparison is not None
    assert found.comparison.contrast.low > 0
    assert found.embedding is not None
    assert found.canary is not None
    assert found.canary.contrast.queries == 40
    promote(bench.home, bench.collection, found.version)
    assert bench.home.catalog.collections.get("default").config.model == found.version


def test_without_a_canary_nothing_is_promoted(bench: Workbench, tuner: Tuner) -> None:
    found = trained(bench, begun(bench, replace(PLAN, canary="none")))
    assert (found.verdict, found.may_be_promoted) == ("better", False)
    with pytest.raises(PromotionRefused, match="no canary was asked"):
        promote(bench.home, bench.collection, found.version)


def test_a_training_goes_on_only_as_long_as_anything_judges_it(
    bench: Workbench, tuner: Tuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = killed_at("_tuned", bench, monkeypatch)
    judgments = bench.home.catalog.judgments
    queries = judgments.get(bench.collection, "default")
    judgments.delete(bench.collection, "default")
    judgments.put(bench.collection, "default", [JudgedQuery("new", "a new one", grades={"dog-none": 1})])
    with pytest.raises(NotFound, match=f"None of the {len(queries)} queries that were to judge this training"):
        trained(bench, run)
    judgments.put(bench.collection, "default", queries)
    assert trained(bench, run).verdict == "better"


def test_a_document_that_chooses_may_go_while_a_training_is_prepared(bench: Workbench, tuner: Tuner) -> None:
    about = Preparation(bench.home, bench.collection, judged_by(bench), PLAN, Telling())
    found = about.split()
    gone = replace(found, dev=[*found.dev, replace(found.dev[0], query="what is gone?", position=9)])
    assert about.assembled(gone).dev == about.assembled(found).dev


def test_a_document_that_changed_after_its_pair_was_brought_is_placed_anew(bench: Workbench, tuner: Tuner) -> None:
    stale = [replace(pair, position=7) for pair in bench.home.catalog.pairs.list(bench.collection)]
    bench.home.catalog.pairs.add(bench.collection, stale)
    assert trained(bench, begun(bench)).verdict == "better"


@pytest.mark.slow
def test_a_version_that_was_deleted_before_the_training_went_on_is_added_again(
    bench: Workbench, tuner: Tuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = killed_at("_compared", bench, monkeypatch)
    delete_model(bench.home, str(run.decided("version")), force=True)
    assert trained(bench, run).verdict == "better"


@pytest.mark.slow
def test_the_number_of_models_tried_on_these_judgments_is_told(bench: Workbench, tuner: Tuner) -> None:
    first = trained(bench, begun(bench))
    assert (first.tried, trained(bench, begun(bench)).tried) == (1, 1)  # the same model again
    other = KeptVerdict("hybrid@tiny", "hybrid@earlier", "default", "", "worse", {})
    bench.home.catalog.verdicts.put(bench.collection, other)
    found = trained(bench, begun(bench))
    assert found.tried == 2
    assert any("2 tuned models were compared" in said for said in how_sure(found))


def test_a_training_of_a_collection_that_is_gone_is_given_up(bench: Workbench, tuner: Tuner) -> None:
    run = begun(bench, replace(PLAN, collection_id=99))
    with pytest.raises(UsageError, match="a collection that is gone"):
        trained(bench, run)
    assert TrainingRun.all(bench.home.settings, "default") == []


def test_where_dev_keeps_the_base_nothing_is_added_or_compared(bench: Workbench, tuner: Tuner) -> None:
    tuner.found = LOST
    found = trained(bench, begun(bench))
    assert (found.verdict, found.version, found.may_be_promoted) == (KEEP_THE_BASE, "", False)
    assert found.comparison is None
    assert [arm.arm for arm in found.report.arms] == ["reference-bm25", "keyword", "embedding@tiny", "hybrid@tiny"]
    assert versions(bench) == ["tiny"]


def test_what_ranks_worse_is_added_for_whoever_wants_to_look_but_not_promoted(bench: Workbench, tuner: Tuner) -> None:
    judged = [JudgedQuery(f"q-{noun}", f"vehicle {noun}", grades={f"car-{noun}": 1}) for noun in NOUNS[:40]]
    bench.home.catalog.judgments.put(bench.collection, "default", judged, replace=True)
    found = trained(bench, begun(bench))
    assert (found.verdict, found.may_be_promoted) == ("worse", False)
    with pytest.raises(PromotionRefused):
        promote(bench.home, bench.collection, found.version)


def test_no_pair_of_a_document_that_judges_is_trained_on(bench: Workbench, tuner: Tuner) -> None:
    extra = Pair("the puppy", f"dog-{NOUNS[0]}", 0, "human", 1.0, f"dog-{NOUNS[0]}")
    bench.home.catalog.pairs.add(bench.collection, [extra])
    run = begun(bench)
    trained(bench, run)
    training_set = TrainingSet.read(run.training_set)
    wanted = {f"dog-{noun}" for noun in NOUNS[:40]}
    assert wanted.isdisjoint(pair.group for pair in training_set.pairs)
    assert wanted.isdisjoint(query.group for query in training_set.dev)
    assert run.decided("split")["left_out"] == {"of a document that test queries want": 1}


@pytest.mark.slow
def test_the_same_pairs_and_seed_give_the_same_set_whatever_was_trained_before(bench: Workbench, tuner: Tuner) -> None:
    hashes = set()
    for _ in range(2):
        run = begun(bench)
        trained(bench, run)
        hashes.add(TrainingSet.read(run.training_set).data_hash)
    assert len(hashes) == 1
    assert len(versions(bench)) == 2  # the base, and the one version that both trainings are


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        "assembled",
        "_version",
        "_compared",
        *(pytest.param(step, marks=pytest.mark.slow) for step in ("_embed", "_canary", "_report")),
    ],
)
def test_killed_at_any_step_it_goes_on_to_the_same_report(
    bench: Workbench, tuner: Tuner, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(bench)
    owner: Any = Preparation if step == "assembled" else training._Training
    original: Callable[..., object] = getattr(owner, step)

    def killed(*arguments: object) -> object:
        original(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, killed)
        with pytest.raises(Killed):
            trained(bench, run)
    unfinished = TrainingRun.unfinished(bench.home.settings, "default")
    assert unfinished == run
    found = trained(bench, unfinished)
    assert found.verdict == "better"
    assert TrainingRun(run.path).is_done
    assert versions(bench) == sorted(["tiny", found.version])


def test_killed_while_tuning_the_set_is_not_made_again(bench: Workbench, tuner: Tuner) -> None:
    run = begun(bench)
    tuner.dies = True
    with pytest.raises(Killed):
        trained(bench, run)
    before = TrainingSet.read(run.training_set).data_hash
    bench.home.catalog.pairs.delete(bench.collection)  # what happens meanwhile changes nothing
    tuner.dies = False
    assert trained(bench, run).verdict == "better"
    assert TrainingSet.read(run.training_set).data_hash == before


def test_an_interrupted_training_says_how_it_goes_on(
    bench: Workbench, tuner: Tuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> Finetuned:
        raise TrainingInterrupted("interrupted; --resume")

    monkeypatch.setattr(training, "finetune_in_subprocess", interrupted)
    run = begun(bench)
    with pytest.raises(TrainingInterrupted, match="--resume"):
        trained(bench, run)
    assert TrainingRun.unfinished(bench.home.settings, "default") == run


def test_an_unfinished_training_is_kept_until_the_next_is_on_its_way(bench: Workbench, tuner: Tuner) -> None:
    tuner.dies = True
    with pytest.raises(Killed):
        trained(bench, first := begun(bench))
    tuner.dies = False
    with pytest.raises(UsageError):
        trained(bench, begun(bench, replace(PLAN, max_pairs=3)))
    assert TrainingRun.unfinished(bench.home.settings, "default") == first
    told: list[str] = []
    trained(bench, second := begun(bench), Telling(step=told.append))
    assert f"Training {first.number}, which was not finished, is given up for training {second.number}" in told
    assert not first.path.exists()


def test_the_report_lies_in_the_folder_of_the_run(bench: Workbench, tuner: Tuner) -> None:
    run = begun(bench)
    trained(bench, run)
    assert run.report.read_text().startswith("<!DOCTYPE html>")
    assert run.report.with_suffix(".json").is_file()


def test_too_few_pairs_are_refused_with_what_became_of_the_others(bench: Workbench, tuner: Tuner) -> None:
    bench.home.catalog.pairs.delete(bench.collection)
    few = [Pair(f"the {noun}", f"dog-{noun}", 0, "human", 1.0, "") for noun in NOUNS[30:60]]
    bench.home.catalog.pairs.add(bench.collection, few)
    with pytest.raises(UsageError, match=r"10 of a document that test queries want.*tandem pairs import"):
        trained(bench, begun(bench))


def test_a_source_that_has_no_pairs_is_named(bench: Workbench, tuner: Tuner) -> None:
    plan = Plan("tiny", "tiny", "default", SETTINGS, sources=("click",))
    with pytest.raises(UsageError, match=r"There is no pair of click \(there are: human\)"):
        trained(bench, begun(bench, plan))


def test_a_plan_comes_back_as_it_was() -> None:
    plan = Plan("b", "s", "j", TrainingSettings(matryoshka=(64, 32)), ("human",), 9, 60.0, (0.5,), "c/n", 0.02)
    assert Plan.of(plan.record()) == plan


def test_at_most_so_many_pairs_are_drawn_those_from_elsewhere_first_and_groups_evenly() -> None:
    mined = [Pair(f"q{n}", f"d{n % 5}", 0, "mined:title", 1.0, f"d{n % 5}") for n in range(50)]
    brought = [Pair("asked", "other", 0, "human", 1.0, "other")]
    drawn = Plan("b", "s", "j", max_pairs=11).drawn([*mined, *brought])
    assert brought[0] in drawn
    counts = Counter(pair.document for pair in drawn if pair.is_mined)
    assert counts == dict.fromkeys(["d0", "d1", "d2", "d3", "d4"], 2)


def test_a_budget_that_loading_alone_uses_up_leaves_nothing_to_train_on() -> None:
    plan = Plan("b", "s", "j", budget_s=60.0, curve=())
    assert plan.share_within_budget(Estimate(seconds=90.0, fixed_s=90.0, steps=1, pairs=9, details={})) == 0.0
    assert plan.share_within_budget(Estimate(seconds=90.0, fixed_s=30.0, steps=9, pairs=9, details={})) == 0.5
    assert plan.share_within_budget(Estimate(seconds=30.0, fixed_s=30.0, steps=1, pairs=9, details={})) == 1.0


def test_a_budget_for_next_to_no_pairs_is_refused_by_a_dry_run_as_by_a_training() -> None:
    plan = Plan("b", "s", "j", budget_s=60.0, curve=())
    takes = Estimate(seconds=90.0, fixed_s=30.0, steps=9, pairs=9, details={})
    assert share_allowed(plan, takes, 64) == 0.5
    with pytest.raises(UsageError, match="All 63 pairs would take 2 minutes, and within the 1 of --budget fewer"):
        share_allowed(plan, takes, 63)
