"""What a service tells those who watch over it."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from retrieval.catalog.job import JobState, Work
from retrieval.home import Home
from service.app import create_app
from service.monitoring import Metrics
from service.serving import Serving
from tests.homes import opened_home

BASE = "http://127.0.0.1:8080"
OPERATIONS = Path(__file__).resolve().parents[1] / "docs" / "operations.md"


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model, is_bare=True)
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    with Serving(home) as serving, TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        body = {"documents": [{"id": "dogs", "text": "A puppy is a young dog."}]}
        connected.post("/v1/documents", json=body).raise_for_status()
        yield connected


def metrics(client: TestClient) -> dict[str, float]:
    lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_searches_are_counted_and_measured_by_stage(client: TestClient, home: Home) -> None:
    for path in ("/v1/search?q=puppy", "/v1/search?q=zzzz&mode=keyword", "/?q=puppy"):
        assert client.get(path).status_code == 200
    home.catalog.jobs.submit(Work("audit", "default", {}), made_by="me")
    found = metrics(client)
    assert found['tandem_searches_total{arm="hybrid@tiny",found="yes",mode="hybrid"}'] == 2
    assert found['tandem_searches_total{arm="keyword",found="no",mode="keyword"}'] == 1
    assert found['tandem_search_stage_seconds_count{arm="hybrid@tiny",mode="hybrid",stage="total"}'] == 2
    assert found['tandem_search_leg_overlap_count{arm="hybrid@tiny"}'] == 2
    assert found['tandem_requests_total{method="GET",route="/v1/search",status="200"}'] == 2
    assert found['tandem_pending_changes{collection="default"}'] == 0
    assert found['tandem_jobs{kind="audit",state="queued"}'] == 1


def test_what_strangers_ask_for_makes_no_new_series(client: TestClient) -> None:
    for number in range(3):
        client.request(f"ODD{number}", f"/nowhere/{number}")
        client.request(f"ODD{number}", "/v1/search")
    counted = [name for name in metrics(client) if "tandem_requests_total" in name]
    labels = {(re.findall(r'method="([^"]*)"', name)[0], re.findall(r'route="([^"]*)"', name)[0]) for name in counted}
    assert labels <= {("other", "other"), ("other", "/v1/search"), ("POST", "/v1/documents"), ("GET", "/metrics")}


def test_batches_of_the_encoder_are_measured(client: TestClient) -> None:
    client.get("/v1/search?q=puppy")
    found = metrics(client)
    assert found['tandem_encoder_batch_texts_count{kind="passage"}'] >= 1
    assert found['tandem_encoder_batch_texts_sum{kind="query"}'] >= 1
    assert found['tandem_encoder_batch_tokens_sum{kind="query"}'] >= 3  # [CLS] puppy [SEP]


def test_jobs_are_counted_once_when_they_end_with_how_long_they_took(client: TestClient, home: Home) -> None:
    jobs = home.catalog.jobs
    assert metrics(client)["tandem_queue_depth"] == 0
    waiting = jobs.submit(Work("embed", "default", {}), made_by="me")
    begun = jobs.take_up(jobs.submit(Work("audit", "default", {}), made_by="me").id, "w")
    assert begun
    found = metrics(client)
    assert (found["tandem_queue_depth"], found['tandem_jobs{kind="audit",state="running"}']) == (1, 1)
    assert 0 <= found["tandem_queue_oldest_seconds"] < 60
    jobs.end(begun, JobState.FAILED, error="no")
    jobs.cancel(waiting.id)
    for _ in range(2):  # each is counted once, however often somebody looks
        found = metrics(client)
        assert found['tandem_jobs_ended_total{kind="audit",outcome="failed"}'] == 1
        assert found['tandem_job_seconds_count{kind="audit",outcome="failed"}'] == 1
        assert 0 <= found['tandem_job_seconds_sum{kind="audit",outcome="failed"}'] < 60
        assert found['tandem_jobs_ended_total{kind="embed",outcome="cancelled"}'] == 1
        assert 'tandem_job_seconds_count{kind="embed",outcome="cancelled"}' not in found  # it never began
    jobs.queue_again(jobs.get(begun.id))
    again = jobs.take_up(begun.id, "w")
    assert again
    jobs.end(again, JobState.DONE, result={})
    assert metrics(client)['tandem_jobs_ended_total{kind="audit",outcome="done"}'] == 1


def test_jobs_that_ended_before_the_service_began_are_not_counted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrieval.catalog import jobs as module

    home.prepared("default")
    old = home.catalog.jobs.submit(Work("audit", "default", {}), made_by="me")
    with monkeypatch.context() as earlier:
        earlier.setattr(module, "now", lambda: "2026-01-01T00:00:00+00:00")
        home.catalog.jobs.cancel(old.id)
    assert "tandem_jobs_ended_total{" not in Metrics(home).text().decode()


def test_every_metric_is_documented_with_its_labels(client: TestClient, home: Home) -> None:
    """What is exposed once everything has happened, beside the table in the docs."""
    client.get("/v1/search?q=puppy")
    begun = home.catalog.jobs.take_up(home.catalog.jobs.submit(Work("audit", "default", {}), made_by="me").id, "w")
    assert begun
    home.catalog.jobs.end(begun, JobState.DONE, result={})
    client.get("/metrics")
    exposed: dict[str, set[str]] = {}
    for line in client.get("/metrics").text.splitlines():
        if line.startswith("# TYPE tandem_"):
            name = line.split()[2]
            exposed[name] = set()
        elif line.startswith("tandem_"):
            exposed[name] |= set(re.findall(r'[{,](\w+)="', line)) - {"le"}
    rows = re.findall(r"^\| `(tandem_\w+)` \| (.*?) \|", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert exposed == {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert "process_resident_memory_bytes" in metrics(client) or not Path("/proc").exists()


def test_a_service_is_ready_once_every_collection_can_be_searched(client: TestClient, home: Home) -> None:
    assert client.get("/readyz").json() == {"status": "ready", "missing": []}
    home.catalog.collections.create("broken", home.catalog.collections.get("default").config)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["missing"]) in (
        (503, ["Collection 'broken' is not open yet."]),
        (200, []),  # the service has opened it meanwhile
    )
    client.app.state.serving.begin_to_stop()  # type: ignore[attr-defined]
    assert "The service is stopping." in client.get("/readyz").json()["missing"]


def test_every_answer_has_an_id_that_a_proxy_may_give(client: TestClient) -> None:
    given = client.get("/healthz", headers={"X-Request-ID": "abc-123"})
    assert given.headers["x-request-id"] == "abc-123"
    for bad in ("a b", "x" * 65, "a\tb"):
        made = client.get("/healthz", headers={"X-Request-ID": bad}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)
    assert client.get("/nowhere").headers["x-request-id"] != client.get("/nowhere").headers["x-request-id"]


def test_the_log_names_requests_but_not_what_people_look_for(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="tandem.access"):
        client.get("/v1/search", params={"q": "something private"}, headers={"X-Request-ID": "abc"})
    (record,) = [record for record in caplog.records if record.name == "tandem.access"]
    assert re.fullmatch(r"GET /v1/search 200 \d+\.\d ms abc", record.getMessage())
