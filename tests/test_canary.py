"""The forgetting canary: the same model forgets nothing, one that lost its meanings vetoes a promotion."""

from pathlib import Path

import pytest

from retrieval.catalog import Catalog, CollectionConfig
from retrieval.catalog.judgments import JudgedQuery
from retrieval.encoder import OnnxEncoder
from retrieval.errors import NotFound
from tests.homes import Workbench, page
from tests.tiny_model import build_tiny_model
from trainer.training import canary
from trainer.training.canary import STANDARD_LIBRARY, judged_canary, standard_library_canary
from trainer.training.canary_sets import NONE, ask_canary


@pytest.fixture(autouse=True)
def few_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    canary._standard_library.cache_clear()
    monkeypatch.setattr(canary, "MODULES", ("heapq", "textwrap", "shutil"))


def test_a_model_against_itself_forgets_nothing(catalog: Catalog, tiny_encoder: OnnxEncoder) -> None:
    found = standard_library_canary(catalog, tiny_encoder, tiny_encoder)
    assert (found.name, found.contrast.effect, found.is_vetoed) == (STANDARD_LIBRARY, 0.0, False)
    assert found.before == found.after > 0.1
    assert found.contrast.queries > 10


def test_a_query_is_not_found_by_its_own_words(catalog: Catalog, tiny_encoder: OnnxEncoder) -> None:
    asked = canary._standard_library()
    item, hidden = next(
        (item, hidden)
        for item, hidden in zip(asked.items, asked.hidden(), strict=True)
        if item.source == "mined:docstring"
    )
    (place, text), *_ = hidden.items()
    assert item.text in asked.texts[place]
    assert item.text not in text


def test_a_loss_beyond_the_minimum_effect_is_a_veto() -> None:
    qrels = {str(n): {"right": 1} for n in range(40)}
    good = {str(n): {"right": 2.0, "wrong": 1.0} for n in range(40)}
    worse = {**good, **{str(n): {"right": 1.0, "wrong": 2.0} for n in range(2)}}
    clusters = {query: query for query in qrels}
    lost = judged_canary("general", qrels, [good, worse], clusters, minimum_effect=0.01)
    assert lost.contrast.effect == pytest.approx(2 * (0.6309298 - 1) / 40)  # 1 / log2(3) at the second place
    assert lost.is_vetoed
    assert not judged_canary("general", qrels, [good, worse], clusters, minimum_effect=0.02).is_vetoed


def test_a_named_judgment_set_of_another_collection_is_asked_with_its_documents_embedded(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*(page(f"{noun}.md", f"The {noun} is here.") for noun in ("car", "dog", "bread", "moon", "river")))
    other = build_tiny_model(tmp_path / "other", salt="other")
    bench.home.register(bench.home.models.add_model(other, "other"))
    elsewhere = bench.home.catalog.collections.create("elsewhere", CollectionConfig(model="tiny"))
    queries = [
        JudgedQuery("q1", "a fast vehicle", grades={"car.md": 1}),
        JudgedQuery("q2", "loaf", grades={"dog.md": 1}),
    ]
    bench.home.catalog.judgments.put(bench.collection, "general", queries)

    found = ask_canary(bench.home, elsewhere, "default/general", ("tiny", "other"), minimum_effect=0.01)
    assert found is not None
    assert (found.name, found.contrast.queries) == ("default/general", 2)
    assert ask_canary(bench.home, elsewhere, NONE, ("tiny", "other"), minimum_effect=0.01) is None
    monkeypatch.setattr("trainer.training.canary_sets.unseen", lambda judged, *_: judged.only({"q2"}))
    left = ask_canary(bench.home, bench.collection, "general", ("tiny", "other"), minimum_effect=0.01)
    assert left is not None
    assert left.contrast.queries == 1
    monkeypatch.setattr("trainer.training.canary_sets.unseen", lambda judged, *_: judged.only(set()))
    assert ask_canary(bench.home, bench.collection, "general", ("tiny", "other"), minimum_effect=0.01) is None
    with pytest.raises(NotFound, match="general"):
        ask_canary(bench.home, elsewhere, "general", ("tiny", "other"), minimum_effect=0.01)
    bench.close()
