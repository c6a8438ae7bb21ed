"""Jobs over HTTP."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from retrieval.catalog.job import JobState
from retrieval.home import Home
from service.app import create_app
from service.jobs.carrying_out import Worker
from service.serving import Serving
from tests.homes import opened_home, write_pages

BASE = "http://127.0.0.1:8080"


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    folder = write_pages(tmp_path / "docs", {"b.md": "# B\n\nAbout snow."})
    home = opened_home(tmp_path / "home", tiny_model, ingest_dir=folder)
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    with Serving(home) as serving, TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        yield connected


def submitted(client: TestClient, kind: str = "audit", **parameters: Any) -> Any:
    return client.post("/v1/jobs", json={"kind": kind, "parameters": parameters})


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_work_is_asked_for_and_the_service_finds_what_a_worker_ingested(client: TestClient, home: Home) -> None:
    answer = submitted(client, "ingest", sources=["b.md"])
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["state"], job["made_by"], job["attempt"]) == ("queued", "anybody", 0)
    assert job["parameters"]["sources"] == [str((home.settings.ingest_dir or Path()) / "b.md")]
    Worker(home, "w").carry_out(job["id"])
    done = client.get(f"/v1/jobs/{job['id']}").json()
    assert (done["state"], done["result"]["documents"]) == ("done", 1)
    assert client.get("/v1/jobs", params={"kind": "ingest", "state": "done"}).json()["jobs"] == [
        {**done, "result": None}
    ]
    assert client.get("/v1/search", params={"q": "snow"}).json()["hits"][0]["document"]["title"] == "B"
    log = client.get(f"/v1/jobs/{job['id']}/log").json()
    assert log["lines"][0]["text"].startswith("tandem ingest ")
    assert log["next"] is None


@pytest.mark.parametrize(
    ("kind", "parameters", "status", "said"),
    [
        ("ingest", {"sources": ["../../etc/passwd"]}, 400, "is not in the folder"),
        ("ingest", {"sources": ["/etc/passwd"]}, 400, "is not in the folder"),
        ("ingest", {"sources": ["file:///etc/passwd"]}, 400, None),
        ("ingest", {"sources": ["pydoc:os"]}, 400, "imports packages"),
        ("ingest", {"sources": ["--home=/tmp"]}, 400, "string should match"),
        ("ingest", {"sources": ["b.md"], "allow_private": True}, 400, "no such field"),
        ("train", {"job": "1"}, 400, "no such field"),
        ("magic", {}, 422, "kind"),
    ],
)
def test_what_must_not_be_done_for_strangers_is_refused(
    client: TestClient, kind: str, parameters: dict[str, Any], status: int, said: str | None
) -> None:
    answer = submitted(client, kind, **parameters)
    if said is None:  # a path in the folder that is not there
        assert answer.status_code in (202, 400)
        return
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


def test_without_a_folder_only_addresses_are_ingested(tmp_path: Path, tiny_model: Path) -> None:
    home = opened_home(tmp_path / "home", tiny_model, is_bare=True)
    with Serving(home) as serving, TestClient(create_app(serving), BASE) as client:
        refused = submitted(client, "ingest", sources=["docs"])
        assert refused.status_code == 400
        assert "TANDEM_INGEST_DIR" in refused.json()["detail"]
        assert submitted(client, "ingest", sources=["https://example.com/feed.xml"]).status_code == 202
    home.close()


def test_only_an_ingest_makes_its_collection(client: TestClient) -> None:
    body: dict[str, Any] = {"kind": "audit", "collection": "new"}
    assert client.post("/v1/jobs", json=body).status_code == 404
    body |= {"kind": "ingest", "parameters": {"sources": ["b.md"]}}
    assert client.post("/v1/jobs", json=body).status_code == 202


def test_the_same_work_twice_is_a_conflict(client: TestClient) -> None:
    first = submitted(client)
    again = submitted(client)
    assert (first.status_code, again.status_code) == (202, 409)
    assert f"Job {first.json()['id']} does the same" in again.json()["detail"]


def test_a_job_is_cancelled_and_resumed(client: TestClient, home: Home) -> None:
    job = submitted(client).json()["id"]
    assert client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert client.post(f"/v1/jobs/{job}/cancel").status_code == 400
    resumed = client.post(f"/v1/jobs/{job}/resume")
    assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
    for path in ("", "/log", "/events", "/cancel", "/resume"):
        call = client.post if path in ("/cancel", "/resume") else client.get
        assert call(f"/v1/jobs/999{path}").status_code == 404, path


def test_a_job_is_followed_to_its_end(client: TestClient, home: Home) -> None:
    job = submitted(client).json()["id"]
    worker = threading.Timer(0.3, Worker(home, "w").carry_out, args=(job,))
    worker.start()
    answer = client.get(f"/v1/jobs/{job}/events")
    worker.join()
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    states = [body["state"] for kind, body in found if kind == "job"]
    assert (states[0], states[-1]) == ("queued", JobState.DONE)
    lines = [body for kind, body in found if kind == "line"]
    assert lines[0]["text"] == "tandem audit --collection=default --json"
    results = [body["result"] for kind, body in found if kind == "job"]
    assert results[:-1] == [None] * (len(results) - 1)
    assert results[-1] is not None
    assert results[-1] == client.get(f"/v1/jobs/{job}").json()["result"]
    again = client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(lines[-1]["id"])})
    assert [kind for kind, _ in events(again.text)] == ["job"]


def test_a_job_that_said_much_is_followed_to_its_last_line_before_its_end(
    client: TestClient, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted(client).json()["id"]
    home.catalog.jobs.say(job, [str(number) for number in range(5)])
    home.catalog.jobs.cancel(job)
    monkeypatch.setattr("service.api.jobs.LINES_AT_ONCE", 2)
    found = events(client.get(f"/v1/jobs/{job}/events").text)
    assert [kind for kind, _ in found] == ["line"] * 5 + ["job"]


@pytest.mark.parametrize(
    ("last", "lines"), [("9" * 20, 0), (str(2**63), 0), (str(2**63 - 1), 0), ("0", 1), ("-1", 1), ("x", 1)]
)
def test_any_last_event_id_is_followed_from(client: TestClient, home: Home, last: str, lines: int) -> None:
    job = submitted(client).json()["id"]
    home.catalog.jobs.say(job, ["a"])
    home.catalog.jobs.cancel(job)
    answer = client.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": last})
    assert [kind for kind, _ in events(answer.text)] == ["line"] * lines + ["job"]


def test_jobs_are_listed_page_by_page(client: TestClient) -> None:
    made = [submitted(client, "embed", version=f"v{number}").json()["id"] for number in range(3)]
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first["jobs"]] == made[:0:-1]
    last = client.get("/v1/jobs", params={"limit": 2, "before": first["next"]}).json()
    assert ([job["id"] for job in last["jobs"]], last["next"]) == (made[:1], None)
