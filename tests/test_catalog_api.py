"""Collections, documents and models over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from indexer.promotion import embed
from retrieval.home import Home
from service.app import create_app
from service.serving import Serving
from tests.homes import opened_home
from tests.tiny_model import build_tiny_model

BASE = "http://127.0.0.1:8080"
DOCUMENTS = [
    {"id": "pets/dogs.md", "text": "# Dogs\n\nA puppy is a [young](https://example.com/) dog.", "tags": ["pet"]},
    {"id": "../cats?#%2F", "text": "# Cats\n\nA kitten is a young cat.", "metadata": {"legs": 4}},
    {"id": "bread", "text": "# Bread\n\nBake the loaf in a hot oven."},
]


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model, is_bare=True)
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    with Serving(home) as serving, TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        connected.post("/v1/documents", json={"documents": DOCUMENTS}).raise_for_status()
        yield connected


def found(client: TestClient, text: str) -> list[str]:
    return [hit["document"]["id"] for hit in client.get("/v1/search", params={"q": text}).json()["hits"]]


def test_collections_say_what_is_in_them(client: TestClient) -> None:
    (one,) = client.get("/v1/collections").json()["collections"]
    assert (one["name"], one["documents"], one["model"], one["pending"]) == ("default", 3, "tiny", 0)
    assert one["chunks"] >= 3


def test_documents_are_listed_page_by_page(client: TestClient) -> None:
    first = client.get("/v1/documents", params={"limit": 2}).json()
    assert ([d["id"] for d in first["documents"]], first["count"]) == (["../cats?#%2F", "bread"], 3)
    last = client.get("/v1/documents", params={"limit": 2, "after": first["next"]}).json()
    assert ([d["title"] for d in last["documents"]], last["next"]) == (["Dogs"], None)
    assert client.get("/v1/documents", params={"collection": "nowhere"}).status_code == 404


def test_a_document_is_shown_as_it_was_understood_whatever_its_id(client: TestClient) -> None:
    dogs = client.get("/v1/documents/by-id", params={"id": "pets/dogs.md"}).json()
    assert (dogs["title"], dogs["tags"], dogs["links"][0]["target"]) == ("Dogs", ["pet"], "https://example.com/")
    assert "A puppy is a young dog." in dogs["text"]
    assert client.get("/v1/documents/by-id", params={"id": "../cats?#%2F"}).json()["metadata"] == {"legs": 4}
    missing = client.get("/v1/documents/by-id", params={"id": "nothing"})
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


def test_documents_are_deleted_all_or_none(client: TestClient) -> None:
    refused = client.post("/v1/documents/delete", json={"ids": ["bread", "nothing"]})
    assert (refused.status_code, found(client, "loaf")[0]) == (404, "bread")
    deleted = client.post("/v1/documents/delete", json={"ids": ["bread", "../cats?#%2F"]}).json()
    assert deleted == {"deleted": 2, "indexed": True}
    assert found(client, "loaf") in ([], ["pets/dogs.md"])
    assert client.get("/v1/documents").json()["count"] == 1


def test_models_are_promoted_on_a_verdict_only_and_rolled_back(client: TestClient, home: Home, tmp_path: Path) -> None:
    home.register(home.models.add_model(build_tiny_model(tmp_path / "second", salt="second"), "second"))
    embed(home, home.catalog.collections.get("default"), "second")
    models: Any = {model["version"]: model for model in client.get("/v1/models").json()["models"]}
    assert models["tiny"]["uses"] == ["active in default"]
    refused = client.post("/v1/models/second/promote", json={})
    assert refused.status_code == 409
    assert "verdict" in refused.json()["detail"]
    done = client.post("/v1/models/second/promote", json={"force": "a test"})
    assert (done.status_code, done.json()) == (200, {"collection": "default", "model": "second", "before": "tiny"})
    assert client.get("/v1/collections").json()["collections"][0]["model"] == "second"
    back = client.post("/v1/models/rollback", json={"collection": "default"})
    assert back.json() == {"collection": "default", "model": "tiny", "before": "second"}
    assert client.post("/v1/models/nothing/promote", json={}).status_code == 404
    assert client.post("/v1/models/rollback", json={"force": "x"}).status_code == 422
