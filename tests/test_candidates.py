"""An index carries candidates beside the model that it is searched with, and adapters cost it nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import carrying
from indexer.apply import IndexOwner, open_index
from indexer.carrying import CARRIED, Carried, CatalogLedger
from indexer.doctor import examine
from indexer.model_deletion import delete_model
from indexer.model_uses import uses_of
from indexer.promotion import carry, embed, forget, promote, rollback
from retrieval.catalog import schema
from retrieval.encoder import OnnxEncoder
from retrieval.errors import UsageError
from retrieval.home import Home
from tests.homes import Workbench, page
from tests.promotion_cases import (
    PAGES,
    adapter,
    assert_no_orphans,
    indexed,
    judged,
    killed_at_call,
    results,
    two_models,
    vectors_of,
    with_each_store,
)
from trainer.arms import parse_arms
from trainer.evaluate import evaluate
from trainer.evaluation_set import EvaluationSet

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


# Carrying


def test_a_candidate_is_carried_beside_the_active_model_until_it_is_withdrawn(stored: Workbench) -> None:
    home = stored.home
    before = results(home)
    tiny = stored.encoder.passage_fingerprint
    assert embed(home, stored.collection, "other") == 20
    assert embed(home, stored.collection, "other") == 0
    carry(home, stored.collection, "other")
    other = home.encoder_of("other").passage_fingerprint
    with indexed(home) as owner:
        for point in owner.store.get(list(owner.store.ids())):
            assert point.vectors.keys() == {tiny, other}
        assert owner.carry_some() is None
    assert results(home) == before
    forget(home, stored.collection, "other")
    assert vectors_of(home).keys() == {tiny}
    assert results(home) == before
    with pytest.raises(UsageError, match="not a candidate"):
        forget(home, stored.collection, "tiny")


def test_progress_is_told_of_what_takes_time(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "BATCH", 8)
    monkeypatch.setattr("indexer.pipeline.SLICE", 15)
    with bench.index():
        pass
    told: list[tuple[str, int, int]] = []
    promote(bench.home, bench.collection, "other", force="because", tell=lambda *step: told.append(step))
    assert told == [
        ("embedding", 15, 20),
        ("embedding", 20, 20),
        ("into the index", 8, 20),
        ("into the index", 16, 20),
        ("into the index", 20, 20),
    ]


def test_chunks_ingested_later_have_the_vectors_of_whoever_embedded_them(bench: Workbench) -> None:
    home = bench.home
    embed(home, bench.collection, "other")
    carry(home, bench.collection, "other")
    other = home.encoder_of("other").passage_fingerprint
    bench.put(*PAGES, page("later.md", "A lake."), page("same.md", "The dog is here.", title="dog.md"))
    with indexed(home) as owner:
        held = {point.id: other in point.vectors for point in owner.store.get(list(owner.store.ids()))}
        assert list(held.values()).count(False) == 1
        assert examine(owner).is_healthy  # the active model has embedded everything
        assert owner.carrier.state(other) == Carried(after=None, whole=False)
    assert embed(home, bench.collection, "other") == 1
    assert vectors_of(home)[other] == Carried(after=None)


def test_moments_are_kept_for_each_carried_model(bench: Workbench) -> None:
    home = bench.home
    embed(home, bench.collection, "other")
    carry(home, bench.collection, "other")
    bench.put(*PAGES, page("later.md", "A lake."))
    embed(home, bench.collection, "other")
    with indexed(home):
        pass
    for version in ("tiny", "other"):
        moments = home.catalog.moments.get(bench.collection, home.encoder_of(version).passage_fingerprint)
        assert moments is not None
        assert moments.points == 21


@pytest.mark.parametrize("calls", [1, 2, 4, 6])
def test_carrying_may_be_killed_at_any_flush(bench: Workbench, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    monkeypatch.setattr(carrying, "BATCH", 7)
    home = bench.home
    before = results(home)
    embed(home, bench.collection, "other")
    with indexed(home) as owner, killed_at_call(monkeypatch, type(owner.store), "flush", calls):
        carry_in(owner, home)
    assert results(home) == before
    carry(home, bench.collection, "other")
    states = vectors_of(home)
    assert set(states.values()) == {Carried(after=None)}
    assert len(states) == 2
    assert results(home) == before


def carry_in(owner: IndexOwner, home: Home) -> None:
    """Carry a candidate, drop it, and carry it again, in an index that is open."""
    known = home.catalog.collections
    for wanted in (["other"], [], ["other"]):
        known.put_setting(owner.collection, "candidates", wanted)
        owner.carry()


def test_carrying_goes_on_where_it_was(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "BATCH", 8)
    home = bench.home
    with bench.index():
        pass
    embed(home, bench.collection, "other")
    home.catalog.collections.put_setting(bench.collection, "candidates", ["other"])
    ids = home.catalog.chunks.ids(bench.collection)
    with open_index(home.settings, home.catalog, bench.collection) as owner:
        owner.apply_pending(carry=False)
        assert owner.carry_some() == 8
    with open_index(home.settings, home.catalog, bench.collection) as owner:
        assert owner.carrier.state(home.encoder_of("other").passage_fingerprint) == Carried(after=ids[7])
        assert [owner.carry_some(), owner.carry_some(), owner.carry_some()] == [8, 4, None]


def test_what_came_in_while_a_candidate_was_withdrawn_is_not_taken_for_carried(bench: Workbench) -> None:
    home = bench.home
    embed(home, bench.collection, "other")
    carry(home, bench.collection, "other")
    other = home.encoder_of("other").passage_fingerprint
    with indexed(home) as owner:
        home.catalog.collections.put_setting(bench.collection, "candidates", [])
        bench.put(*PAGES[1:], page("car.md", "The car is here.", year=1999))  # its text has been embedded by both
        owner.apply_pending(carry=False)
        home.catalog.collections.put_setting(bench.collection, "candidates", ["other"])
        assert owner.carrier.state(other) == Carried(after=None, whole=False)
    carry(home, bench.collection, "other")
    with indexed(home) as owner:
        assert all(other in point.vectors for point in owner.store.get(list(owner.store.ids())))


def test_an_index_from_before_there_were_candidates_carries_the_active_model(bench: Workbench) -> None:
    home = bench.home
    before = results(home)
    with home.catalog.database.write() as connection:
        connection.execute(schema.settings.delete().where(schema.settings.c.name == CARRIED))
    assert CatalogLedger(home.catalog, bench.collection).read() == {
        bench.encoder.passage_fingerprint: Carried(after=None)
    }
    promote(home, bench.collection, "other", force="because")
    rollback(home, bench.collection)
    assert results(home) == before


def test_an_index_made_again_carries_what_it_is_to_carry(bench: Workbench) -> None:
    home = bench.home
    promote(home, bench.collection, "other", force="because")
    after = results(home)
    shutil.rmtree(home.settings.index_dir)
    assert results(home) == after
    assert set(vectors_of(home).values()) == {Carried(after=None)}
    with indexed(home) as owner:
        owner.rebuild()
        assert examine(owner).is_healthy


# Adapters


def test_an_adapter_shares_its_bases_vectors(stored: Workbench, tmp_path: Path) -> None:
    home, collection = stored.home, stored.collection
    before, held = results(home), vectors_of(home)
    moments = home.catalog.moments.get(collection, stored.encoder.passage_fingerprint)
    embeddings = home.catalog.embeddings.count(stored.encoder.passage_fingerprint)
    assert adapter(home, tmp_path / "adapter") == stored.encoder.passage_fingerprint
    assert embed(home, collection, "adapter") == 0
    promote(home, collection, "adapter", force="dogs are cars", waive_canary="a test")
    after = results(home)
    tops = [hits[0][0] for arm, hits in after if arm == "embedding@adapter"][:2]
    assert tops == ["dog.md", "car.md"]
    assert vectors_of(home) == held
    assert home.catalog.embeddings.count(stored.encoder.passage_fingerprint) == embeddings
    again = home.catalog.moments.get(collection, stored.encoder.passage_fingerprint)
    assert moments is not None
    assert again is not None
    assert (again.mean == moments.mean).all()
    rollback(home, collection)
    assert results(home) == before


def test_an_adapter_is_compared_without_embedding_anything(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = bench.home
    adapter(home, tmp_path / "adapter")
    monkeypatch.setattr(OnnxEncoder, "encode_passages", lambda *_: pytest.fail("it embedded a passage"))
    arms = parse_arms("embedding,embedding@adapter,hybrid@adapter", "tiny")
    plain, mapped, _ = evaluate(home, bench.collection, EvaluationSet({"q": "a car"}, {"q": {"dog.md": 1}}), arms)
    assert plain.measures["mrr@10"] < mapped.measures["mrr@10"] == 1.0


def test_deleting_an_adapter_leaves_its_bases_vectors(bench: Workbench, tmp_path: Path) -> None:
    home = bench.home
    before = results(home)
    adapter(home, tmp_path / "adapter")
    assert delete_model(home, "adapter").embeddings == 0
    assert results(home) == before
    assert_no_orphans(home)


# Uses


def test_uses_say_what_a_version_is_for_and_what_was_said_of_it(quick: Workbench, tmp_path: Path) -> None:
    home = quick.home
    adapter(home, tmp_path / "adapter")
    carry(home, quick.collection, "adapter")
    judged(home, "other")
    promote(home, quick.collection, "other")
    uses = uses_of(home.catalog, ["tiny", "other", "adapter"])
    assert {version: use.words for version, use in uses.items()} == {
        "tiny": "previous in default",
        "other": "active in default",
        "adapter": "candidate in default",
    }
    assert uses["other"].said == "better than hybrid@tiny (default)"
    assert uses["tiny"].said == ""
