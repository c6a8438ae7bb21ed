"""Collections over HTTP: made with their settings, deleted whole, and whole again where a deletion did not end."""

import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from indexer.apply import IndexOwner
from indexer.pace import Pace
from indexer.pipeline import Pipeline
from indexer.submission import Submitted, submit
from retrieval.catalog import CollectionConfig
from retrieval.catalog.collections import Collections
from retrieval.catalog.keys import Scope
from retrieval.errors import StoreError
from retrieval.home import Home
from retrieval.stores import index_folder
from retrieval.stores.lock import OwnerLock
from service.app import create_app
from service.auth import Access
from service.serving import Serving
from tests.homes import opened_home

BASE = "http://127.0.0.1:8080"


@pytest.fixture(params=["edge", "memory"])
def home(tmp_path: Path, tiny_model: Path, request: pytest.FixtureRequest) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model, store=request.param)
    yield home
    home.close()


@pytest.fixture
def serving(home: Home) -> Iterator[Serving]:
    with Serving(home) as started:
        yield started


@pytest.fixture
def client(serving: Serving) -> Iterator[TestClient]:
    with TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        put(connected, "default", "a whale")
        yield connected


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[TestClient]:
    """A service of which everything is asked in vain."""
    home = opened_home(tmp_path_factory.mktemp("untouched") / "home", tiny_model, store="memory")
    with Serving(home) as started, TestClient(create_app(started), BASE, raise_server_exceptions=False) as connected:
        yield connected
    home.close()


def put(client: TestClient, collection: str, text: str) -> None:
    sent = {"collection": collection, "documents": [{"id": text, "text": text}]}
    assert client.post("/v1/documents", json=sent).json()["indexed"] is True


def found(client: TestClient, text: str, collection: str = "default") -> Any:
    answer = client.get("/v1/search", params={"q": text, "collection": collection, "mode": "keyword"})
    return answer.status_code if answer.is_error else [hit["document"]["id"] for hit in answer.json()["hits"]]


def names(client: TestClient) -> list[str]:
    return [one["name"] for one in client.get("/v1/collections").json()["collections"]]


def test_a_collection_is_made_with_its_settings_and_open_at_once(client: TestClient, home: Home) -> None:
    settings = {
        "language": "german",
        "chunk_tokens": 64,
        "k1": 1.5,
        "b": 0.5,
        "fusion": "rrf",
        "embedding_weight": 0.25,
    }
    made = client.post("/v1/collections", json={"name": "poems", **settings})
    assert made.status_code == 201
    assert made.json() == client.get("/v1/collections").json()["collections"][1]
    assert asdict(home.catalog.collections.get("poems").config) == {**settings, "model": ""}
    assert client.get("/readyz").status_code == 200
    assert found(client, "wal", "poems") == []
    again = client.post("/v1/collections", json={"name": "poems"})
    assert (again.status_code, again.json()["title"]) == (409, "Conflict")
    assert client.post("/v1/collections", json={"name": "usual"}).status_code == 201
    assert home.catalog.collections.get("usual").config == CollectionConfig()


@pytest.mark.parametrize(
    "body",
    [
        *({"name": name} for name in ("", "../x", "a/b", "A", "a\n", "-x", "a\0", ".", "x" * 64, "ä", 7)),
        {},
        {"name": "x", "language": "klingon"},
        {"name": "x", "chunk_tokens": 8},
        {"name": "x", "k1": -1},
        {"name": "x", "b": 2},
        {"name": "x", "fusion": "magic"},
        {"name": "x", "model": "tiny"},
    ],
)
def test_a_bad_name_or_setting_makes_nothing(untouched: TestClient, body: dict[str, Any]) -> None:
    assert untouched.post("/v1/collections", json=body).status_code == 422
    assert names(untouched) == ["default"]


def test_a_deleted_collection_is_gone_at_once_and_may_be_made_again(client: TestClient, home: Home) -> None:
    put(client, "poems", "a whale of a poem")
    assert found(client, "whale", "poems") == ["a whale of a poem"]
    assert client.get("/v1/suggest?prefix=wha&collection=poems").json()["suggestions"] != []
    assert client.delete("/v1/collections/poems").json() == {"deleted": "poems"}
    assert found(client, "whale", "poems") == 404
    assert client.get("/v1/suggest?prefix=wha&collection=poems").status_code == 404
    assert not index_folder(home.settings, "poems").exists()
    assert client.delete("/v1/collections/poems").status_code == 404
    assert found(client, "whale") == ["a whale"]
    put(client, "poems", "another poem")
    assert found(client, "poem", "poems") == ["another poem"]
    assert found(client, "whale", "poems") == []


@pytest.mark.parametrize("name", ["..%2f..%2fetc", "%2e%2e", "..%5c..", "a%00b", "x" * 64, "%0a", "."])
def test_no_path_is_deleted(untouched: TestClient, name: str) -> None:
    assert untouched.delete(f"/v1/collections/{name}").status_code in (404, 405, 422)
    assert names(untouched) == ["default"]
    assert untouched.post("/v1/documents", json={"documents": [{"id": "a", "text": "still there"}]}).is_success


def test_a_deletion_that_is_cut_short_leaves_the_collection_whole(
    client: TestClient, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(*_: object) -> None:
        raise KeyError("the power is gone")

    with monkeypatch.context() as broken:
        broken.setattr(Collections, "delete", cut_short)
        assert client.delete("/v1/collections/default").status_code == 500
    assert found(client, "whale") == ["a whale"]
    assert home.catalog.changes.count_pending(home.catalog.collections.get("default")) == 0


def test_while_another_process_holds_the_index_nothing_is_deleted(client: TestClient, home: Home) -> None:
    if home.settings.store != "edge":
        pytest.skip("nobody holds an index in memory")
    with OwnerLock(index_folder(home.settings, "held"), command="another"):
        home.catalog.collections.create("held", CollectionConfig())
        refused = client.delete("/v1/collections/held")
        assert (refused.status_code, "`another`" in refused.json()["detail"]) == (503, True)
    assert names(client) == ["default", "held"]
    assert client.delete("/v1/collections/held").status_code == 200


def test_a_key_makes_and_deletes_what_it_is_for(serving: Serving, home: Home) -> None:
    kept = home.catalog.keys
    mine = {"Authorization": f"Bearer {kept.create('mine', [Scope.ADMIN], collection='mine')[1]}"}
    writer = {"Authorization": f"Bearer {kept.create('writer', [Scope.WRITE])[1]}"}
    with TestClient(create_app(serving, access=Access(kept)), BASE) as locked:
        for headers, name, status in ((writer, "mine", 403), (mine, "default", 403), (mine, "mine", 201)):
            assert locked.post("/v1/collections", json={"name": name}, headers=headers).status_code == status
        for headers, name, status in ((writer, "mine", 403), (mine, "default", 403), (mine, "mine", 200)):
            assert locked.delete(f"/v1/collections/{name}", headers=headers).status_code == status
    assert [one.name for one in home.catalog.collections.list()] == ["default"]


def test_a_request_that_comes_again_deletes_once(client: TestClient) -> None:
    put(client, "poems", "a poem")
    key = {"Idempotency-Key": "once"}
    first, again = (client.delete("/v1/collections/poems", headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"


def test_an_index_that_is_closed_does_not_first_take_in_all_that_is_pending(
    client: TestClient, serving: Serving, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, began, goes_on, failures = serving.of("default"), threading.Event(), threading.Event(), []
    apply = IndexOwner.bring

    def held_up(*told: Any) -> None:
        began.set()
        goes_on.wait(10)
        apply(*told)

    def applied() -> None:
        try:
            served.apply()
        except StoreError as error:
            failures.append(str(error))

    monkeypatch.setattr(IndexOwner, "bring", held_up)
    served._owner.pace = Pace(changes=1, points=1)
    collection, encoder = home.prepared("default")
    applying, closing = threading.Thread(target=applied), threading.Thread(target=served.close)
    with served._turn:  # nobody applies them meanwhile
        documents = [Submitted(f"{number}", f"text {number}", format="text") for number in range(9)]
        submit(Pipeline.of(home.catalog, collection, encoder), documents)
        applying.start()
    assert began.wait(10)
    closing.start()
    while not served._is_leaving:
        pass
    goes_on.set()
    for thread in (applying, closing):
        thread.join(10)
    assert failures == ["The index of 'default' was closed; ask again."]
    assert not served.is_open
