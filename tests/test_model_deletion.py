"""A deleted version leaves nothing behind, wherever its deletion is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import model_deletion
from indexer.model_deletion import delete_model
from indexer.promotion import embed, promote, rollback
from retrieval.errors import NotFound, UsageError
from tests.homes import Workbench
from tests.promotion_cases import assert_no_orphans, killed_at_call, results, two_models, vectors_of, with_each_store
from tests.tiny_model import build_tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = two_models(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


@pytest.fixture(params=["edge", "memory", "qdrant"])
def stored(request: pytest.FixtureRequest, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return with_each_store(bench, request.param, monkeypatch)


def test_a_deleted_model_leaves_nothing(stored: Workbench) -> None:
    home, tiny = stored.home, stored.encoder.passage_fingerprint
    before = results(home)
    promote(home, stored.collection, "other", force="because")
    with pytest.raises(UsageError, match="'other' is the model that 'default' searches with"):
        delete_model(home, "other", force=True)
    with pytest.raises(UsageError, match=r"`tandem models rollback -c default` goes back to; --force"):
        delete_model(home, "tiny")
    rollback(home, stored.collection)
    other = home.encoder_of("other").passage_fingerprint
    assert delete_model(home, "other").embeddings == 20
    assert vectors_of(home).keys() == {tiny}
    assert home.catalog.embeddings.count(other) == 0
    assert home.catalog.moments.get(stored.collection, other) is None
    assert [path.name for path in home.settings.models_dir.iterdir()] == ["tiny"]
    assert results(home) == before
    with pytest.raises(NotFound, match="no model version 'other'"):
        delete_model(home, "other")
    assert_no_orphans(home)


def test_a_rollback_to_a_deleted_model_says_that_it_is_gone(bench: Workbench) -> None:
    home = bench.home
    promote(home, bench.collection, "other", force="because")
    delete_model(home, "tiny", force=True)
    with pytest.raises(NotFound, match="'tiny'"):
        rollback(home, bench.collection)
    assert_no_orphans(home)


def test_the_catalog_itself_keeps_a_model_that_is_in_use(bench: Workbench) -> None:
    with pytest.raises(UsageError, match="'default' searches with"):
        bench.home.catalog.models.delete("tiny")


@pytest.mark.parametrize("step", ["models.delete", "apply_if_free", "remove_model"])
def test_a_deletion_may_be_killed_at_any_step(bench: Workbench, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    home = bench.home
    promote(home, bench.collection, "other", force="because")
    rollback(home, bench.collection)
    where: dict[str, tuple[object, str]] = {
        "models.delete": (home.catalog.models, "delete"),
        "apply_if_free": (model_deletion, "apply_if_free"),
        "remove_model": (home.models, "remove_model"),
    }
    with killed_at_call(monkeypatch, *where[step], 1):
        delete_model(home, "other")
    assert_no_orphans(home)
    delete_model(home, "other")
    assert_no_orphans(home)
    assert [path.name for path in home.settings.models_dir.iterdir()] == ["tiny"]
    assert vectors_of(home).keys() == {bench.encoder.passage_fingerprint}


def test_a_version_whose_registration_was_interrupted_is_registered_when_it_is_asked_for(
    bench: Workbench, tmp_path: Path
) -> None:
    home = bench.home
    home.models.add_model(build_tiny_model(tmp_path / "third", salt="third"), "third")  # and then killed
    assert embed(home, bench.collection, "third") == 20
    assert_no_orphans(home)
