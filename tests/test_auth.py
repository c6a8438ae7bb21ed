"""Who may ask a service for what: every route wants a scope, a key may be for one collection, nobody asks too often."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.catalog.keys import Scope
from retrieval.errors import UsageError
from retrieval.home import Home
from service.app import create_app
from service.auth import COOKIE, FAILURES, Access, make_local_token, rate_of
from service.remote import read_local_token
from service.serving import Serving
from tests.homes import opened_home

BASE = "http://127.0.0.1:8080"
OPEN = {"/healthz", "/readyz"}


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model)
    home.prepared("other")
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    access = Access(home.catalog.keys, rate="30/hour", local_token="its owner's")
    with (
        Serving(home) as serving,
        TestClient(create_app(serving, access=access), BASE, raise_server_exceptions=False) as connected,
    ):
        yield connected


def key(home: Home, scope: Scope = Scope.READ, collection: str = "") -> dict[str, str]:
    return {"Authorization": f"Bearer {home.catalog.keys.create('a key', [scope], collection=collection)[1]}"}


def test_nothing_is_told_to_whoever_has_no_key(client: TestClient) -> None:
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            answer = client.request(method, re.sub(r"\{\w+\}", "1", path), json={})
            if path in OPEN:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.headers["content-type"] == "application/problem+json"


def test_a_scope_opens_what_it_is_for(client: TestClient, home: Home) -> None:
    document: dict[str, Any] = {"documents": [{"id": "a", "text": "A bear."}]}
    train, audit = ({"kind": kind} for kind in ("train", "audit"))
    calls = [("GET", "/v1/search?q=bear", None, 200), ("POST", "/v1/documents", document, 200)]
    calls += [("POST", "/v1/jobs", audit, 202), ("POST", "/v1/jobs", train, 202)]
    for scope, allowed in ((Scope.READ, 1), (Scope.WRITE, 3), (Scope.ADMIN, 4)):
        headers = key(home, scope)
        for place, (method, path, body, done) in enumerate(calls):
            answer = client.request(method, path, json=body, headers=headers)
            assert answer.status_code in ((done, 409) if place < allowed else (403,)), (
                scope,
                method,
                path,
                answer.text,
            )
            if place >= allowed:
                assert "needs the scope" in answer.json()["detail"]


def test_a_key_may_be_for_one_collection(client: TestClient, home: Home) -> None:
    headers = key(home, Scope.ADMIN, "other")
    for collection, status in (("other", 200), ("default", 403)):
        asked = {"q": "bear", "collection": collection}
        assert client.get("/v1/search", params=asked, headers=headers).status_code == status
        body: dict[str, Any] = {"query": "bear", "collection": collection}
        assert client.post("/v1/search", json=body, headers=headers).status_code == status
        body = {"collection": collection, "documents": [{"id": "a", "text": "A bear."}]}
        assert client.post("/v1/documents", json=body, headers=headers).status_code == status
    whole = key(home, Scope.ADMIN)
    jobs = {
        name: client.post("/v1/jobs", json={"kind": "audit", "collection": name}, headers=whole).json()["id"]
        for name in ("default", "other")
    }
    assert client.post("/v1/jobs", json={"kind": "audit"}, headers=headers).status_code == 403
    assert [job["collection"] for job in client.get("/v1/jobs", headers=headers).json()["jobs"]] == ["other"]
    assert client.get("/v1/jobs?collection=default", headers=headers).status_code == 403
    for path in ("/v1/models", "/metrics"):
        assert client.get(path, headers=headers).status_code == 403
    assert [one["name"] for one in client.get("/v1/collections", headers=headers).json()["collections"]] == ["other"]
    for path in ("", "/log", "/events"):
        assert client.get(f"/v1/jobs/{jobs['default']}{path}", headers=headers).status_code == 404
    assert client.post(f"/v1/jobs/{jobs['default']}/cancel", headers=headers).status_code == 404
    assert client.post(f"/v1/jobs/{jobs['other']}/cancel", headers=headers).status_code == 200


def test_only_a_key_for_every_collection_is_told_what_is_not_ready(
    client: TestClient, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[str]:
        return ["Collection 'other' is not open yet."]

    monkeypatch.setattr(Serving, "missing", broken)
    wrong = {"Authorization": "Bearer tandem_0_guess"}
    for headers, is_told in ((key(home), True), (key(home, collection="other"), False), (wrong, False), ({}, False)):
        answer = client.get("/readyz", headers=headers)
        assert answer.status_code == 503
        assert ("'other'" in answer.text) is is_told
    monkeypatch.undo()
    assert client.get("/readyz", headers=wrong).json() == {"status": "ready", "missing": []}
    security = client.get("/openapi.json").json()["paths"]["/readyz"]["get"]["security"]
    assert security == [{"key": []}, {}]


def test_a_revoked_key_is_of_no_use_at_once(client: TestClient, home: Home) -> None:
    made, sent = home.catalog.keys.create("a key", [Scope.READ])
    headers = {"Authorization": f"Bearer {sent}"}
    assert client.get("/v1/jobs", headers=headers).status_code == 200
    home.catalog.keys.revoke(made.id)
    refused = client.get("/v1/jobs", headers=headers)
    assert refused.status_code == 401
    assert sent not in refused.text


def test_whoever_asks_too_often_is_told_when_to_come_back(client: TestClient, home: Home) -> None:
    headers, other = key(home), key(home)
    assert {client.get("/v1/jobs", headers=headers).status_code for _ in range(30)} == {200}
    refused = client.get("/v1/jobs", headers=headers)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 3_600
    assert client.get("/v1/jobs", headers=other).status_code == 200


def test_keys_are_not_found_by_trying(client: TestClient, home: Home) -> None:
    wrong = {"Authorization": "Bearer tandem_0_guess"}
    found = [client.get("/v1/jobs", headers=wrong).status_code for _ in range(int(FAILURES.partition("/")[0]) + 1)]
    assert set(found[:-1]) == {401}
    assert found[-1] == 429
    assert client.get("/v1/jobs", headers=key(home)).status_code == 200  # from the same address


def test_the_owners_commands_need_no_key(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/v1/jobs", headers={"Authorization": "Bearer its owner's"}).status_code == 200
    token = make_local_token(tmp_path)
    assert read_local_token(tmp_path) == token
    assert make_local_token(tmp_path) != token
    assert read_local_token(tmp_path / "elsewhere") == ""


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="TANDEM_RATE_LIMIT is 'often'"):
        rate_of("often")


def test_a_large_body_is_read_from_whoever_may_send_one(client: TestClient, home: Home) -> None:
    def sent(megabytes: float, headers: dict[str, str]) -> Any:
        document = {"id": "long", "title": "word " * int(megabytes * 200_000)}  # without a text, so that none is kept
        return client.post("/v1/documents", json={"documents": [document]}, headers=headers)

    writer, reader = key(home, Scope.WRITE), key(home, Scope.READ)
    assert sent(0.01, {}).status_code == 401
    assert sent(2, {}).status_code == 401
    assert "32000000 bytes" in sent(40, writer).json()["detail"]
    too_long = sent(2, reader)
    assert (too_long.status_code, too_long.headers["connection"]) == (413, "close")
    assert too_long.json()["detail"] == "The body is larger than 1000000 bytes; this key only reads."
    assert sent(0.5, reader).status_code == 403
    assert sent(2, writer).status_code == 422
    with_cookie = client.post(
        "/", content=b"x" * 100_000, headers={"Cookie": f"{COOKIE}={reader['Authorization'][7:]}"}
    )
    assert with_cookie.status_code == 405


def test_guessing_keys_with_large_bodies_is_guessing_too(client: TestClient) -> None:
    wrong = {"Authorization": "Bearer tandem_0_0"}
    answers = [client.post("/v1/documents", content=b"x" * 70_000, headers=wrong).status_code for _ in range(31)]
    assert answers == [401] * 30 + [429]
