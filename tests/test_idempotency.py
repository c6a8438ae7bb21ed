"""Requests that come twice: done once, answered alike; and keys that are another's, in use, or long ago."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from retrieval.catalog import Catalog
from retrieval.catalog.idempotency import KEPT_S, SILENT_S, Answer, Claim, Keyed, KeyInUse, KeyReused
from retrieval.catalog.keys import Scope
from retrieval.catalog.schema_idempotency import idempotency_keys
from retrieval.home import Home
from retrieval.settings import Settings
from service.api import idempotent
from service.app import create_app
from service.auth import Access
from service.serving import Serving

BASE = "http://127.0.0.1:8080"
KEYED = Keyed("me", "k", "digest")
DONE = Answer(200, "application/json", b"{}")


def aged(catalog: Catalog, **ages_s: float) -> None:
    """Make every row older."""
    table = idempotency_keys
    with catalog.database.write() as connection:
        connection.execute(update(table).values({name: table.c[name] - age_s for name, age_s in ages_s.items()}))


def claimed(catalog: Catalog, keyed: Keyed = KEYED) -> Claim:
    claim = catalog.idempotency.claim(keyed)
    assert isinstance(claim, Claim)
    return claim


def test_an_answer_is_kept_for_whoever_asks_the_same_again(catalog: Catalog) -> None:
    catalog.idempotency.keep(claimed(catalog), DONE)
    assert catalog.idempotency.claim(KEYED) == DONE
    with pytest.raises(KeyReused, match="'k' was sent with another request"):
        catalog.idempotency.claim(Keyed("me", "k", "another digest"))
    assert isinstance(catalog.idempotency.claim(Keyed("somebody else", "k", "another digest")), Claim)


def test_a_request_that_is_still_being_answered_is_not_begun_again(catalog: Catalog) -> None:
    claim = claimed(catalog)
    with pytest.raises(KeyInUse):
        catalog.idempotency.claim(KEYED)
    aged(catalog, beat_at=SILENT_S + 1)
    catalog.idempotency.beat(claim)
    with pytest.raises(KeyInUse):
        catalog.idempotency.claim(KEYED)


def test_a_key_whose_holder_went_away_is_claimed_by_the_next_and_the_first_changes_nothing_any_more(
    catalog: Catalog,
) -> None:
    first = claimed(catalog)
    aged(catalog, beat_at=SILENT_S + 1)
    second = claimed(catalog)
    catalog.idempotency.keep(first, DONE)
    catalog.idempotency.give_up(first)
    with pytest.raises(KeyInUse):
        catalog.idempotency.claim(KEYED)
    catalog.idempotency.give_up(second)
    assert isinstance(catalog.idempotency.claim(KEYED), Claim)


def test_a_key_is_forgotten_after_a_day(catalog: Catalog) -> None:
    catalog.idempotency.keep(claimed(catalog), DONE)
    aged(catalog, made_at=KEPT_S - 60)
    assert catalog.idempotency.claim(KEYED) == DONE
    aged(catalog, made_at=120)
    assert isinstance(catalog.idempotency.claim(Keyed("me", "k", "another digest")), Claim)


# Over HTTP


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Home]:
    home = Home.open(Settings(home=tmp_path_factory.mktemp("home"), model=str(tiny_model), threads=1))
    home.prepared("default")
    yield home
    home.close()


@pytest.fixture(scope="module")
def serving(home: Home) -> Iterator[Serving]:
    with Serving(home) as started:
        yield started


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[TestClient]:
    with TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        yield connected


def posted(client: TestClient, key: str, text: str, document_id: str = "a") -> Any:
    body = {"documents": [{"id": document_id, "text": text}]}
    return client.post("/v1/documents", json=body, headers={"Idempotency-Key": key})


def test_the_same_request_with_the_same_key_has_the_first_answer_again(client: TestClient) -> None:
    first, again = posted(client, "first", "A bear."), posted(client, "first", "A bear.")
    assert (first.json()["kept"], "idempotency-replayed" in first.headers) == (1, False)
    assert (again.status_code, again.content, again.headers["content-type"]) == (
        200,
        first.content,
        first.headers["content-type"],
    )
    assert again.headers["idempotency-replayed"] == "true"
    assert posted(client, "second", "A bear.").json()["unchanged"] == 1
    other = posted(client, "first", "A wolf.")
    assert (other.status_code, other.headers["content-type"]) == (422, "application/problem+json")
    assert "another request" in other.json()["detail"]


def test_a_delete_and_a_job_are_done_once_too(client: TestClient) -> None:
    posted(client, "keep", "A fox.", "fox").raise_for_status()
    key = {"Idempotency-Key": "delete"}
    answers = [client.post("/v1/documents/delete", json={"ids": ["fox"]}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    job: dict[str, Any] = {"json": {"kind": "audit"}, "headers": {"Idempotency-Key": "job"}}
    first, again = client.post("/v1/jobs", **job), client.post("/v1/jobs", **job)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    assert client.post("/v1/jobs", json={"kind": "audit"}).status_code == 409
    assert client.post("/v1/jobs", json={"kind": "train"}, headers=job["headers"]).status_code == 422


def test_a_form_is_the_same_request_however_it_is_written(client: TestClient) -> None:
    def sent(text: bytes, boundary: str) -> Any:
        body = b'--%b\r\nContent-Disposition: form-data; name="files"; filename="n.txt"\r\n\r\n%b\r\n--%b--\r\n'
        headers = {"Idempotency-Key": "form", "Content-Type": f"multipart/form-data; boundary={boundary}"}
        content = body % (boundary.encode(), text, boundary.encode())
        return client.post("/v1/documents/files", content=content, headers=headers)

    first, again = sent(b"A note on hares.", "one"), sent(b"A note on hares.", "two")
    assert (first.status_code, again.content) == (200, first.content)
    assert sent(b"A note on rabbits.", "three").status_code == 422


@pytest.mark.parametrize("body", [{"documents": []}, {"documents": [{"id": "a", "text": ""}]}, {"nothing": 1}])
def test_a_request_that_failed_has_done_nothing_and_leaves_its_key_free(client: TestClient, body: Any) -> None:
    headers = {"Idempotency-Key": "failed"}
    assert client.post("/v1/documents", json=body, headers=headers).status_code == 422
    assert client.post("/v1/documents", json=body, headers=headers).status_code == 422
    posted(client, "failed", "A badger.", "badger").raise_for_status()


@pytest.mark.parametrize("key", ["", "two words", "é", "x" * 256])
def test_a_key_is_printable_ascii_of_some_length(client: TestClient, key: str) -> None:
    answer = client.post("/v1/documents", json={"documents": []}, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, "dempotency" in answer.json()["detail"]) == (422, True)


def test_while_a_request_is_being_answered_its_twin_is_told_to_wait(
    client: TestClient, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    submit = serving.submit

    def slow(*told: Any, **how: Any) -> Any:
        begun.set()
        assert go_on.wait(10)
        return submit(*told, **how)

    monkeypatch.setattr(serving, "submit", slow)
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(posted(client, "slow", "A slow snail.", "snail")))
    first.start()
    assert begun.wait(10)
    twin = posted(client, "slow", "A slow snail.", "snail")
    assert (twin.status_code, twin.headers["retry-after"]) == (409, "2")
    assert "still being answered" in twin.json()["detail"]
    go_on.set()
    first.join()
    assert answers[0].status_code == 200
    assert posted(client, "slow", "A slow snail.", "snail").json() == answers[0].json()


def test_a_crash_inside_frees_the_key(client: TestClient, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("inside")

    with monkeypatch.context() as patch:
        patch.setattr(serving, "submit", broken)
        assert posted(client, "crash", "An owl.", "owl").status_code == 500
    assert posted(client, "crash", "An owl.", "owl").json()["kept"] == 1


def test_what_was_committed_before_a_kill_is_answered_for_and_not_done_again(
    client: TestClient, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted(client, "kept", "A lynx.", "lynx").raise_for_status()
    job: tuple[str, Any] = ("/v1/jobs", {"kind": "embed", "parameters": {"version": "killed"}})
    deletion: tuple[str, Any] = ("/v1/documents/delete", {"ids": ["lynx"]})
    with monkeypatch.context() as patch:
        patch.setattr(idempotent, "_settle", lambda *_: None)  # as a kill before the answer is kept
        for path, body in (job, deletion):
            client.post(path, json=body, headers={"Idempotency-Key": f"killed-{path}"})
    aged(home.catalog, beat_at=SILENT_S + 1)
    again = [
        client.post(path, json=body, headers={"Idempotency-Key": f"killed-{path}"}) for path, body in (job, deletion)
    ]
    assert [answer.status_code for answer in again] == [202, 200]
    assert again[0].json() == client.get(f"/v1/jobs/{again[0].json()['id']}").json()
    assert again[1].json() == {"deleted": 1, "indexed": False}
    assert [answer.headers["idempotency-replayed"] for answer in again] == ["true", "true"]


def test_what_was_committed_before_an_error_is_answered_for(
    client: TestClient, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted(client, "kept-too", "A stoat.", "stoat").raise_for_status()
    asked: dict[str, Any] = {"json": {"ids": ["stoat"]}, "headers": {"Idempotency-Key": "broken"}}

    def broken(*_: Any) -> Any:
        raise RuntimeError("inside")

    with monkeypatch.context() as patch:
        patch.setattr(serving, "_made_searchable", broken)
        assert client.post("/v1/documents/delete", **asked).status_code == 500
    assert client.post("/v1/documents/delete", **asked).json() == {"deleted": 1, "indexed": False}


def test_keys_are_each_callers_own(home: Home, serving: Serving) -> None:
    access = Access(home.catalog.keys)
    sent = [home.catalog.keys.create("same name", [Scope.WRITE])[1] for _ in range(2)]
    with TestClient(create_app(serving, access=access), BASE) as client:
        answers = [
            client.post(
                "/v1/documents",
                json={"documents": [{"id": f"own {number}", "text": "A newt."}]},
                headers={"Authorization": f"Bearer {key}", "Idempotency-Key": "shared"},
            )
            for number, key in enumerate(sent)
        ]
        assert [answer.json()["kept"] for answer in answers] == [1, 1]
        assert client.post("/v1/documents", headers={"Idempotency-Key": "shared"}).status_code == 401
