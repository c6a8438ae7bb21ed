"""/docs: one plain page that describes the interface, offline."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from retrieval.home import Home
from retrieval.settings import Settings
from service.app import create_app
from service.reference import page
from service.serving import Serving

BASE = "http://127.0.0.1:8080"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    home = Home.open(Settings(home=tmp_path))
    yield TestClient(create_app(Serving(home)), BASE)
    home.close()


def test_the_docs_page_describes_everything_without_another_host(client: TestClient) -> None:
    answer = client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert set(re.findall(r'(?:src|href)="([^"#]+)', answer.text)) == {"docs.css", "openapi.json"}
    for said in (
        "GET /v1/search",
        "POST /v1/documents",
        "curl",
        f"{BASE}/v1/search?q=",
        "DocumentBody",
        "at most 1000",
    ):
        assert said in answer.text
    anchors = set(re.findall(r'href="#([^"]+)"', answer.text))
    assert anchors <= set(re.findall(r'id="([^"]+)"', answer.text))
    assert client.get("/docs.css").headers["content-type"].startswith("text/css")


def test_nothing_in_a_description_becomes_markup() -> None:
    evil = "<b>&amp;"
    operation = {"operationId": evil, "summary": evil, "description": evil, "responses": {"200": {"description": evil}}}
    schema = {"description": evil, "properties": {evil: {"type": evil, "default": evil, "description": evil}}}
    description = {
        "info": {"title": evil, "version": evil, "summary": evil},
        "paths": {f"/{evil}": {"get": operation}},
        "components": {"schemas": {evil: schema}},
    }
    text = page(description, f"http://{evil}")
    assert "<b>" not in text
    assert text.count("&lt;b&gt;&amp;amp;") > 10
