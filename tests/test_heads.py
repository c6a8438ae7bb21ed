"""HEAD is answered wherever GET is: the same head, no body, and no waiting for a stream that does not end."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from retrieval.catalog.job import Work
from retrieval.home import Home
from tests.homes import opened_home
from tests.live import live


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model)
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[httpx.Client]:
    with live(home) as address, httpx.Client(base_url=address, timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/healthz", "/", "/docs", "/openapi.json", "/v1/collections", "/v1/documents?limit=3", "/metrics"]
)
def test_a_head_is_that_of_get(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"") == (200, b"")
    own = {"date", "x-request-id", "content-length"}  # the last differs where metrics count the request itself
    assert {name: head.headers[name] for name in head.headers.keys() - own} == {
        name: got.headers[name] for name in got.headers.keys() - own
    }
    assert int(head.headers["content-length"]) > 0


def test_an_error_has_a_head_too(client: httpx.Client) -> None:
    for path, status in (("/nowhere", 404), ("/v1/jobs/99", 404), ("/v1/search", 422), ("/v1/context", 405)):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_job_that_goes_on_does_not_keep_a_head_waiting(client: httpx.Client, home: Home) -> None:
    home.catalog.jobs.submit(Work("audit", "default", {}), made_by="me")
    answer = client.head("/v1/jobs/1/events")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert client.head("/healthz").status_code == 200  # on the same connection


def test_a_head_is_counted_as_what_it_is(client: httpx.Client) -> None:
    client.head("/healthz")
    assert 'tandem_requests_total{method="HEAD",route="/healthz",status="200"} 1.0' in client.get("/metrics").text
