"""What lets a model replace another: a verdict about just these two, or a reason."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer import promotion
from indexer.promotion import PromotionRefused, promote, rollback, verdict_key
from indexer.promotion_history import promotions_of
from retrieval.catalog import CollectionConfig
from retrieval.catalog.collections import ConfigChanged
from retrieval.catalog.due_vectors import PROMOTING
from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import ModelError, NotFound, UsageError
from tests.homes import Workbench
from tests.promotion_cases import active, adapter, added, candidates, collection_of, judged, other_model, two_models
from tests.tiny_model import build_tiny_model


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = two_models(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


@pytest.fixture
def quick(bench: Workbench) -> Workbench:
    """An index in memory, where the index is not the point."""
    return bench.with_store("memory")


@pytest.mark.parametrize("verdict", ["worse", "no difference worth having", "cannot tell yet"])
def test_nothing_but_better_allows_a_promotion(quick: Workbench, verdict: str) -> None:
    judged(quick.home, "other", verdict)
    with pytest.raises(PromotionRefused, match="worse than" if verdict == "worse" else rf"the verdict is '{verdict}'"):
        promote(quick.home, quick.collection, "other")
    assert active(quick.home) == "tiny"


def test_without_a_verdict_the_refusal_says_how_to_reach_one(quick: Workbench) -> None:
    with pytest.raises(PromotionRefused, match=r"no verdict .*`tandem compare hybrid@tiny hybrid@other -c default`"):
        promote(quick.home, quick.collection, "other")
    assert candidates(quick.home) == []
    assert not quick.home.catalog.collections.setting(quick.collection, PROMOTING)


def test_one_judgment_set_that_says_worse_outweighs_another_that_says_better(quick: Workbench) -> None:
    judged(quick.home, "other", "better", judgments="one")
    judged(quick.home, "other", "worse", judgments="two")
    with pytest.raises(PromotionRefused, match="on the judgments 'two'"):
        promote(quick.home, quick.collection, "other")
    judged(quick.home, "other", "cannot tell yet", judgments="two")  # the newest of a set counts
    promote(quick.home, quick.collection, "other")
    assert active(quick.home) == "other"


def test_a_verdict_is_about_two_models_and_the_settings_they_were_compared_under(quick: Workbench) -> None:
    home = quick.home
    judged(home, "other")
    tuned = replace(quick.collection.config, embedding_weight=0.5)
    home.catalog.collections.configure(quick.collection, tuned)
    with pytest.raises(PromotionRefused, match="about other settings, models or judgments"):
        promote(home, quick.collection, "other")
    home.catalog.collections.configure(collection_of(home), quick.collection.config)
    promote(home, quick.collection, "other")
    assert active(home) == "other"


def test_a_verdict_against_another_model_than_the_active_one_allows_nothing(quick: Workbench, tmp_path: Path) -> None:
    home = quick.home
    adapter(home, tmp_path / "adapter")
    judged(home, "other", against="adapter")
    with pytest.raises(PromotionRefused, match="no verdict was reached"):
        promote(home, quick.collection, "other")


def test_the_key_of_a_verdict_does_not_depend_on_names(quick: Workbench, tiny_model: Path) -> None:
    home, collection = quick.home, quick.collection
    added(home, other_model(tiny_model), "again")
    key = verdict_key(home.catalog, collection, "tiny", "other")
    assert key == verdict_key(home.catalog, collection, "tiny", "again")
    assert key == verdict_key(home.catalog, replace(collection, name="x"), "tiny", "other")
    promoted = replace(collection, config=replace(collection.config, model="other"))
    assert key == verdict_key(home.catalog, promoted, "tiny", "other")
    assert key != verdict_key(home.catalog, collection, "other", "tiny")


def test_a_canary_vetoes_unless_it_is_waived_with_a_reason(quick: Workbench) -> None:
    judged(quick.home, "other", canary={"vetoed": True})
    for force in (None, "because"):
        with pytest.raises(PromotionRefused, match="--waive-canary"):
            promote(quick.home, quick.collection, "other", force=force)
    promotion = promote(quick.home, quick.collection, "other", waive_canary="only this matters here")
    assert promotion.canary_waived == "only this matters here"
    assert active(quick.home) == "other"


def test_what_allowed_a_promotion_is_recorded_with_it(quick: Workbench) -> None:
    home = quick.home
    judged(home, "other", canary={"vetoed": False})
    promote(home, quick.collection, "other")
    rollback(home, quick.collection)
    judged(home, "other", "worse")
    promote(home, quick.collection, "other", force=" I know better ")
    recorded = home.catalog.collections.setting(quick.collection, "promotions")
    assert [(entry["from"], entry["to"], entry["rollback"]) for entry in recorded] == [
        ("tiny", "other", False),
        ("other", "tiny", True),
        ("tiny", "other", False),
    ]
    assert recorded[0]["verdict"]["judgments"] == "judged"
    assert (recorded[0]["reason"], recorded[2]["reason"]) == ("", "I know better")
    assert recorded[2]["verdict"] == {}
    assert all(entry["at"].startswith("20") for entry in recorded)


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_has_words(quick: Workbench, reason: str) -> None:
    with pytest.raises(UsageError, match="--force needs a reason"):
        promote(quick.home, quick.collection, "other", force=reason)
    with pytest.raises(UsageError, match="--waive-canary needs a reason"):
        promote(quick.home, quick.collection, "other", waive_canary=reason)


def test_what_cannot_be_promoted_says_why(quick: Workbench, tmp_path: Path) -> None:
    home = quick.home
    with pytest.raises(NotFound, match="no model version 'v9'"):
        promote(home, quick.collection, "v9", force="because")
    with pytest.raises(UsageError, match="already"):
        promote(home, quick.collection, "tiny", force="because")
    bare = home.catalog.collections.create("bare", CollectionConfig())
    with pytest.raises(UsageError, match="no model yet"):
        promote(home, bare, "other", force="because")
    short = build_tiny_model(tmp_path / "short", salt="short", max_tokens=64)
    added(home, short, "short")
    with pytest.raises(UsageError, match="Chunks of 200 tokens do not suit"):
        promote(home, quick.collection, "short", force="because")
    assert active(home) == "tiny"
    assert not home.catalog.collections.setting(quick.collection, PROMOTING)


def test_a_model_whose_folder_is_broken_is_not_promoted(quick: Workbench) -> None:
    (quick.home.settings.models_dir / "other" / "model.onnx").write_bytes(b"broken")
    with pytest.raises(ModelError):
        promote(quick.home, quick.collection, "other", force="because")
    assert active(quick.home) == "tiny"


def test_settings_that_change_meanwhile_stop_it_before_anything_is_switched(
    quick: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = quick.home

    def tuned_meanwhile(*_: object) -> None:
        now = collection_of(home)
        home.catalog.collections.configure(now, replace(now.config, embedding_weight=0.4))

    monkeypatch.setattr(promotion, "put_moments", tuned_meanwhile)
    with pytest.raises(PromotionRefused, match="settings of 'default' were changed"):
        promote(home, quick.collection, "other", force="because")
    assert (active(home), collection_of(home).config.embedding_weight) == ("tiny", 0.4)
    assert promotions_of(home.catalog, quick.collection) == []
    with pytest.raises(ConfigChanged, match="changed meanwhile"):
        home.catalog.collections.configure(quick.collection, quick.collection.config)


def test_what_was_tuned_needs_a_canary_that_was_asked(quick: Workbench, tmp_path: Path) -> None:
    adapter(quick.home, tmp_path / "adapter")
    judged(quick.home, "adapter")
    with pytest.raises(PromotionRefused, match="no canary was asked what it has forgotten"):
        promote(quick.home, quick.collection, "adapter")
    judged(quick.home, "adapter", canary={"vetoed": False})
    assert promote(quick.home, quick.collection, "adapter").canary_waived == ""


def test_a_veto_outlasts_a_change_of_settings(quick: Workbench) -> None:
    judged(quick.home, "other", canary={"vetoed": True})
    collection = quick.home.catalog.collections.get("default")
    changed = quick.home.catalog.collections.configure(collection, replace(collection.config, k1=1.5))
    with pytest.raises(PromotionRefused, match="its canary vetoes it"):
        promote(quick.home, changed, "other", force="the settings are better now")


def test_a_verdict_that_was_asked_for_next_to_nothing_does_not_count(quick: Workbench) -> None:
    judged(quick.home, "other", minimum_effect=0.0)
    with pytest.raises(PromotionRefused, match="Only a verdict `better`"):
        promote(quick.home, quick.collection, "other")


def test_a_verdict_by_judgments_that_have_changed_since_does_not_count(quick: Workbench) -> None:
    judgments, collection = quick.home.catalog.judgments, quick.collection
    judgments.put(collection, "default", [JudgedQuery("q", "a car", grades={"car.md": 1})])
    by = {"name": "default", "digest": judgments.digest(collection, "default")}
    judgments.put(collection, "default", [JudgedQuery("q2", "a dog", grades={"dog.md": 1})])
    judged(quick.home, "other", judged=by)
    with pytest.raises(PromotionRefused, match="other settings, models or judgments"):
        promote(quick.home, collection, "other")
    judged(quick.home, "other", judged={**by, "digest": judgments.digest(collection, "default")})
    promote(quick.home, collection, "other")


def test_of_two_promotions_at_once_one_is_done(
    quick: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = quick.home
    adapter(home, tmp_path / "adapter")
    put = getattr(promotion, "put_moments")  # noqa: B009  # it exports other names

    def another_process(*arguments: object) -> None:
        monkeypatch.setattr(promotion, "put_moments", put)
        promote(home, quick.collection, "adapter", force="me first", waive_canary="a test")

    monkeypatch.setattr(promotion, "put_moments", another_process)
    with pytest.raises(PromotionRefused):
        promote(home, quick.collection, "other", force="because")
    assert active(home) == "adapter"
    assert [entry.after for entry in promotions_of(home.catalog, quick.collection)] == ["adapter"]
