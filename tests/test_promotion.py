"""Promotion changes one name when all else is there; a rollback changes it back. Whatever is killed."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer import candidate_vectors, carrying, promotion
from indexer.apply import open_index
from indexer.carrying import Carried
from indexer.doctor import examine
from indexer.model_deletion import delete_model
from indexer.pipeline import Pipeline
from indexer.promotion import carry, embed, promote, rollback
from indexer.promotion_history import Promotion, earlier_models
from indexer.submission import Submitted, submit
from retrieval.catalog.due_vectors import NotEmbedded
from retrieval.errors import FingerprintMismatch, IndexBusy, NotFound, UsageError
from retrieval.home import Home
from tests.homes import Pages, Workbench
from tests.promotion_cases import (
    PAGES,
    active,
    added,
    assert_no_orphans,
    candidates,
    indexed,
    judged,
    killed_at_call,
    other_model,
    results,
    two_models,
    vectors_of,
    with_each_store,
)
from tests.tiny_model import build_tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = two_models(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


@pytest.fixture
def quick(bench: Workbench) -> Workbench:
    """An index in memory, where the index is not the point."""
    return bench.with_store("memory")


@pytest.fixture(params=["edge", "memory", "qdrant"])
def stored(request: pytest.FixtureRequest, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return with_each_store(bench, request.param, monkeypatch)


def test_search_promote_search_roll_back_search_gives_the_first_results_to_the_digit(stored: Workbench) -> None:
    home = stored.home
    before = results(home)
    judged(home, "other")
    promote(home, stored.collection, "other")
    after = results(home)
    assert {arm for arm, _ in after} == {"keyword", "hybrid@other", "embedding@other"}
    assert after != before
    assert rollback(home, stored.collection).unembedded == 0
    assert results(home) == before
    promote(home, stored.collection, "other")
    assert results(home) == after
    assert_no_orphans(home)


def test_a_promoted_model_ranks_as_if_it_had_been_the_first(bench: Workbench, tmp_path: Path, tiny_model: Path) -> None:
    promote(bench.home, bench.collection, "other", force="to see")
    first = Workbench.open(tmp_path / "first", other_model(tiny_model))
    try:
        first.put(*PAGES)
        ours, theirs = results(bench.home), results(first.home)
    finally:
        first.close()
    assert [dict(hits) for _, hits in ours] == [pytest.approx(dict(hits), abs=1e-3) for _, hits in theirs]
    assert [[key for key, _ in hits[:1]] for _, hits in ours] == [[key for key, _ in hits[:1]] for _, hits in theirs]


# Ingest beside promotion


def submitted(home: Home, *names: str, encoder_of: bool = True) -> Callable[[], object]:
    """Get ready to commit documents, with the model that is active now."""
    collection, encoder = home.prepared("default")
    pipeline = Pipeline.of(home.catalog, collection, encoder, encoder_of=home.encoder_of if encoder_of else None)
    documents = [Submitted(name, f"The {name} is new.", format="text") for name in names]
    return lambda: submit(pipeline, documents)


def unembedded_by_active(home: Home) -> list[int]:
    with indexed(home) as owner:
        return examine(owner).unembedded


def test_an_ingest_under_way_embeds_for_the_model_that_was_promoted_meanwhile(quick: Workbench) -> None:
    home = quick.home
    commit = submitted(home, "lake", "mountain")
    promote(home, quick.collection, "other", force="because")
    commit()
    assert unembedded_by_active(home) == []
    rollback(home, quick.collection)
    assert unembedded_by_active(home) == []  # it had embedded them for the model before, too


def test_an_ingest_that_cannot_load_the_new_model_commits_nothing(quick: Workbench) -> None:
    home = quick.home
    commit = submitted(home, "lake", encoder_of=False)
    promote(home, quick.collection, "other", force="because")
    with pytest.raises(NotEmbedded, match=r"became 'other' .* run the same command again"):
        commit()
    assert "lake" not in quick.ids()
    assert unembedded_by_active(home) == []


@pytest.mark.parametrize("step", ["carry", "put_moments"])
def test_what_is_committed_while_a_model_is_being_promoted_has_its_vectors(
    quick: Workbench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    home = quick.home
    commit = submitted(home, "lake", "mountain")
    real = getattr(promotion, step)

    def commit_first(*arguments: object) -> None:
        commit()
        real(*arguments)

    monkeypatch.setattr(promotion, step, commit_first)
    promote(home, quick.collection, "other", force="because")
    assert {"lake", "mountain"} <= set(quick.ids())
    assert unembedded_by_active(home) == []


def test_promotion_makes_no_item_changed(quick: Workbench) -> None:
    promote(quick.home, quick.collection, "other", force="because")
    collection, encoder = quick.home.prepared("default")
    pipeline = Pipeline.of(quick.home.catalog, collection, encoder)
    assert pipeline.settings == quick.pipeline.settings
    assert quick.ingest(Pages.of(*PAGES)).unchanged == len(PAGES)


# Going back


def test_what_came_in_since_is_embedded_for_the_model_gone_back_to(bench: Workbench) -> None:
    home = bench.home
    promote(home, bench.collection, "other", force="because")
    submitted(home, "lake", "mountain")()
    with indexed(home):
        pass
    assert rollback(home, bench.collection).unembedded == 0
    assert unembedded_by_active(home) == []
    assert vectors_of(home)[bench.encoder.passage_fingerprint] == Carried(after=None)


def test_if_too_much_came_in_the_rollback_says_so_and_does_not_wait(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = bench.home
    promote(home, bench.collection, "other", force="because")
    submitted(home, "lake", "mountain")()
    monkeypatch.setattr(promotion, "EMBEDDED_AT_ONCE", 1)
    assert rollback(home, bench.collection).unembedded == 2
    assert active(home) == "tiny"
    assert len(unembedded_by_active(home)) == 2
    assert embed(home, bench.collection, "tiny") == 2
    assert unembedded_by_active(home) == []
    assert vectors_of(home)[bench.encoder.passage_fingerprint] == Carried(after=None)


def test_rollbacks_go_back_one_promotion_each(bench: Workbench, tmp_path: Path) -> None:
    home = bench.home
    third = added(home, build_tiny_model(tmp_path / "third", salt="third"), "third")
    before = results(home)
    promote(home, bench.collection, "other", force="because")
    promote(home, bench.collection, "third", force="because")
    assert candidates(home) == ["other"]  # not every model that ever was
    assert third in vectors_of(home)
    assert rollback(home, bench.collection).promotion.after == "other"
    assert candidates(home) == ["third"]
    assert rollback(home, bench.collection).promotion.after == "tiny"  # its vectors come back from the catalog
    assert results(home) == before
    with pytest.raises(UsageError, match="'tiny', and no promotion before it"):
        rollback(home, bench.collection)
    assert_no_orphans(home)


def test_the_history_of_promotions_is_a_way_back() -> None:
    def went(before: str, after: str, *, back: bool = False) -> Promotion:
        return Promotion(before, after, "now", back)

    assert earlier_models([]) == []
    assert earlier_models([went("a", "b"), went("b", "c")]) == ["a", "b"]
    assert earlier_models([went("a", "b"), went("b", "c"), went("c", "b", back=True)]) == ["a"]
    assert earlier_models([went("a", "b"), went("b", "a", back=True), went("a", "c")]) == ["a"]
    assert Promotion.from_json(went("a", "b").to_json()) == went("a", "b")


def test_a_model_that_is_no_longer_whole_is_not_gone_back_to(bench: Workbench, tiny_model: Path) -> None:
    home = bench.home
    promote(home, bench.collection, "other", force="because")
    folder = home.settings.models_dir / "tiny"
    folder.rename(folder.with_name("away"))
    with pytest.raises(NotFound, match="'tiny'"):
        rollback(home, bench.collection)
    shutil.copytree(other_model(tiny_model), folder)
    with pytest.raises(FingerprintMismatch, match="another model"):
        rollback(home, bench.collection)
    assert active(home) == "other"


# Killed in the middle


@pytest.mark.parametrize(
    ("owner", "name", "number"),
    [
        (Pipeline, "_keep", 2),
        (carrying.Carrier, "_put", 2),
        (promotion, "_switch", 1),
    ],
    ids=["embedding", "carrying", "switch"],
)
def test_a_promotion_may_be_killed_at_any_step(
    stored: Workbench, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, number: int
) -> None:
    monkeypatch.setattr(carrying, "BATCH", 7)
    monkeypatch.setattr("indexer.pipeline.SLICE", 8)
    monkeypatch.setattr("indexer.pipeline.SLICES_AT_ONCE", 1)
    home = stored.home
    if home.settings.store == "memory" and name == "_put":
        pytest.skip("a copy in memory is filled at once")
    before = results(home)
    with killed_at_call(monkeypatch, owner, name, number):
        promote(home, stored.collection, "other", force="because")
    assert active(home) == "tiny"
    assert results(home) == before
    assert_no_orphans(home)
    promote(home, stored.collection, "other", force="because")
    assert active(home) == "other"
    assert_no_orphans(home)
    rollback(home, stored.collection)
    assert results(home) == before


# Another process owns the index


def test_a_promotion_waits_for_no_owner_that_gets_nowhere(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate_vectors, "STALLED_S", 0.2)
    monkeypatch.setattr(candidate_vectors, "POLL_S", 0.02)
    home = bench.home
    with indexed(home), pytest.raises(IndexBusy, match=r"has got nowhere .* stop it, and run the same command again"):
        promote(home, bench.collection, "other", force="because")
    assert active(home) == "tiny"
    promote(home, bench.collection, "other", force="because")
    assert active(home) == "other"


def test_an_owner_that_lets_go_is_taken_over_from(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    home = bench.home
    with open_index(home.settings, home.catalog, bench.collection) as owner:
        owner.apply_pending()
        monkeypatch.setattr(time, "sleep", lambda _: owner.store.close())
        promote(home, bench.collection, "other", force="because")
    assert active(home) == "other"


def test_deleting_leaves_the_vectors_to_the_owner_of_the_index(bench: Workbench) -> None:
    home = bench.home
    embed(home, bench.collection, "other")
    carry(home, bench.collection, "other")
    with indexed(home) as owner:
        assert delete_model(home, "other").waiting == ("default",)
        owner.carry()
        assert owner.store.vector_sizes().keys() == {bench.encoder.passage_fingerprint}
