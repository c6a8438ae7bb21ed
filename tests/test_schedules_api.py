"""Schedules over HTTP and on the page: for admins, each of their own collection."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.catalog.keys import Scope
from retrieval.home import Home
from service.app import create_app
from service.auth import Access
from service.serving import Serving
from tests.homes import opened_home

BASE = "http://127.0.0.1:8080"
OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
NIGHTLY = {"kind": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Berlin", "parameters": {"min_new": 7}}


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model)
    home.prepared("other")
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    with Serving(home) as serving, TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        yield connected


@pytest.fixture
def locked(home: Home) -> Iterator[TestClient]:
    access = Access(home.catalog.keys)
    with Serving(home) as serving, TestClient(create_app(serving, access=access), BASE) as connected:
        yield connected


def key(home: Home, scope: Scope, collection: str = "") -> dict[str, str]:
    return {"Authorization": f"Bearer {home.catalog.keys.create('a key', [scope], collection=collection)[1]}"}


def test_a_schedule_is_made_shown_rested_and_removed(client: TestClient) -> None:
    answer = client.post("/v1/schedules", json=NIGHTLY)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["parameters"] == {"min_new": 7}
    assert (made["is_enabled"], made["made_by"], made["last_run_at"], made["last_job"]) == (True, "anybody", None, None)
    assert client.get("/v1/schedules").json() == {"schedules": [made]}
    assert client.get("/v1/schedules", params={"collection": "other"}).json() == {"schedules": []}
    path = f"/v1/schedules/{made['id']}"
    assert client.get(path).json() == made
    rests = client.post(f"{path}/disable").json()
    assert (rests["is_enabled"], rests["next_run_at"]) == (False, None)
    assert client.post(f"{path}/enable").json() == made
    assert client.delete(path).json() == made
    assert client.get(path).status_code == 404
    for call in (client.delete(path), client.post(f"{path}/enable"), client.post(f"{path}/disable")):
        assert call.status_code == 404


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"cron": "often"}, 400, "has 1 fields"),
    ({"cron": "0 3 * * " + "1," * 200}, 422, "at most 128"),
    ({"timezone": "../../etc/passwd"}, 400, "no time zone"),
    ({"kind": "magic"}, 422, "kind"),
    ({"parameters": {"min_new": "often"}}, 400, "min_new"),
    ({"parameters": {"job": "1"}}, 400, "no such field"),
    ({"collection": "new"}, 404, "no collection 'new'"),
    ({"made_by": "me"}, 422, "made_by"),
    ({"kind": "ingest", "parameters": {"sources": ["/etc/passwd"]}}, 400, "TANDEM_INGEST_DIR"),
    ({"kind": "ingest", "parameters": {"sources": ["pydoc:os"]}}, 400, "imports packages"),
]


def test_what_cannot_be_scheduled_says_why(client: TestClient) -> None:
    for change, status, said in REFUSED:
        answer = client.post("/v1/schedules", json={**NIGHTLY, **change})
        assert answer.status_code == status, (change, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert said in answer.json()["detail"], change
    assert client.get("/v1/schedules").json() == {"schedules": []}


def test_the_same_schedule_twice_is_a_conflict(client: TestClient) -> None:
    assert client.post("/v1/schedules", json=NIGHTLY).status_code == 201
    again = client.post("/v1/schedules", json=NIGHTLY)
    assert (again.status_code, "Schedule 1 does the same" in again.json()["detail"]) == (409, True)


def test_only_admins_and_each_of_their_own_collection(locked: TestClient, home: Home) -> None:
    whole, mine = key(home, Scope.ADMIN), key(home, Scope.ADMIN, "other")
    made = {
        name: locked.post("/v1/schedules", json={**NIGHTLY, "collection": name}, headers=whole).json()["id"]
        for name in ("default", "other")
    }
    for scope in (Scope.READ, Scope.WRITE):
        for method, path in (("GET", ""), ("POST", ""), ("GET", "/1"), ("DELETE", "/1"), ("POST", "/1/disable")):
            answer = locked.request(method, f"/v1/schedules{path}", json=NIGHTLY, headers=key(home, scope))
            assert answer.status_code == 403, (scope, method, path)
    assert [one["id"] for one in locked.get("/v1/schedules", headers=mine).json()["schedules"]] == [made["other"]]
    assert locked.get("/v1/schedules", params={"collection": "default"}, headers=mine).status_code == 403
    assert locked.post("/v1/schedules", json={**NIGHTLY, "cron": "0 4 * * *"}, headers=mine).status_code == 403
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable")):
        answer = locked.request(method, f"/v1/schedules/{made['default']}{path}", headers=mine)
        never = locked.request(method, f"/v1/schedules/77{path}", headers=mine)
        assert (answer.status_code, never.status_code) == (404, 404), (method, path)
        assert answer.json()["detail"] == never.json()["detail"].replace("77", str(made["default"]))
    assert locked.delete(f"/v1/schedules/{made['other']}", headers=mine).status_code == 200
    assert [one.id for one in home.catalog.schedules.list()] == [made["default"]]
    assert locked.post("/v1/jobs", json={"kind": "nightly"}, headers=key(home, Scope.WRITE)).status_code == 403


def test_the_jobs_page_shows_schedules_and_switches_them(client: TestClient, home: Home) -> None:
    assert "Schedules" not in client.get("/jobs").text
    evil = "<script>x</script>"
    client.post("/v1/schedules", json={**NIGHTLY, "parameters": {"judgments": evil}}).raise_for_status()
    text = client.get("/jobs").text
    assert "<code>0 3 * * *</code> Europe/Berlin" in text
    assert evil not in text
    assert "rests" in client.post("/schedules/1/disable", headers=OWN).text
    assert "Let it rest" in client.post("/schedules/1/enable", headers=OWN).text
    assert client.post("/schedules/1/explode", headers=OWN).status_code == 409
    for what in ("remove", "disable"):
        sent = client.post(f"/schedules/1/{what}", headers={"Sec-Fetch-Site": "cross-site"})
        assert sent.status_code == 403
    assert client.post("/schedules/1/remove", headers=OWN).url.path == "/jobs"
    assert home.catalog.schedules.list() == []
    assert client.post("/schedules/1/remove", headers=OWN).status_code == 404


def test_the_page_shows_schedules_to_those_who_may_change_them(locked: TestClient, home: Home) -> None:
    for name in ("default", "other"):
        body = {**NIGHTLY, "collection": name}
        locked.post("/v1/schedules", json=body, headers=key(home, Scope.ADMIN)).raise_for_status()
    assert "Schedules" not in locked.get("/jobs", headers=key(home, Scope.WRITE)).text
    text = locked.get("/jobs", headers=key(home, Scope.ADMIN, "other")).text
    assert "/schedules/2/disable" in text
    assert "/schedules/1/" not in text
    refused = locked.post("/schedules/1/remove", headers={**OWN, **key(home, Scope.ADMIN, "other")})
    assert refused.status_code == 404


def test_a_nightly_is_asked_for_on_the_page(client: TestClient, home: Home) -> None:
    for promote, told in (({}, {"promote": False}), ({"promote": "yes"}, {})):
        sent = {"kind": "nightly", "collection": "default", **promote}
        assert client.post("/jobs", data=sent, headers=OWN).status_code == 200
        assert home.catalog.jobs.list()[0].work.parameters == told
