"""A key for one collection learns nothing of the others: not from an answer, a page or an error, nor by numbers."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from indexer.promotion import embed
from retrieval.catalog.job import JobState, Listed, Work
from retrieval.catalog.judgments import JudgedQuery
from retrieval.catalog.keys import Scope
from retrieval.catalog.schedules import Rhythm
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.home import Home
from service.app import create_app
from service.auth import Access
from service.jobs.scheduling import add_schedule
from service.serving import Serving
from service.web import actions, compare, judge, pages, reports, uploads
from tests.homes import Cli, opened_home
from tests.tiny_model import build_tiny_model

BASE = "http://127.0.0.1:8080"
MINE, SECRET = "mine", "secretproject"
THEIRS = f"{SECRET}-full-0a1b"
"""A model that was trained for the other collection is named for it."""
SITE = {"Sec-Fetch-Site": "same-origin"}
TEXT = "A kitten sleeps."


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model, is_bare=True)
    for name in (MINE, SECRET):
        home.prepared(name)
    tuned = build_tiny_model(tmp_path / "tuned", salt="other")
    home.register(home.models.add_model(tuned, THEIRS))
    catalog = home.catalog
    secret = catalog.collections.get(SECRET)
    embed(home, secret, THEIRS)
    catalog.verdicts.put(secret, KeptVerdict("hybrid@tiny", f"hybrid@{THEIRS}", "default", "key", "better", {}))
    for name in (MINE, SECRET):
        for kind in ("audit", "embed", "nightly"):
            catalog.jobs.cancel(catalog.jobs.submit(Work(kind, name, {}), made_by=name).id)
        add_schedule(home, Work("audit", name, {}), Rhythm("0 3 * * *"), made_by=name)
        catalog.judgments.put(catalog.collections.get(name), f"of-{name}", [JudgedQuery("q", f"a query of {name}")])
    yield home
    home.close()


@pytest.fixture
def app(home: Home) -> Iterator[Any]:
    with Serving(home) as serving:
        yield create_app(serving, access=Access(home.catalog.keys))


@pytest.fixture
def client(app: Any, home: Home) -> Iterator[TestClient]:
    headers = {**SITE, **key(home, MINE)}
    with TestClient(app, BASE, headers=headers, raise_server_exceptions=False) as connected:
        yield connected


def key(home: Home, collection: str = "") -> dict[str, str]:
    return {"Authorization": f"Bearer {home.catalog.keys.create('a key', [Scope.ADMIN], collection=collection)[1]}"}


PLACES: dict[str, list[str]] = {
    "job": [str(number) for number in range(1, 9)],
    "schedule": ["1", "2", "3"],
    "version": ["nope", "tiny"],
    "name": ["nope", f"of-{MINE}"],
    "finding": ["nope", "job-4", "training-nope-1"],
    "what": ["cancel", "resume", "remove", "disable", "nope"],
}


def written_out(path: str) -> list[str]:
    """The paths of a route: every way to fill its parameters in with what there may be."""
    paths = [path]
    for name in re.findall(r"\{(\w+)\}", path):
        paths = [one.replace(f"{{{name}}}", value) for one in paths for value in PLACES.get(name, ["nope"])]
    return paths


@dataclass(frozen=True, slots=True)
class Asked:
    """A route of the interface or, without an operation in its description, of the pages."""

    method: str
    path: str
    operation: Any = None
    example: Any = None

    def told(self, collection: str | None) -> dict[str, Any]:
        """What is sent along, about a collection or none."""
        about = {} if collection is None else {"collection": collection}
        query = {**about, "q": "kitten", "prefix": "k", "field": "kind", "id": "nope", "a": "hybrid@nope"}
        if self.operation is None:
            form = {**about, "kind": "audit", "version": "nope", "name": "nope", "query": "q", "text": "kitten"}
            return {"params": query, "data": form}
        known = {parameter["name"] for parameter in self.operation.get("parameters", ())}
        body = {name: value for name, value in (self.example or {}).items() if name != "collection"}
        return {
            "params": {name: value for name, value in query.items() if name in known},
            "json": {**body, **about} if self.example else None,
        }


def routes(app: Any) -> Iterator[Asked]:
    """Every route of the interface and of the pages."""
    description = app.openapi()
    schemas = description["components"]["schemas"]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            yield Asked(method.upper(), path, operation, schemas.get(name, {}).get("examples", [None])[0])
    for module in (pages, actions, uploads, judge, compare, reports):
        for route in module.router.routes:
            assert isinstance(route, Route)
            yield from (Asked(method, route.path) for method in sorted(route.methods or ()))


@pytest.mark.slow
def test_no_answer_and_no_page_names_another_collection(app: Any, client: TestClient, home: Home) -> None:
    seen: dict[str, set[int]] = {}
    for is_deleted in (False, True):
        if is_deleted:  # then nothing is left that it may see
            home.catalog.collections.delete(MINE)
        for route, collection in product(routes(app), (None, MINE, "nope")):
            for path in written_out(route.path):
                for waiting in home.catalog.jobs.list(Listed(states=[JobState.QUEUED])):
                    home.catalog.jobs.cancel(waiting.id)  # so that its events end
                answer = client.request(route.method, path, **route.told(collection))
                seen.setdefault(f"{route.method} {path}", set()).add(answer.status_code)
                assert SECRET not in f"{answer.text} {answer.headers}", (route, path, collection, answer.text)
    assert len(seen) > 100
    assert 500 not in {status for statuses in seen.values() for status in statuses}
    assert {200, 403} <= seen["GET /v1/search"] & seen["POST /v1/search"] & seen["GET /compare"] & seen["GET /judge"]
    assert seen["GET /v1/models"] == seen["POST /models/promote"] == seen["POST /models/rollback"] == {403}
    assert [seen[f"GET /v1/jobs/{number}"] for number in (1, 4)] == [{200}, {404}]  # its own, and theirs


def test_whoever_may_see_everything_is_told_the_names_there_are(client: TestClient, home: Home) -> None:
    for collection, names in (("", f" (there is: {MINE}, {SECRET})"), (MINE, "")):
        if collection:
            home.catalog.collections.delete(collection)
        wanted = collection or "nope"
        answer = client.get("/v1/documents", params={"collection": wanted}, headers=key(home, collection))
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith(f"There is no collection {wanted!r}{names}. ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs/{}"),
        ("GET", "/v1/jobs/{}/log"),
        ("GET", "/v1/jobs/{}/events"),
        ("POST", "/v1/jobs/{}/cancel"),
        ("POST", "/v1/jobs/{}/resume"),
        ("GET", "/jobs/{}"),
        ("GET", "/jobs/{}/report"),
        ("POST", "/jobs/{}/cancel"),
    ],
)
def test_a_job_of_another_collection_is_as_unknown_as_one_that_never_was(
    client: TestClient, home: Home, method: str, path: str
) -> None:
    [theirs] = [job.id for job in home.catalog.jobs.list() if (job.work.collection, job.work.kind) == (SECRET, "audit")]
    found, never = (client.request(method, path.format(number)) for number in (theirs, 77))
    assert (found.status_code, never.status_code) == (404, 404)
    assert found.text == never.text.replace("77", str(theirs))


def test_no_work_is_asked_for_that_reads_another_collection(client: TestClient) -> None:
    parameters = {"canary": f"{SECRET}/of-{SECRET}"}
    body = {"kind": "train", "collection": MINE, "parameters": parameters}
    assert client.post("/v1/jobs", json=body).status_code == 403
    assert client.post("/v1/schedules", json={**body, "cron": "0 3 * * *"}).status_code == 403
    assert client.post("/v1/jobs", json={**body, "parameters": {"canary": f"of-{MINE}"}}).status_code == 202


def test_arms_to_compare_are_those_of_models_that_the_collection_has_to_do_with(client: TestClient, home: Home) -> None:
    for collection, arms in ((MINE, {"tiny"}), (SECRET, {"tiny", THEIRS}), ("", {"tiny", THEIRS})):
        page = client.get("/compare", headers=key(home, collection)).text
        assert set(re.findall(r"hybrid@([\w-]+)", page)) == arms


def test_a_command_tells_the_names_but_not_into_the_log_of_a_job(
    home: Home, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli.on(home.settings.home, tiny_model, capture=capsys, patch=monkeypatch)
    assert f"(there is: {MINE}, {SECRET})" in cli("audit", "-c", "nope").err
    monkeypatch.setenv("TANDEM_PROGRESS", "records")
    said = cli("audit", "-c", "nope").err
    assert "There is no collection 'nope'" in said
    assert SECRET not in json.dumps(said)
