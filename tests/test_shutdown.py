"""How a service ends: requests in flight are answered, indexes are flushed, and in a stated time it is gone."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from indexer.apply import open_index
from indexer.doctor import examine
from retrieval.home import Home
from retrieval.settings import Settings
from service import ending
from service.ending import WITHIN_S, AnsweredToTheEnd
from tests.homes import environment
from tests.test_serve_command import Place, Service, place
from tests.tiny_model import build_tiny_model

__all__ = ["place"]

SETTLED_S = 1.0


def answered(service: Service, path: str, body: Any = None) -> tuple[int, str]:
    """Status and body of a request, whatever the status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(service.address + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def service(place: Place) -> Iterator[Service]:
    """A service that logs in JSON, with a job in its queue and a model to promote."""
    from tests.test_serve_command import served

    place.environment.update(TANDEM_LOG_FORMAT="json", TANDEM_LOG_LEVEL="INFO")
    other = build_tiny_model(place.home.parent / "other", salt="other")
    assert place.run("models", "add", str(other)).returncode == 0
    with served(place) as started:
        documents = [{"id": str(n), "text": f"# {n}\n\nA bear and a goat by the river {n}."} for n in range(300)]
        started.post("/v1/documents", {"documents": documents})
        started.post("/v1/jobs", {"kind": "audit"})
        yield started


def stopped_in_the_middle(service: Service, held: Callable[[], object]) -> tuple[int, float, str, dict[str, Any]]:
    """Stop a service while a stream, an ingest, a promotion and searches are on, the writers among them held up."""
    long = [
        {"id": f"n{n}", "text": "\n\n".join(f"# {n} {i}\n\n{'river ' * 60}" for i in range(100))} for n in range(40)
    ]
    over = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        events = pool.submit(answered, service, "/v1/jobs/1/events")
        held()
        asked: dict[str, Future[tuple[int, str]]] = {
            "events": events,
            "promotion": pool.submit(answered, service, "/v1/models/other/promote", {"force": "to see"}),
            "ingest": pool.submit(answered, service, "/v1/documents", {"documents": long}),
        }
        searches = pool.submit(searching, service, over)
        time.sleep(SETTLED_S)
        assert not any(future.done() for future in asked.values())
        code, seconds, said = service.stop(signal.SIGTERM)
        over.set()
        found = {name: future.result(30) for name, future in asked.items()}
        assert searches.result(30) == {200}
    return code, seconds, said, found


def searching(service: Service, over: threading.Event) -> set[int]:
    """Search until it is over; return the statuses of those that were answered."""
    seen = set()
    while not over.is_set():
        try:
            seen.add(answered(service, "/v1/search?q=river")[0])
        except OSError:  # it takes no more connections
            break
    return seen


@pytest.mark.slow
def test_what_is_in_flight_is_answered_and_the_index_is_whole(place: Place, service: Service) -> None:
    """The writers are held up by another process that writes the catalog, as long as the service is there."""
    with closing(sqlite3.connect(place.home / "catalog.sqlite", isolation_level=None)) as other:
        code, seconds, said, found = stopped_in_the_middle(service, lambda: other.execute("BEGIN IMMEDIATE"))
        other.execute("ROLLBACK")
    assert code == 0
    assert seconds < WITHIN_S
    assert found["events"][0] == 200
    assert found["events"][1].startswith("event: job\n")
    for name in ("promotion", "ingest"):
        status, body = found[name]
        assert (status, json.loads(body)["detail"][:24]) == (503, "The service is stopping;")
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line["path"]: line["status"] for line in lines if "path" in line}["/v1/documents"] == 503
    assert not any("exception" in line for line in lines)
    home = Home.open(Settings(home=place.home))
    target = home.catalog.collections.get("default")
    with open_index(home.settings, home.catalog, target) as owner:
        assert home.catalog.changes.count_pending(target) == 0
        assert examine(owner).is_healthy
    assert target.config.model == "tiny"
    home.close()


@pytest.mark.slow
def test_whatever_hangs_the_process_is_gone_in_time(tmp_path: Path, tiny_model: Path) -> None:
    script = (
        "import time\n"
        "from service import ending\n"
        "ending.WITHIN_S = 0.2\n"
        "began = ending.Ending()\n"
        "began.begin()\n"
        "time.sleep(60)\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(tmp_path, tiny_model) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert "Something did not end within 0 s" in done.stderr
    assert time.monotonic() - began < 30


def test_the_time_does_not_run_before_the_end_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []
    monkeypatch.setattr(ending, "WITHIN_S", 0.0)
    monkeypatch.setattr(ending, "_exit", lambda: left.append("left"))
    watched = ending.Ending()
    time.sleep(0.05)
    assert left == []
    watched.begin()
    until(lambda: left == ["left"])


def exchanged(*, begun: bool) -> list[Message]:
    """What is sent for a request whose task is cancelled, before or after its answer has begun."""
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        task = asyncio.ensure_future(AnsweredToTheEnd(app)({"type": "http"}, receive, send))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    return sent


def test_a_request_that_is_cut_short_is_told_why_and_when_to_come_back() -> None:
    start, body = exchanged(begun=False)
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"5")
    assert b"The service is stopping" in body["body"]


def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    assert [message["type"] for message in exchanged(begun=True)] == ["http.response.start"]
