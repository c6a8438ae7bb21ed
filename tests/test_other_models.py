"""A search may name another model than the collection's own, and finds what a promotion of it would find."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from indexer.model_deletion import delete_model
from indexer.promotion import carry, embed, promote
from retrieval.errors import ModelError, NotFound
from retrieval.home import Home
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.types import Mode
from service import other_models
from service.app import create_app
from service.local_search import local_search
from service.serving import Serving
from tests.promotion_cases import adapter, collection_of, indexed, two_models


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    bench = two_models(tmp_path / "home", tiny_model)
    yield bench.with_store("memory").home
    bench.close()


def found(result: SearchResult) -> dict[str, float]:
    return {hit.document_id: hit.score for hit in result.hits}


def by(home: Home, model: str, mode: Mode = Mode.HYBRID, text: str = "a fast vehicle") -> SearchResult:
    return local_search(home, collection_of(home), Query(text, mode=mode, model=model))


def embedded(home: Home, version: str) -> None:
    embed(home, collection_of(home), version)
    carry(home, collection_of(home), version)


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.EMBEDDING])
def test_a_search_by_a_candidate_finds_what_it_finds_once_promoted(home: Home, mode: Mode) -> None:
    embedded(home, "other")
    before, own = by(home, "other", mode), by(home, "", mode)
    assert before.arm == f"{mode}@other"
    assert found(before) != found(own)
    promote(home, collection_of(home), "other", force="to compare")
    after = by(home, "", mode)
    assert after.arm == before.arm
    assert list(found(after)) == list(found(before))
    assert found(after) == pytest.approx(found(before), abs=1e-6)  # its moments are summed anew


def test_an_adapter_is_searched_with_by_the_vectors_there_are(home: Home, tmp_path: Path) -> None:
    adapter(home, tmp_path / "adapter")
    result = by(home, "adapter", text="car", mode=Mode.EMBEDDING)
    assert result.hits[0].document_id == "dog.md"


def test_naming_the_collections_own_model_or_searching_by_keyword_changes_nothing(home: Home) -> None:
    assert found(by(home, "tiny")) == found(by(home, ""))
    assert found(by(home, "nowhere", Mode.KEYWORD)) == found(by(home, "", Mode.KEYWORD))


def test_a_model_without_vectors_here_is_refused_with_the_command_that_makes_them(home: Home) -> None:
    with pytest.raises(ModelError, match="tandem models embed other -c default --searchable"):
        by(home, "other")
    with pytest.raises(NotFound, match="nowhere"):
        by(home, "nowhere")


def test_while_another_process_has_the_index_a_copy_is_searched(tmp_path: Path, tiny_model: Path) -> None:
    bench = two_models(tmp_path / "home", tiny_model)
    embedded(bench.home, "other")
    with indexed(bench.home):
        assert by(bench.home, "other").arm == "hybrid@other"
    bench.close()


def test_a_service_searches_by_a_model_until_it_is_deleted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_models, "KEPT", 1)
    embedded(home, "other")
    with Serving(home) as serving, TestClient(create_app(serving), base_url="http://localhost") as client:
        asked = {"query": "a fast vehicle", "model": "other"}
        served = serving.of("default")
        served.carry()
        answer = client.post("/v1/search", json=asked)
        assert answer.json()["arm"] == "hybrid@other"
        link = client.get("/v1/search", params={"q": "a fast vehicle", "model": "other"})
        assert link.json()["hits"] == answer.json()["hits"]
        assert client.get("/v1/search?q=vehicle").json()["arm"] == "hybrid@tiny"
        delete_model(home, "other")
        gone = client.post("/v1/search", json=asked)
        assert (gone.status_code, "other" in gone.json()["detail"]) == (404, True)
