"""Masked documents: a mined query does not find its document by the string it was mined from."""

from pathlib import Path

import numpy as np
import pytest

from indexer.points import points, recipe
from retrieval.catalog.judgments import JudgedQuery
from retrieval.stores.base import EmbeddingLeg, KeywordLeg, Leg, Point
from retrieval.stores.memory import MemoryStore
from retrieval.stores.segment import unit
from retrieval.types import SparseVector
from tests.homes import Pages, Workbench, page
from trainer.arms import Arm, parse_arms
from trainer.evaluation_set import EvaluationSet
from trainer.masking import MaskedStore
from trainer.runs import Runner

PAGES = (
    page("posts/puppy.md", "What a young animal may eat.", title="Puppy food"),
    page("posts/car.md", "Puppy food is mentioned here.", title="Vehicle repair"),
    page("posts/loaf.md", "Flour and water.", title="Bread"),
)


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Workbench:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*PAGES)
    return bench


def best(bench: Workbench, arm: str, *, masked: bool) -> list[str]:
    masks = {"posts/puppy.md": ("Puppy food",)} if masked else {}
    query = JudgedQuery("q", "Puppy food", "mined:title", masks=masks, grades={"posts/puppy.md": 1})
    judged = EvaluationSet.of([query], "mined")
    (parsed,) = parse_arms(arm, bench.collection.config.model)
    run = Runner(bench.home, bench.collection, [parsed], judged).run(parsed)
    return sorted(run.get("q", {}), key=lambda key: -run["q"][key])


@pytest.mark.parametrize("arm", ["keyword", "reference-bm25"])
def test_a_masked_title_matches_no_word(bench: Workbench, arm: str) -> None:
    assert set(best(bench, arm, masked=False)) == {"posts/puppy.md", "posts/car.md"}
    assert best(bench, arm, masked=True) == ["posts/car.md"]  # where the words stand, they still count


def test_a_masked_document_is_embedded_anew_and_kept(bench: Workbench) -> None:
    assert best(bench, "embedding", masked=False)[0] == "posts/puppy.md"
    assert best(bench, "embedding", masked=True)[0] == "posts/car.md"
    before = len(bench.home.catalog.chunks.text_hashes(bench.collection))
    assert before == 3  # the masked text is no chunk of the collection


def test_what_is_masked_for_one_query_is_there_for_the_next(bench: Workbench) -> None:
    mined = JudgedQuery("a", "Puppy food", masks={"posts/puppy.md": ("Puppy food",)}, grades={"posts/puppy.md": 1})
    human = JudgedQuery("b", "puppy", grades={"posts/puppy.md": 1})
    arm = Arm("keyword")
    run = Runner(bench.home, bench.collection, [arm], EvaluationSet.of([mined, human], "x")).run(arm)
    assert set(run["a"]) == {"posts/car.md"}
    assert set(run["b"]) == {"posts/puppy.md", "posts/car.md"}


def test_a_masked_store_scores_as_one_that_holds_the_other_points(bench: Workbench) -> None:
    catalog, collection = bench.home.catalog, bench.collection
    how = recipe(catalog, collection, MemoryStore())
    held = [point for chunks in catalog.chunks.all_stored(collection) for point in points(catalog, how, chunks)]
    name, old = how.fingerprints[0], held[0]
    # Other weights of the same terms, so that document frequencies stay what they were.
    terms = SparseVector(old.terms.indices, old.terms.values * np.float32(0.5))
    between = unit(held[1].vectors[name] + 2 * held[2].vectors[name])
    new = Point(old.id, old.document, terms, {name: between})
    masked, plain = MaskedStore(), MemoryStore()
    for store, content in ((masked, held), (plain, [new, *held[1:]])):
        store.add_vector(name, len(old.vectors[name]))
        store.upsert(content)
    masked.hide([new])
    legs: list[Leg] = [
        KeywordLeg(SparseVector(terms.indices, np.ones(len(terms.indices), np.float32))),
        EmbeddingLeg(name, held[2].vectors[name] * np.float32(3)),
    ]
    for ours, theirs in zip(masked.search(legs, 2), plain.search(legs, 2), strict=True):
        assert ours.ids.tolist() == theirs.ids.tolist()
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-6)


def test_the_pages_are_unchanged(bench: Workbench) -> None:
    assert bench.put(*PAGES).unchanged == len(PAGES)
    assert bench.ingest(Pages.of(*PAGES)).embedded == 0


@pytest.mark.parametrize("arm", ["keyword", "hybrid"])
def test_a_masked_title_does_not_lead_by_its_identifier(tmp_path: Path, tiny_model: Path, arm: str) -> None:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    others = (page(f"notes/{n}", "Food basics: app.feed_dog food, app.feed_dog basics.") for n in range(4))
    bench.put(page("api/feed", "Elsewhere, far from here, app.feed_dog.", title="app.feed_dog food"), *others)
    for masks in ({}, {"api/feed": ("app.feed_dog food",)}):
        query = JudgedQuery("q", "app.feed_dog food", "mined:title", masks=masks, grades={"api/feed": 1})
        judged = EvaluationSet.of([query], "mined")
        (parsed,) = parse_arms(arm, bench.collection.config.model)
        run = Runner(bench.home, bench.collection, [parsed], judged).run(parsed)
        leads = max(run["q"], key=lambda key: run["q"][key]) == "api/feed"
        assert leads is not bool(masks)
