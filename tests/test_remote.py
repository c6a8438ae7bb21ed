"""Asking the service that owns an index, and what happens when it does not answer."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from retrieval.errors import NotFound, TandemError, UsageError
from retrieval.filter_parsing import parse_filter, parse_where
from retrieval.query import Query
from retrieval.types import Mode
from service import remote
from service.errors import NoAnswer

LEGS = {"keyword": {"rank": 1, "score": 2.5}}
BODY = {
    "query_id": "4Yv0m0Y3lqk1o8Hc1J2bVA",
    "query": "dog",
    "hits": [
        {
            "rank": 1,
            "score": 0.75,
            "document": {"id": "a", "title": "A", "url": None, "metadata": {"n": 1}},
            "legs": LEGS,
            "passages": [
                {
                    "chunk_id": 3,
                    "headings": ["H"],
                    "text": "dog",
                    "highlights": "<mark>dog</mark>",
                    "score": 0.75,
                    "legs": LEGS,
                }
            ],
        }
    ],
    "timings_ms": {"total": 1.5},
    "arm": "keyword",
    "did_you_mean": {"dgo": ["dog"]},
    "notes": ["A note."],
    "next": "AQAAAAo",
}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[Any]]]:
    """An HTTP server that always answers so, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_comes_back_as_the_result_it_was() -> None:
    with answering(200, json.dumps(BODY).encode()) as (address, _):
        result = remote.search(address, "default", Query("dog"))
    assert result.to_json() == BODY


def test_everything_asked_is_passed_on_however_long() -> None:
    where = parse_where(["kind=pet", "legs>=4", "!gone"])
    text = "犬 " * 3_000
    with answering(200, json.dumps(BODY).encode()) as (address, asked):
        remote.search(address, "pets", Query(text, 3, Mode.EMBEDDING, where, group=False))
    [(path, body)] = asked
    assert path == "/v1/search"
    assert parse_filter(body.pop("where")) == where
    assert body == {"query": text, "k": 3, "mode": "embedding", "collection": "pets", "group": False}


@pytest.mark.parametrize(
    ("status", "kind"), [(400, UsageError), (422, UsageError), (404, NotFound), (500, TandemError), (503, NoAnswer)]
)
def test_its_errors_are_raised_as_they_would_be_here(status: int, kind: type[TandemError]) -> None:
    with (
        answering(status, json.dumps({"detail": "The reason."}).encode()) as (address, _),
        pytest.raises(kind, match=r"The reason\.") as raised,
    ):
        remote.search(address, "default", Query("dog"))
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b"[]"), (200, b"{}"), (200, b""), (418, b"tea"), (404, b'"text"')]
)
def test_what_is_no_tandem_service_is_told_apart(status: int, body: bytes) -> None:
    with answering(status, body) as (address, _), pytest.raises(NoAnswer):
        remote.search(address, "default", Query("dog"))


def test_a_service_that_is_gone_is_no_answer() -> None:
    with answering(200, b"") as (address, _):
        pass
    with pytest.raises(NoAnswer, match="did not answer"):
        remote.search(address, "default", Query("dog"))


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with answering(200, json.dumps(BODY).encode()) as (address, _):
        assert remote.search(address, "default", Query("dog")).query == "dog"
