"""A parameter that an operation does not know is refused: a slip must not write to another collection."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.catalog.keys import Scope
from retrieval.home import Home
from service.api.known import parameters_of
from service.app import INTERFACE, create_app
from service.auth import Access
from service.serving import Serving
from tests.homes import opened_home

BASE = "http://127.0.0.1:8080"
DOCUMENT = {"documents": [{"id": "a", "text": "A bear."}]}


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model)
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    with Serving(home) as serving, TestClient(create_app(serving), BASE) as connected:
        yield connected


def detail(answer: Any) -> str:
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    return str(answer.json()["detail"])


def test_a_write_with_its_collection_in_the_address_writes_nothing(client: TestClient, home: Home) -> None:
    refused = client.post("/v1/documents", params={"collection": "secret"}, json=DOCUMENT)
    assert detail(refused) == ("query.collection: no such parameter is known here; known are: none in the address")
    files = client.post("/v1/documents/files?collection=secret", files={"files": ("a.md", b"# A\n\nA bear.")})
    assert "query.collection: " in detail(files)
    assert home.catalog.documents.keys(home.catalog.collections.get("default")) == {}


def test_what_is_known_is_named(client: TestClient) -> None:
    told = detail(client.get("/v1/documents?colection=secret&limit=3&frm=2"))
    assert told == "; ".join(
        f"query.{name}: no such parameter is known here; known are: collection, after, limit"
        for name in ("colection", "frm")
    )


def test_every_operation_refuses_what_its_description_does_not_have(client: TestClient) -> None:
    description: Any = client.get("/openapi.json").json()["paths"]
    declared = {
        (method.upper(), path): [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
        for path, methods in description.items()
        for method, operation in methods.items()
        if path.startswith("/v1/")
    }
    routes = [route for resource in INTERFACE for route in resource.router.routes]
    known = {(method, route.path): list(parameters_of(route.endpoint)) for route in routes for method in route.methods}
    assert known == declared
    for method, path in declared:
        filled_in = path.replace("{job}", "1").replace("{schedule}", "1")
        assert "query.foo: " in detail(client.request(method, f"{filled_in}?foo=1", json={})), (method, path)


def test_a_key_is_asked_for_first_and_counts_once(home: Home) -> None:
    access = Access(home.catalog.keys, rate="3/hour")
    sent = {"Authorization": f"Bearer {home.catalog.keys.create('a key', [Scope.WRITE])[1]}"}
    with Serving(home) as serving, TestClient(create_app(serving, access=access), BASE) as client:
        assert client.post("/v1/documents?foo=1", json=DOCUMENT).status_code == 401
        assert client.post("/v1/documents?foo=1", json=DOCUMENT, headers=sent).status_code == 422
        statuses = [client.post("/v1/documents", json=DOCUMENT, headers=sent).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
