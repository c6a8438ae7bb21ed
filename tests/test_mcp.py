"""Tandem's tools as the protocol's own client sees them, over stdio and over HTTP."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from sqlalchemy import select
from starlette.testclient import TestClient

from retrieval.catalog.keys import Scope
from retrieval.catalog.schema_searches import searches
from retrieval.home import Home
from retrieval.settings import Settings
from service.app import create_app
from service.auth import Access
from service.mcp import MAX_TEXT_CHARS, Alone, make_server
from service.serving import Serving
from tests.homes import REPOSITORY, Workbench, environment, page
from tests.test_serve_command import Place, served

BASE = "http://127.0.0.1:8080"
TOOLS = {"search", "get_context", "get_document", "list_collections"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    bench = Workbench.open(tmp_path_factory.mktemp("filled") / "home", tiny_model)
    bench.put(page("pets/dog", "A puppy is a young dog.", kind="pet"), page("bread", "Bake the loaf.", "x" * 200_000))
    with bench.index():
        pass
    bench.close()
    return bench.home.settings.home


@pytest.fixture
def home(filled: Path, tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    bench = Workbench.copied(filled, tmp_path / "home", tiny_model)
    yield bench.home
    bench.close()


def called(client: Any, tool: str, **arguments: Any) -> Any:
    """Call one tool, and return its structured answer or what it says went wrong."""

    async def call() -> Any:
        async with client as connected:
            assert {found.name for found in (await connected.list_tools()).tools} == TOOLS
            answer = await connected.call_tool(tool, arguments)
            return answer.content[0].text if answer.is_error else answer.structured_content

    return anyio.run(call)


def test_tools_say_what_they_take_and_give(home: Home) -> None:
    async def listed() -> Any:
        async with Client(make_server(Alone(home))) as client:
            return (await client.list_tools()).tools

    for tool in anyio.run(listed):
        assert tool.description.endswith(".")
        assert tool.output_schema["properties"]
        assert all(field.get("description") for field in tool.input_schema["properties"].values())


def test_a_model_searches_and_reads_over_stdio(home: Home, tiny_model: Path) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "service.cli", "mcp"],
        env=environment(home.settings.home, tiny_model),
        cwd=str(REPOSITORY),
    )
    found = called(Client(server), "search", query="young hound", limit=1)
    assert [(hit["document_id"], hit["text"]) for hit in found["results"]] == [("pets/dog", "A puppy is a young dog.")]


def test_answers_are_what_a_search_gives(home: Home) -> None:
    server = make_server(Alone(home))
    kept = called(Client(server), "search", query="puppy", where=["kind=pet"], mode="keyword")
    assert [hit["document_id"] for hit in kept["results"]] == ["pets/dog"]
    context = called(Client(server), "get_context", query="puppy", where=["kind=pet"])
    assert context["text"] == "[1] pets/dog\nA puppy is a young dog."
    assert [(one["number"], one["document_id"]) for one in context["sources"]] == [(1, "pets/dog")]
    whole = called(Client(server), "get_document", id="bread")
    assert (whole["title"], whole["is_cut"], len(whole["text"])) == ("bread", True, MAX_TEXT_CHARS)
    assert called(Client(server), "list_collections") == {"collections": [{"name": "default", "documents": 2}]}


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("search", {"query": "x", "collection": "nowhere"}, "nowhere"),
        ("search", {"query": "x", "where": ["=broken"]}, "=broken"),
        ("search", {"query": ""}, "at least 1 character"),
        ("search", {"query": "x", "limit": 51}, "less than or equal to 50"),
        ("get_context", {"query": "x", "collection": "nowhere"}, "nowhere"),
        ("get_document", {"id": "nothing"}, "nothing"),
    ],
)
def test_what_goes_wrong_is_told_to_the_model(home: Home, tool: str, arguments: dict[str, Any], said: str) -> None:
    assert said in called(Client(make_server(Alone(home))), tool, **arguments)


def rpc(client: TestClient, method: str, headers: dict[str, str], **params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    accepted = {"Accept": "application/json, text/event-stream", **headers}
    return client.post("/mcp", content=json.dumps(body), headers={"Content-Type": "application/json", **accepted})


def test_over_http_it_answers_whoever_has_a_key_about_what_that_is_for(home: Home) -> None:
    home.catalog.collections.ensure("other", home.catalog.collections.get("default").config)
    keys = home.catalog.keys
    whole, other = (
        {"Authorization": f"Bearer {keys.create('a', [Scope.READ], collection=name)[1]}"} for name in ("", "other")
    )
    with (
        Serving(home) as serving,
        TestClient(create_app(serving, access=Access(keys)), BASE, raise_server_exceptions=False) as client,
    ):
        assert rpc(client, "tools/list", {}).status_code == 401
        assert rpc(client, "tools/list", {**whole, "Sec-Fetch-Site": "cross-site"}).status_code == 403
        listed = rpc(client, "tools/list", whole)
        assert {tool["name"] for tool in listed.json()["result"]["tools"]} == TOOLS
        asked = {"name": "search", "arguments": {"query": "puppy"}}
        found = rpc(client, "tools/call", whole, **asked).json()["result"]
        assert found["structuredContent"]["results"][0]["document_id"] == "pets/dog"
        refused = rpc(client, "tools/call", other, **asked).json()["result"]
        assert refused["isError"]
        assert "for the collection 'other' only" in refused["content"][0]["text"]
        collections = rpc(client, "tools/call", other, name="list_collections", arguments={}).json()["result"]
        assert [one["name"] for one in collections["structuredContent"]["collections"]] == ["other"]
        home.catalog.collections.delete("other")
        for collection, headers, names in (("other", other, ""), ("nope", whole, " (there is: default)")):
            read = {"name": "get_document", "arguments": {"id": "bread", "collection": collection}}
            unknown = rpc(client, "tools/call", headers, **read).json()["result"]
            assert f"There is no collection '{collection}'{names}. " in unknown["content"][0]["text"]


def test_searches_over_http_are_counted_and_not_kept(home: Home) -> None:
    calls = [("search", "puppy"), ("search", "puppy"), ("get_context", "bread"), ("search", "zzzz")]
    with Serving(home) as serving, TestClient(create_app(serving), BASE) as client:
        for tool, query in calls:
            given = {"query": query, "mode": "keyword"} if tool == "search" else {"query": query}
            assert not rpc(client, "tools/call", {}, name=tool, arguments=given).json()["result"]["isError"]
        told = client.get("/metrics").text
    assert 'tandem_searches_total{arm="keyword",found="yes",mode="keyword"} 2.0' in told
    assert 'tandem_searches_total{arm="keyword",found="no",mode="keyword"} 1.0' in told
    assert 'tandem_searches_total{arm="hybrid@tiny",found="yes",mode="hybrid"} 1.0' in told
    with home.catalog.database.read() as connection:
        assert connection.execute(select(searches)).all() == []


@pytest.mark.slow
def test_serving_loads_the_protocol_for_its_first_request_only(home: Home) -> None:
    import subprocess

    code = (
        "import sys; from service.app import create_app; import service.mcp; "
        "sys.exit(any(name.partition('.')[0] == 'mcp' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


def test_a_home_that_a_service_owns_is_searched_through_it(home: Home) -> None:
    settings = Settings(home=home.settings.home, model=home.settings.model, threads=1)
    other = Home.open(settings)
    with Serving(home):
        found = called(Client(make_server(Alone(other))), "search", query="puppy", limit=1)
        assert [hit["document_id"] for hit in found["results"]] == ["pets/dog"]
    other.close()


def test_the_protocols_own_client_is_answered_over_http(tmp_path: Path, tiny_model: Path) -> None:
    place = Place(tmp_path / "home", environment(tmp_path / "home", tiny_model))
    with served(place) as service:
        service.post("/v1/documents", {"documents": [{"id": "a", "text": "A bear sleeps."}]})
        found = called(Client(f"{service.address}/mcp"), "search", query="bear")
        assert [hit["document_id"] for hit in found["results"]] == ["a"]
        code, seconds, said = service.stop(signal.SIGTERM)
        assert (code, said) == (0, "")
        assert seconds < 10
