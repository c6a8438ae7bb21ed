"""Verdicts are kept for promotions: of models, on named sets, with the canary that was asked."""

from dataclasses import replace

import pytest

from indexer.promotion import verdict_key
from retrieval.catalog import Catalog, Collection, ModelRecord
from retrieval.catalog.judgments import JudgedQuery
from tests.test_report import COMPARISON, REPORT
from tests.test_training_report import FORGOT, FOUND
from trainer.findings import Verdict
from trainer.training.keeping import keep_verdict

ONE = replace(REPORT, comparisons=(COMPARISON,))


@pytest.fixture
def models(catalog: Catalog, collection: Collection) -> Collection:
    for version in ("base", "tuned"):
        catalog.models.register(ModelRecord(version, version, version, 2, f"/{version}", {}))
    for name in ("people-2026", "logs"):
        catalog.judgments.put(collection, name, [JudgedQuery("q", "bread", grades={"loaf": 1})])
    return collection


def test_a_verdict_is_kept_with_what_it_rests_on(catalog: Catalog, models: Collection) -> None:
    keep_verdict(catalog, models, ONE)
    (kept,) = catalog.verdicts.about(models, "hybrid@tuned")
    assert (kept.a, kept.judgments, kept.verdict) == ("hybrid@base", "people-2026", "better")
    assert kept.key == verdict_key(catalog, models, "base", "tuned")
    assert kept.evidence["interval"] == [0.0084, 0.0379]
    assert kept.evidence["sources"] == {"human": 120, "mined:title": 180}
    assert kept.evidence["judged"] == {
        "name": "people-2026",
        "digest": catalog.judgments.digest(models, "people-2026"),
    }


def test_a_part_of_a_set_is_kept_with_what_the_whole_was(catalog: Catalog, models: Collection) -> None:
    keep_verdict(catalog, models, replace(ONE, judgments="logs, held out"))
    (kept,) = catalog.verdicts.about(models, "hybrid@tuned")
    assert (kept.judgments, kept.evidence["judged"]["name"]) == ("logs, held out", "logs")


def test_a_later_verdict_on_the_same_set_takes_its_place_and_one_on_another_stands_beside(
    catalog: Catalog, models: Collection
) -> None:
    keep_verdict(catalog, models, ONE)
    keep_verdict(catalog, models, replace(ONE, judgments="logs"))
    keep_verdict(catalog, models, replace(ONE, comparisons=(replace(COMPARISON, verdict=Verdict.WORSE),)))
    said = {kept.judgments: kept.verdict for kept in catalog.verdicts.about(models, "hybrid@tuned")}
    assert said == {"people-2026": "worse", "logs": "better"}


def test_a_canary_that_was_asked_once_stays_with_later_verdicts(catalog: Catalog, models: Collection) -> None:
    assert FOUND.canary is not None
    keep_verdict(catalog, models, ONE, replace(FOUND.canary, contrast=FORGOT))
    keep_verdict(catalog, models, ONE)
    (kept,) = catalog.verdicts.about(models, "hybrid@tuned")
    assert kept.evidence["canary"]["vetoed"] is True


def test_what_compares_no_two_models_or_has_no_name_is_not_kept(catalog: Catalog, models: Collection) -> None:
    keep_verdict(catalog, models, replace(ONE, judgments=""))
    keep_verdict(catalog, models, replace(ONE, comparisons=(replace(COMPARISON, a="keyword"),)))
    assert catalog.verdicts.about(models, "hybrid@tuned") == []
