"""The REST interface: what it answers, and that every error is a problem document."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.errors import StoreError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.settings import Settings
from service.app import create_app
from service.limits import MAX_BODY_BYTES
from service.serving import Serving

BASE = "http://127.0.0.1:8080"
DOCUMENTS = [
    {"id": "pets/dogs", "text": "# Dogs\n\nA puppy is a young dog.", "metadata": {"kind": "pet", "legs": 4}},
    {"id": "pets/cats", "text": "# Cats\n\nA kitten is a young cat.", "metadata": {"kind": "pet", "legs": 4}},
    {"id": "bread", "title": "Bread", "text": "<p>Bake the loaf in a hot <b>oven</b>.</p>", "format": "html"},
    {"id": "api", "text": "Call asyncio.to_thread.", "format": "text", "url": "https://example.com/api"},
]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Serving]:
    home = Home.open(Settings(home=tmp_path_factory.mktemp("home"), model=str(tiny_model), threads=1))
    with Serving(home) as started:
        yield started
    home.close()


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[TestClient]:
    with TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        connected.post("/v1/documents", json={"documents": DOCUMENTS}).raise_for_status()
        yield connected


def raw(client: TestClient, path: str, body: bytes, kind: str = "application/json") -> Any:
    return client.post(path, content=body, headers={"content-type": kind} if kind else {})


def assert_problem(response: Any, status: int, *parts: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["title"]
    for part in parts:
        assert part in body["detail"]


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [hit["document"]["id"] for hit in response.json()["hits"]]


def test_a_link_and_a_body_find_the_same_as_a_search_in_process(client: TestClient, serving: Serving) -> None:
    expected = serving.search("default", Query("a young hound", 3)).to_json()
    link = client.get("/v1/search", params={"q": "a young hound", "k": 3}).json()
    body = client.post("/v1/search", json={"query": "a young hound", "k": 3}).json()
    assert link["hits"] == body["hits"] == json.loads(json.dumps(expected["hits"]))
    assert link["hits"][0]["document"] == {
        "id": "pets/dogs",
        "title": "Dogs",
        "url": None,
        "metadata": {"kind": "pet", "legs": 4},
    }
    assert set(link) == {"query_id", "query", "hits", "timings_ms", "arm", "did_you_mean", "notes", "next"}
    assert link["arm"] == "hybrid@tiny"
    assert set(link["hits"][0]["passages"][0]) == {"chunk_id", "headings", "text", "highlights", "score", "legs"}


def test_every_format_is_searchable_when_the_answer_comes(client: TestClient) -> None:
    for mode in ("hybrid", "keyword", "embedding"):
        assert ids(client.get("/v1/search", params={"q": "oven loaf", "mode": mode}))[0] == "bread"
    assert ids(client.get("/v1/search?q=asyncio.to_thread"))[0] == "api"
    found = client.get("/v1/search?q=asyncio.to_thread&k=1").json()["hits"][0]
    assert (found["document"]["url"], found["document"]["title"]) == (
        "https://example.com/api",
        "Call asyncio.to_thread.",
    )


def test_filters_k_and_group_are_honoured(client: TestClient) -> None:
    where = {"and": [{"field": "legs", "gte": 4}, {"not": {"field": "kind", "equals": "wild"}}]}
    by_body = ids(client.post("/v1/search", json={"query": "young", "where": where}))
    by_link = ids(client.get("/v1/search", params={"q": "young", "where": ["legs>=4", "kind!=wild"]}))
    assert sorted(by_body) == sorted(by_link) == ["pets/cats", "pets/dogs"]
    assert len(ids(client.get("/v1/search?q=young&k=1"))) == 1
    assert client.get("/v1/search?q=young&group=false").json()["hits"][0]["passages"]


def test_an_unchanged_document_costs_nothing_and_a_changed_one_replaces_the_old(client: TestClient) -> None:
    first = {"id": "note", "text": "The snow is cold."}
    assert client.post("/v1/documents", json={"documents": [first]}).json()["kept"] == 1
    again = client.post("/v1/documents", json={"documents": [first, first]}).json()
    assert again == {"kept": 0, "unchanged": 1, "chunks": 0, "embedded": 0, "failures": [], "indexed": True}
    changed = {"id": "note", "text": "The summer is warm."}
    assert client.post("/v1/documents", json={"documents": [changed]}).json()["kept"] == 1
    assert ids(client.get("/v1/search?q=snow&mode=keyword")) == []
    assert ids(client.get("/v1/search?q=summer&mode=keyword")) == ["note"]


def test_one_bad_document_never_sinks_the_batch(client: TestClient) -> None:
    awkward = (
        b'{"collection":"awkward","documents":['
        b'{"id":"empty","text":" \\n"},'
        b'{"id":"unknown","text":"x","body":"y"},'
        b'{"id":"no text"},'
        b'{"id":7,"text":"number"},'
        b'{"id":"nul\\u0000","text":"x"},'
        b'{"id":"script","text":"x","url":"javascript:alert(1)"},'
        b'{"id":"someday","text":"x","created":"some day"},'
        b'{"id":"deep","text":"x","metadata":{"a":' + b"[" * 400 + b"]" * 400 + b"}},"
        b'"not an object",'
        b'{"id":"half an emoji","text":"a rabbit \\ud83d ran \\u0000 away","tags":["\\ud83d"],'
        b'"metadata":{"k":"\\udc00","big":1' + b"0" * 400 + b',"nan":NaN,"":1,"a.b":{"c":[1]}}},'
        b'{"id":"good","text":"a fine goat"}]}'
    )
    answer = raw(client, "/v1/documents", awkward)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["kept"], body["unchanged"], body["indexed"]) == (2, 0, True)
    reasons = {failure["id"]: failure["reason"] for failure in body["failures"]}
    assert len(body["failures"]) == 9
    assert "neither title nor text" in reasons["empty"]
    assert reasons["unknown"] == "body: no such field is known here; leave it out, or see /docs for those there are"
    assert reasons["no text"] == "text: this is needed and was not given"
    assert "without NUL" in reasons["nul\0"]
    assert "http" in reasons["script"]
    assert "ISO 8601" in reasons["someday"]
    assert "deeper than 20" in reasons["deep"]
    found = client.get("/v1/search?q=rabbit&collection=awkward").json()["hits"][0]
    assert found["document"]["id"] == "half an emoji"
    assert found["document"]["metadata"]["nan"] is None
    assert found["passages"][0]["text"] == "a rabbit \ufffd ran \ufffd away"


def test_a_request_of_which_nothing_can_be_kept_fails(client: TestClient) -> None:
    answer = client.post("/v1/documents", json={"documents": [{"id": "a", "text": ""}, {"id": "b", "txt": "x"}]})
    assert_problem(answer, 422, "No document was kept", "'b': text: this is needed and was not given")
    assert {failure["id"] for failure in answer.json()["failures"]} == {"a", "b"}


def test_a_first_post_makes_its_collection_and_chooses_its_model(client: TestClient, serving: Serving) -> None:
    assert_problem(client.get("/v1/search?q=x&collection=new"), 404, "'new'")
    body = {"collection": "new", "documents": [{"id": "a", "text": "A red bridge."}]}
    assert client.post("/v1/documents", json=body).json()["indexed"] is True
    assert ids(client.get("/v1/search?q=bridge&collection=new")) == ["a"]
    assert serving.home.catalog.collections.get("new").config.model == "tiny"


def test_a_collection_without_documents_answers_with_what_it_can(client: TestClient, serving: Serving) -> None:
    from retrieval.catalog import CollectionConfig

    serving.home.catalog.collections.create("bare", CollectionConfig())
    assert ids(client.get("/v1/search?q=x&mode=keyword&collection=bare")) == []
    assert_problem(client.get("/v1/search?q=x&collection=bare"), 503, "no embedding model yet")
    serving.home.prepared("bare")  # its model is chosen, nothing is embedded
    serving.of("bare").follow(serving.home.catalog.collections.get("bare"))
    assert ids(client.get("/v1/search?q=x&collection=bare")) == []


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("", 422, "q: this is needed and was not given"),
        ("q=", 422, "q: "),
        ("q=%20", 400, "empty"),
        ("q=x&k=0", 422, "k:"),
        ("q=x&k=1001", 422, "k:"),
        ("q=x&k=ten", 422, "k:"),
        ("q=x&mode=fuzzy", 422, "mode"),
        ("q=x&group=maybe", 422, "group"),
        ("q=x&limit=3", 422, "limit: no such parameter is known here; known are: "),
        ("q=x&where=%3D%3D", 400, "The filter"),
        ("q=x&collection=nowhere", 404, "There is no collection 'nowhere'"),
        (f"q=x&collection={'n' * 64}", 422, "collection"),
        (f"q={'x' * 10_001}", 422, "10000"),
    ],
)
def test_a_link_that_cannot_be_answered_says_why(client: TestClient, query: str, status: int, detail: str) -> None:
    assert_problem(client.get(f"/v1/search?{query}"), status, detail)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 422, "body"),
        (b"{", 422, "not JSON"),
        (b"[]", 422, "JSON object"),
        (b"\xff\xfe", 422, "not JSON"),
        (b"[" * 100_000, 400, "nests too deep"),
        (b'{"query":"x","k":' + b"9" * 5000 + b"}", 400, "thousands of digits"),
        (b'{"query":"x","q":"x"}', 422, "q: no such field"),
        (b'{"query":"x","\\ud800":1}', 422, "unicode"),
        (b'{"query":"x","where":{"field":"a"}}', 400, "filter on 'a'"),
        (b'{"query":"x","where":{"and":' + b'[{"and":' * 50 + b"[]" + b"}]" * 50 + b"}}", 400, "levels"),
        (b'{"query":"x","where":[]}', 422, "where"),
    ],
)
def test_a_body_that_cannot_be_answered_says_why(client: TestClient, body: bytes, status: int, detail: str) -> None:
    assert_problem(raw(client, "/v1/search", body), status, detail)


@pytest.mark.parametrize(
    "query", ["dog \x00 puppy", "dog \\ud83d", "\u202edog", "*?:()[]{}\"'", "x" * 10_000, "犬 🐕 dog"]
)
def test_hostile_queries_are_only_text(client: TestClient, query: str) -> None:
    quoted = json.dumps(query).replace("\\\\ud83d", "\\ud83d")
    assert raw(client, "/v1/search", b'{"query":' + quoted.encode() + b"}").status_code == 200
    assert client.get("/v1/search", params={"q": query}).status_code == 200
    assert client.get("/v1/search?q=%ED%A0%80%00%FF").status_code == 200


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_what_a_foreign_web_page_may_send_unasked_is_refused(client: TestClient, kind: str) -> None:
    body = b'{"documents":[{"id":"planted","text":"planted"}]}'
    assert_problem(raw(client, "/v1/documents", body, kind), 422, "application/json")
    assert ids(client.get("/v1/search?q=planted&mode=keyword")) == []


def test_unknown_paths_and_methods_are_problems_too(client: TestClient) -> None:
    assert_problem(client.get("/nowhere"), 404, "GET /nowhere", "/docs")
    assert_problem(client.get("/v1/search/?q=x", follow_redirects=False), 404, "/v1/search/")
    assert_problem(client.delete("/v1/search"), 405, "DELETE /v1/search")


@pytest.mark.parametrize("accepted", ["*/*", "text/html"])
def test_every_error_of_the_interface_is_a_problem_with_the_requests_number(client: TestClient, accepted: str) -> None:
    told = {"accept": accepted, "x-request-id": "number-7"}
    paths = [path for path in client.get("/openapi.json").json()["paths"] if path.startswith("/v1/")]
    asked = [("GET", "/v1", 404), ("POST", "/v1/", 404), ("GET", "/v1//jobs", 404)]
    for path in (re.sub(r"{(job|schedule)}", "1", path) for path in paths):
        asked += [("PATCH", path, 405), ("GET", f"{path}/", 404), ("GET", f"{path}/x/y", 404)]
    for method, path, status in asked:
        answer = client.request(method, path, headers=told)
        assert_problem(answer, status, f"{method} {path}")
        assert answer.headers.get_list("x-request-id") == ["number-7"]
    foreign = client.get("/v1/search?q=x", headers={**told, "host": "evil.example"})
    assert_problem(foreign, 400, "evil.example")
    assert foreign.headers.get_list("x-request-id") == ["number-7"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/search", "GET, HEAD, POST"),
        ("/v1/jobs/1", "GET, HEAD"),
        ("/v1/schedules/1", "GET, HEAD, DELETE"),
        ("/v1/judgments/x/grades", "PUT"),
        ("/v1/documents/delete", "POST"),
        ("/documents", "GET, HEAD, POST"),
    ],
)
def test_every_method_that_a_path_has_is_allowed(client: TestClient, path: str, allowed: str) -> None:
    for method in ("OPTIONS", "PATCH", "TRACE"):
        answer = client.request(method, path)
        assert_problem(answer, 405, f"{method} {path}")
        assert answer.headers["allow"] == allowed


def test_a_request_for_another_host_is_refused(client: TestClient) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    assert_problem(client.get("/healthz", headers={"host": "evil.example"}), 400, "evil.example")


def test_a_body_over_the_limit_is_refused_declared_or_not(client: TestClient) -> None:
    declared = client.post("/v1/documents", content=b" " * (MAX_BODY_BYTES + 1))
    assert_problem(declared, 413, str(MAX_BODY_BYTES))
    chunked = client.post("/v1/search", content=(b" " * 1_000_000 for _ in range(33)))
    assert_problem(chunked, 413, str(MAX_BODY_BYTES))


def test_an_unexpected_error_tells_nothing_of_the_inside(
    client: TestClient, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(serving, "search", broken)
    answer = client.get("/v1/search?q=x")
    assert_problem(answer, 500, "log")
    assert "secret" not in answer.text


def test_documents_whose_index_fails_are_kept_and_said_to_be_unindexed(
    client: TestClient, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(serving.of("default"), "apply", failing)
        body = {"documents": [{"id": "patient", "text": "a patient waits"}]}
        answer = client.post("/v1/documents", json=body).json()
        assert (answer["kept"], answer["indexed"]) == (1, False)
    serving.of("default").apply()
    assert ids(client.get("/v1/search?q=patient&k=1")) == ["patient"]


def test_the_description_names_every_answer_and_gives_examples_that_work(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    operations = {(m, p): o for p, methods in description["paths"].items() for m, o in methods.items()}
    assert set(operations) == {
        ("get", "/v1/search"),
        ("post", "/v1/search"),
        ("get", "/v1/facets"),
        ("post", "/v1/facets"),
        ("get", "/v1/suggest"),
        ("post", "/v1/context"),
        ("post", "/v1/feedback"),
        ("post", "/v1/documents"),
        ("get", "/v1/documents"),
        ("post", "/v1/documents/delete"),
        ("get", "/v1/documents/by-id"),
        ("post", "/v1/documents/files"),
        ("get", "/v1/collections"),
        ("post", "/v1/collections"),
        ("delete", "/v1/collections/{name}"),
        ("get", "/v1/models"),
        ("post", "/v1/models/{version}/promote"),
        ("post", "/v1/models/rollback"),
        ("get", "/v1/jobs"),
        ("post", "/v1/jobs"),
        ("get", "/v1/jobs/{job}"),
        ("post", "/v1/jobs/{job}/cancel"),
        ("post", "/v1/jobs/{job}/resume"),
        ("get", "/v1/jobs/{job}/log"),
        ("get", "/v1/jobs/{job}/events"),
        ("get", "/v1/judgments"),
        ("post", "/v1/judgments"),
        ("get", "/v1/judgments/{name}/export"),
        ("post", "/v1/judgments/{name}/pool"),
        ("get", "/v1/judgments/{name}/next"),
        ("put", "/v1/judgments/{name}/grades"),
        ("get", "/v1/evaluations"),
        ("post", "/v1/evaluations"),
        ("get", "/v1/evaluations/{finding}"),
        ("get", "/v1/votes"),
        ("get", "/v1/votes/tally"),
        ("get", "/v1/schedules"),
        ("post", "/v1/schedules"),
        ("get", "/v1/schedules/{schedule}"),
        ("delete", "/v1/schedules/{schedule}"),
        ("post", "/v1/schedules/{schedule}/enable"),
        ("post", "/v1/schedules/{schedule}/disable"),
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }
    for (_, path), operation in operations.items():
        assert {"400", "500"} < set(operation["responses"])
        for code, response in operation["responses"].items():
            if code == "304":
                assert "content" not in response
                continue
            answered = {"/v1/jobs/{job}/events": "text/event-stream", "/metrics": "text/plain"}.get(
                path, "application/json"
            )
            expected = answered if code < "300" or (path == "/readyz" and code == "503") else "application/problem+json"
            assert list(response["content"]) == [expected]
    assert {"404", "413", "422", "503"} <= set(operations["post", "/v1/search"]["responses"])
    assert {"413", "422", "503"} <= set(operations["post", "/v1/documents"]["responses"])
    for name, path in (
        ("SearchRequest", "/v1/search"),
        ("FacetsRequest", "/v1/facets"),
        ("ContextRequest", "/v1/context"),
        ("DocumentsRequest", "/v1/documents"),
    ):
        example = description["components"]["schemas"][name]["examples"][0]
        assert client.post(path, json=example).status_code == 200
