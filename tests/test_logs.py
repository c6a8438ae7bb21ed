"""The log: a line each, JSON if that is asked for, and nothing in it that somebody looked for or signed in with."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from retrieval.catalog import Catalog
from retrieval.catalog.job import Work
from retrieval.catalog.keys import Scope
from retrieval.errors import CatalogError, UsageError
from retrieval.home import Home
from retrieval.settings import Settings
from service.app import create_app
from service.auth import Access
from service.jobs.carrying_out import Worker
from service.logs import FIELDS, JsonLines, TextLines
from service.serving import Serving
from tests.homes import Cli, environment, opened_home, tandem

BASE = "http://127.0.0.1:8080"
SECRET = "zebracrossing"


class Kept(logging.Handler):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def of(self, logger: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.lines]
        return [line for line in found if line["logger"] == logger]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, root = Kept(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model)
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    access = Access(home.catalog.keys)
    with (
        Serving(home) as serving,
        TestClient(create_app(serving, access=access), BASE, raise_server_exceptions=False) as connected,
    ):
        yield connected


def record(message: str, *values: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("somewhere", logging.WARNING, "file.py", 1, message, values, more.pop("exc_info", None))
    vars(made).update(more)
    return made


def failure() -> Any:
    try:
        raise ValueError("it broke\nbadly")  # noqa: TRY301  # to have a traceback
    except ValueError:
        return sys.exc_info()


def test_whatever_is_logged_is_one_json_object_on_one_line() -> None:
    hostile = 'a\nb\r\u2028c\x1b[31m"\ud800\x00'
    line = JsonLines().format(record("seen: %s", hostile, exc_info=failure(), status=500, request_id="abc"))
    assert len(line.splitlines()) == 1
    read = json.loads(line)
    assert (read["level"], read["logger"], read["message"]) == ("WARNING", "somewhere", f"seen: {hostile}")
    assert (read["status"], read["request_id"]) == (500, "abc")
    assert read["exception"].endswith("ValueError: it broke\nbadly")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", read["time"])


def test_nobody_forges_a_line_of_text() -> None:
    forged = TextLines("%(levelname)s %(message)s").format(record("no document %s", "a\nERROR the house burns\x1b[2K"))
    assert forged == "WARNING no document a ERROR the house burns\ufffd[2K"


def test_a_request_is_a_line_with_its_fields(client: TestClient, home: Home, kept: Kept) -> None:
    key = {"Authorization": f"Bearer {home.catalog.keys.create('a', [Scope.ADMIN])[1]}"}
    job = home.catalog.jobs.submit(Work("audit", "default", {}), made_by="me").id
    client.get(f"/v1/jobs/{job}", headers={**key, "X-Request-ID": "abc"})
    (line,) = kept.of("tandem.access")
    assert re.fullmatch(r"GET /v1/jobs/\{job\} 200 \d+\.\d ms abc", line["message"])
    assert {name: line[name] for name in FIELDS if name != "duration_ms"} == {
        "request_id": "abc",
        "method": "GET",
        "path": "/v1/jobs/{job}",
        "status": 200,
        "job": job,
    }
    assert line["duration_ms"] > 0


def test_what_people_look_for_write_and_sign_in_with_is_not_logged(client: TestClient, home: Home, kept: Kept) -> None:
    sent = home.catalog.keys.create("a", [Scope.ADMIN])[1]
    key = {"Authorization": f"Bearer {sent}"}
    document = {"documents": [{"id": SECRET, "title": SECRET, "text": SECRET, "metadata": {SECRET: SECRET}}]}
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/v1/documents", document),
        ("GET", f"/v1/search?q={SECRET}&where={SECRET}%3D1", None),
        ("POST", "/v1/search", {"query": SECRET}),
        ("GET", f"/v1/documents/by-id?id={SECRET}", None),
        ("GET", f"/{SECRET}", None),
        (SECRET.upper(), "/v1/search", None),
        ("GET", f"/?q={SECRET}", None),
        ("POST", "/v1/documents/delete", {"ids": [SECRET]}),
    ]
    for method, path, body in calls:
        client.request(method, path, json=body, headers=key)
    client.get("/v1/jobs", headers={"Authorization": f"Bearer {SECRET}"})
    client.get("/v1/jobs", headers={"Cookie": f"tandem_key={SECRET}"})
    assert len(kept.of("tandem.access")) == len(calls) + 2
    written = "\n".join(line for line in kept.lines if json.loads(line)["logger"] not in ("httpx", "httpx2"))
    assert SECRET not in written.lower()
    assert sent not in written


def test_an_error_carries_the_requests_id_and_so_does_its_answer(
    client: TestClient, home: Home, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(home.catalog.collections, "list", broken)
    key = {"Authorization": f"Bearer {home.catalog.keys.create('a', [Scope.READ])[1]}", "X-Request-ID": "abc"}
    answer = client.get("/v1/collections", headers=key)
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "abc")
    (line,) = kept.of("service.problems")
    assert (line["request_id"], line["message"]) == ("abc", "GET /v1/collections failed; what follows says how.")


def test_a_failing_statement_does_not_tell_its_values(catalog: Catalog) -> None:
    with pytest.raises(CatalogError) as failed, catalog.jobs._database.read() as connection:
        connection.execute(text("SELECT nothing FROM nowhere WHERE a = :a"), {"a": SECRET})
    assert SECRET not in f"{failed.value} {failed.value.__cause__}"


def test_lines_of_a_job_carry_its_number(home: Home, kept: Kept) -> None:
    job = home.catalog.jobs.submit(Work("compare", "default", {"a": "keyword", "b": "nothing"}), made_by="me").id
    Worker(home, "w").carry_out(job)
    began, ended = kept.of("service.jobs.carrying_out")
    assert (began["job"], ended["job"], ended["status"]) == (job, job, "failed")
    assert ended["duration_ms"] > 0


def test_what_keeps_a_process_from_beginning_is_a_line_of_json_too(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"no catalog" * 100)
    failed = tandem(environment(tmp_path, tiny_model) | {"TANDEM_LOG_FORMAT": "json"}, "worker", "--burst")
    (line,) = (json.loads(line) for line in failed.stderr.splitlines())
    assert (failed.returncode, line["level"], line["logger"]) == (1, "CRITICAL", "tandem")
    assert "catalog.sqlite" in line["message"]


@pytest.mark.parametrize(("variable", "value"), [("TANDEM_LOG_FORMAT", "xml"), ("TANDEM_LOG_LEVEL", "loud")])
def test_a_choice_that_there_is_not_is_refused_with_those_there_are(variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"{variable} is '(?i:{value})'; choose one of .*"):
        Settings.from_environment({variable: value})


def test_levels_are_read_in_any_case_and_handed_on() -> None:
    settings = Settings.from_environment({"TANDEM_LOG_LEVEL": "debug", "TANDEM_LOG_FORMAT": "json"})
    assert settings.log_level == "DEBUG"
    assert Settings.from_environment(settings.environment()) == settings


def test_other_commands_talk_to_people_whatever_a_service_logs_in(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli.on(tmp_path / "home", tiny_model, capture=capsys, patch=monkeypatch)
    monkeypatch.setenv("TANDEM_LOG_FORMAT", "json")
    assert cli("search", "x", "-c", "nowhere").err.startswith("tandem: There is no collection 'nowhere'")
