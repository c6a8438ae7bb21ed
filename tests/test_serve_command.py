"""`tandem serve` as a process of its own, beside other commands on the same home."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indexer.apply import open_index
from indexer.doctor import examine
from retrieval.home import Home
from retrieval.settings import Settings
from service.commands.serve import listening

ANIMALS = ["bear", "goat", "horse", "frog", "bird", "fish", "dog", "cat"]


@dataclass(frozen=True, slots=True)
class Place:
    """A home and the environment of its commands."""

    home: Path
    environment: dict[str, str]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "service.cli", *words]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass(frozen=True, slots=True)
class Service:
    """A running `tandem serve`."""

    address: str
    process: "subprocess.Popen[str]"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.address + path, timeout=30) as response:
            return json.load(response)

    def post(self, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def stop(self, by: signal.Signals) -> tuple[int, float, str]:
        """Return its exit code, how many seconds it took, and what else it said."""
        started = time.monotonic()
        self.process.send_signal(by)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, time.monotonic() - started, said


@pytest.fixture
def place(tmp_path: Path, tiny_model: Path) -> Place:
    home = tmp_path / "home"
    settings = {"TANDEM_HOME": str(home), "TANDEM_MODEL": str(tiny_model), "TANDEM_THREADS": "1"}
    (tmp_path / "docs").mkdir()
    for animal in ANIMALS:
        (tmp_path / "docs" / f"{animal}.md").write_text(f"# The {animal}\n\nA {animal} lives by the river.")
    return Place(home, os.environ | settings)


@contextmanager
def served(place: Place, *options: str) -> Iterator[Service]:
    command = place.command("serve", "--port", "0", *options)
    with subprocess.Popen(command, env=place.environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            answers = re.search(r"Tandem answers at (http://\S+) ", said)
            assert answers, said + process.stderr.read()
            yield Service(answers[1], process)
        finally:
            if process.poll() is None:
                process.kill()


def without_timings(body: Any) -> Any:
    """Leave out what differs from one answer to the next, and what only a service gives."""
    return {name: value for name, value in body.items() if name not in ("timings_ms", "query_id", "next")}


@pytest.mark.slow
def test_the_service_and_the_commands_beside_it_tell_the_same(place: Place, tmp_path: Path) -> None:
    assert place.json("ingest", str(tmp_path / "docs"))["documents"] == len(ANIMALS)
    before = place.json("search", "a puppy by the river", "-k", "5")
    with served(place) as service:
        over_http = service.get("/v1/search?q=a+puppy+by+the+river&k=5")
        assert without_timings(over_http) == without_timings(before)
        assert over_http["hits"][0]["document"]["title"] == "The dog"
        beside = place.json("search", "a puppy by the river", "-k", "5")
        assert without_timings(beside) == without_timings(before)
        assert (before["query_id"], before["next"]) == (None, None)
        assert beside["next"] == over_http["next"]
        service.post("/v1/feedback", {"query_id": beside["query_id"], "kind": "up"})

        (tmp_path / "docs" / "mouse.md").write_text("# The mouse\n\nA mouse lives in the wheat.")
        assert place.json("ingest", str(tmp_path / "docs"))["documents"] == 1
        assert service.get("/v1/search?q=wheat&k=1")["hits"][0]["document"]["id"] == "mouse.md"

        service.post("/v1/documents", {"collection": "second", "documents": [{"id": "a", "text": "A whale."}]})
        assert place.json("collections", "delete", "second") == {"deleted": "second"}
        with pytest.raises(urllib.error.HTTPError, match="404"):
            service.get("/v1/search?q=whale&collection=second")
        code, seconds, said = service.stop(signal.SIGTERM)
    assert (code, said) == (0, "")
    assert seconds < 3
    home = Home.open(Settings(home=place.home))
    target = home.catalog.collections.get("default")
    with open_index(home.settings, home.catalog, target) as owner:
        assert home.catalog.changes.count_pending(target) == 0
        assert examine(owner).is_healthy
    home.close()


@pytest.mark.slow
def test_an_empty_home_is_served_and_filled_over_http_by_twenty_at_once(place: Place) -> None:
    with served(place) as service, ThreadPoolExecutor(20) as pool:
        assert service.get("/healthz")["status"] == "ok"

        def keep(number: int) -> Any:
            document = {"id": f"d{number}", "text": f"A tree and number{number}x7."}
            return service.post("/v1/documents", {"documents": [document]})

        kept = list(pool.map(keep, range(20)))
        assert [(answer["kept"], answer["indexed"]) for answer in kept] == [(1, True)] * 20
        found = list(pool.map(lambda number: service.get(f"/v1/search?q=number{number}x7&k=20"), range(20)))
        assert [body["hits"][0]["document"]["id"] for body in found] == [f"d{number}" for number in range(20)]
        everything = list(pool.map(lambda _: service.get("/v1/search?q=tree&k=50&mode=keyword"), range(20)))
        assert {len(body["hits"]) for body in everything} == {20}
        assert {json.dumps(body["hits"]) for body in everything} == {json.dumps(everything[0]["hits"])}
        code, seconds, said = service.stop(signal.SIGINT)
    assert (code, said) == (0, "")
    assert seconds < 3


@pytest.mark.slow
def test_the_longest_link_and_too_large_a_body_are_answered(place: Place) -> None:
    with served(place) as service:
        service.post("/v1/documents", {"documents": [{"id": "dog", "text": "犬"}]})
        longest = service.get(f"/v1/search?q={urllib.parse.quote('犬' * 10_000)}&k=1")
        assert longest["hits"][0]["document"]["id"] == "dog"
        with pytest.raises(urllib.error.HTTPError) as refused:
            service.post("/v1/documents", {"documents": [{"id": "a", "text": "x" * 40_000_000}]})
        assert refused.value.code == 413
        assert refused.value.headers["Content-Type"] == "application/problem+json"
        assert "fewer documents" in json.load(refused.value)["detail"]


@pytest.mark.slow
def test_stopping_does_not_wait_for_a_long_request(place: Place) -> None:
    words = "river house bread garden wheel"
    long = [{"id": str(n), "text": "\n\n".join(f"# {n} {i}\n\n{words * 20}" for i in range(300))} for n in range(40)]
    with served(place) as service, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.post, "/v1/documents", {"documents": long})
        time.sleep(1.5)
        assert not answer.done()
        code, seconds, _ = service.stop(signal.SIGTERM)
        assert answer.exception(30) is not None
    assert code == 0
    assert seconds < 6


@pytest.mark.slow
def test_serving_on_ipv6_loopback_answers_there(place: Place) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 on this machine")
    with served(place, "--host", "::1") as service:
        assert service.address.startswith("http://[::1]:")
        assert service.get("/healthz")["status"] == "ok"


@pytest.mark.slow
def test_where_others_can_reach_it_a_key_is_needed(place: Place) -> None:
    key = place.json("keys", "create", "reader", "--scope", "read")["key"]
    with served(place, "--host", "0.0.0.0") as service:
        with pytest.raises(urllib.error.HTTPError) as refused:
            service.get("/v1/search?q=bear")
        assert refused.value.code == 401
        assert refused.value.headers["WWW-Authenticate"] == "Bearer"
        refused.value.close()
        request = urllib.request.Request(service.address + "/v1/jobs", headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer) == {"jobs": [], "next": None}
        folder = place.home.parent / "bears"
        folder.mkdir()
        (folder / "bear.md").write_text("# A bear\n\nIt sleeps.")
        assert place.run("ingest", str(folder)).returncode == 0
        found = place.json("search", "bear")  # through the service, by what it has left for its owner
        assert [hit["document"]["title"] for hit in found["hits"]] == ["A bear"]
        token = place.home / "service-token"
        assert token.stat().st_mode & 0o777 == 0o600
        assert key not in service.stop(signal.SIGTERM)[2]


@pytest.mark.slow
def test_a_worker_beside_the_service_does_jobs_is_begun_again_and_ends_with_it(place: Place) -> None:
    with served(place, "--with-worker") as service:
        service.post("/v1/documents", {"documents": [{"id": "a", "text": "A bear."}]})
        for kind in ("audit", "reindex"):  # the service's own index: it makes that anew itself
            job = service.post("/v1/jobs", {"kind": kind})["id"]
            deadline = time.monotonic() + 30
            while (found := service.get(f"/v1/jobs/{job}"))["state"] != "done":
                assert time.monotonic() < deadline, found
                time.sleep(0.1)
            worker = int(found["worker"].rpartition(":")[2])
            os.kill(worker, signal.SIGKILL)
        assert found["result"] == {"chunks": 1, "embedded": 0}
        assert service.get("/v1/search?q=bear")["hits"][0]["document"]["id"] == "a"
        assert len(list((place.home / "index" / "default").glob("generation-*"))) == 1
        code, _, said = service.stop(signal.SIGTERM)
        assert code == 0
        assert "beginning another" in said
        deadline = time.monotonic() + 10
        while any("service.jobs.child" in line and str(place.home) in line for line in _processes()):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _processes() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found.append((entry / "cmdline").read_text() + (entry / "environ").read_text())
        except OSError:  # it is gone, or another's
            continue
    return found


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_an_address_that_others_could_reach_is_refused_while_there_is_no_key(place: Place, host: str) -> None:
    from typer.testing import CliRunner

    from retrieval.errors import UsageError
    from service.cli import app

    result = CliRunner().invoke(app, ["serve", "--host", host, "--home", str(place.home)])
    assert isinstance(result.exception, UsageError)
    assert "tandem keys create" in str(result.exception)


def test_a_port_in_use_is_one_clear_line(place: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = place.run("serve", "--port", str(port))
    assert done.returncode == 2
    assert re.fullmatch(rf"tandem: Cannot listen on 127\.0\.0\.1 port {port}: .*--port\.\n", done.stderr)


@pytest.mark.slow
def test_a_second_service_on_a_home_is_one_clear_line(place: Place) -> None:
    with served(place) as service:
        service.post("/v1/documents", {"documents": [{"id": "a", "text": "A bear."}]})
        done = place.run("serve", "--port", "0")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert service.address in done.stderr


def test_serving_imports_no_torch(place: Place) -> None:
    script = (
        "import os, sys\n"
        "from starlette.testclient import TestClient\n"
        "from retrieval.home import Home\n"
        "from retrieval.settings import Settings\n"
        "from service import cli\n"
        "from service.app import create_app\n"
        "from service.serving import Serving\n"
        "home = Home.open(Settings.from_environment())\n"
        "with Serving(home) as serving, TestClient(create_app(serving), 'http://127.0.0.1') as client:\n"
        "    documents = [{'id': 'a', 'text': '# A\\n\\nbear'}, {'id': 'b', 'text': '<p>goat</p>', 'format': 'html'}]\n"
        "    assert client.post('/v1/documents', json={'documents': documents}).json()['kept'] == 2\n"
        "    assert len(client.get('/v1/search?q=bear').json()['hits']) > 0\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'qdrant_client', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=place.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_are_sent_without_waiting_for_the_one_before_to_be_acknowledged(host: str) -> None:
    """A delayed acknowledgement takes 40 ms, several times as long as a search."""
    with listening(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
