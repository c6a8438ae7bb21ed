"""ETags: an answer that holds is not sent again, and nobody overwrites what they have not seen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.catalog import Batch
from retrieval.catalog.keys import Scope
from retrieval.catalog.unchanged import DocumentChanged
from retrieval.home import Home
from retrieval.settings import Settings
from service.api.conditional import names
from service.app import create_app
from service.auth import Access
from service.serving import Serving
from tests.homes import Workbench, page

BASE = "http://127.0.0.1:8080"
DOCUMENTS = [{"id": "dogs", "text": "A puppy is a young dog."}, {"id": "cats", "text": "A kitten is a young cat."}]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Home]:
    home = Home.open(Settings(home=tmp_path_factory.mktemp("home"), model=str(tiny_model), threads=1))
    yield home
    home.close()


@pytest.fixture(scope="module")
def connected(home: Home) -> Iterator[TestClient]:
    with Serving(home) as serving, TestClient(create_app(serving), BASE) as client:
        yield client


@pytest.fixture
def client(connected: TestClient) -> TestClient:
    """A service that has the documents as they were at the beginning."""
    put(connected, *DOCUMENTS).raise_for_status()
    return connected


def put(client: TestClient, *documents: dict[str, str], **headers: str) -> Any:
    return client.post("/v1/documents", json={"documents": documents}, headers=headers)


def state_of(client: TestClient) -> Any:
    return client.app.state  # type: ignore[attr-defined]


def shown(client: TestClient, document: str = "dogs") -> Any:
    return client.get("/v1/documents/by-id", params={"id": document})


def test_an_answer_that_a_client_has_is_not_sent_again(client: TestClient) -> None:
    document = "/v1/documents/by-id?id=dogs"
    for path in ("/v1/documents", document, "/v1/collections", "/v1/models", "/v1/search?q=dog", "/v1/search?q=x"):
        first = client.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        assert tag.startswith("W/") == path.startswith("/v1/search")
        for sent in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
            again = client.get(path, headers={"If-None-Match": sent})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_tag_changes_with_what_it_is_of(client: TestClient) -> None:
    paths = ("/v1/documents", "/v1/documents/by-id?id=dogs", "/v1/collections", "/v1/search?q=cat")
    before = {path: client.get(path).headers["etag"] for path in paths}
    put(client, {"id": "dogs", "title": "Hounds", "text": "A hound runs. A kitten sleeps."}, {"id": "e", "text": "x"})
    for path, tag in before.items():
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 200, path


def test_a_search_has_another_tag_when_the_index_the_settings_or_the_question_change(
    client: TestClient, home: Home
) -> None:
    def tag(query: str = "q=young") -> str:
        return str(client.get(f"/v1/search?{query}").headers["etag"])

    first = tag()
    assert tag("q=young&k=3") != first
    client.post("/v1/documents/delete", json={"ids": ["cats"]})
    second = tag()
    put(client, DOCUMENTS[1])
    third = tag()
    served = state_of(client).serving.of("default")
    collection = home.catalog.collections.get("default")
    other = home.catalog.collections.configure(collection, replace(collection.config, embedding_weight=0.5))
    served.follow(other)
    served.apply()
    assert len({first, second, third, tag()}) == 4


def test_a_search_that_cannot_be_answered_has_no_tag_and_says_why(client: TestClient) -> None:
    for query, status in (("q=", 422), ("q=x&collection=nowhere", 404), ("q=x&where=%3D%3D", 400)):
        answer = client.get(f"/v1/search?{query}", headers={"If-None-Match": '"x"'})
        assert (answer.status_code, "etag" in answer.headers) == (status, False)


def test_a_search_by_another_model_has_no_tag_because_its_vectors_come_without_a_change(client: TestClient) -> None:
    answer = client.get("/v1/search?q=dog&model=tiny", headers={"If-None-Match": "*"})
    assert (answer.status_code, "etag" in answer.headers) == (200, False)


def test_who_may_not_search_a_collection_learns_nothing_of_it_by_a_tag(client: TestClient, home: Home) -> None:
    sent = home.catalog.keys.create("other", [Scope.READ], collection="other")[1]
    with TestClient(create_app(state_of(client).serving, access=Access(home.catalog.keys)), BASE) as locked:
        for headers, status in (({"Authorization": f"Bearer {sent}"}, 403), ({}, 401)):
            answer = locked.get("/v1/search?q=x", headers={**headers, "If-None-Match": "*"})
            assert (answer.status_code, "etag" in answer.headers) == (status, False)


def test_a_document_is_replaced_and_deleted_only_as_it_was_seen(client: TestClient) -> None:
    seen = shown(client).headers["etag"]
    assert put(client, {"id": "dogs", "text": "A wolf."}, **{"If-Match": seen}).json()["kept"] == 1
    late = put(client, {"id": "dogs", "text": "A fox."}, **{"If-Match": seen})
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    assert "changed or deleted" in late.json()["detail"]
    gone = client.post("/v1/documents/delete", json={"ids": ["dogs"]}, headers={"If-Match": seen})
    assert (gone.status_code, shown(client).json()["text"]) == (412, "A wolf.")
    now = shown(client).headers["etag"]
    same = put(client, {"id": "dogs", "text": "A wolf."}, **{"If-Match": now})
    assert same.json()["unchanged"] == 1
    assert client.post("/v1/documents/delete", json={"ids": ["dogs"]}, headers={"If-Match": now}).status_code == 200
    assert put(client, {"id": "dogs", "text": "A wolf."}, **{"If-Match": "*"}).status_code == 412
    assert shown(client).status_code == 404


def test_if_match_is_for_one_document(client: TestClient) -> None:
    assert put(client, *DOCUMENTS, **{"If-Match": '"x"'}).status_code == 400
    both = {"ids": ["dogs", "cats"]}
    assert client.post("/v1/documents/delete", json=both, headers={"If-Match": '"x"'}).status_code == 400


def test_what_changes_while_a_write_is_on_its_way_is_seen_in_its_transaction(tmp_path: Path, tiny_model: Path) -> None:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(page("a", "A bear."))
    documents, collection, words = bench.home.catalog.documents, bench.collection, bench.pipeline.analyzer.words
    stale = {"a": documents.content_hash(collection, "a")}
    record = bench.pipeline.prepare(page("a", "A wolf."), "a")
    bench.put(page("a", "A fox."))
    with pytest.raises(DocumentChanged):
        documents.put(collection, Batch("/pages", [record]), words, still=stale)
    with pytest.raises(DocumentChanged):
        documents.delete(collection, ["a"], words, still=stale)
    assert documents.get(collection, "a").text == "A fox."
    bench.close()


@pytest.mark.parametrize(
    ("header", "is_weak", "expected"),
    [
        ('"a"', False, True),
        ('W/"a"', False, False),
        ('W/"a"', True, True),
        ('"b", "a"', False, True),
        ("*", False, True),
        ('"b"', True, False),
        ("", True, False),
    ],
)
def test_tags_are_compared_as_the_standard_says(header: str, is_weak: bool, expected: bool) -> None:
    assert names(header, '"a"', is_weak=is_weak) is expected
