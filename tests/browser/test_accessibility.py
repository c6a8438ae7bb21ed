"""Every page is checked with axe-core, where that is at hand; the project does not carry it."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from retrieval.catalog.judgments import JudgedQuery
from tests.browser.conftest import Service
from tests.homes import REPOSITORY
from tests.promotion_cases import collection_of

pytestmark = pytest.mark.browser
AXE = Path(os.environ.get("TANDEM_AXE") or REPOSITORY / "node_modules" / "axe-core" / "axe.min.js")
PATHS = (
    "/",
    "/?q=puppy",
    "/documents",
    "/document?id=pup.md",
    "/compare",
    "/compare?q=hound+of+the+river&b=embedding%40tiny",
    "/compare?q=hound+of+the+river&b=embedding%40tiny&blind=yes",
    "/judge?set=axe",
    "/judge?set=axe-empty",
    "/reports",
    "/reports?kind=training",
    "/jobs",
    "/models",
    "/login",
)


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip(f"{AXE} is not there: npm install --no-save axe-core, or name it in TANDEM_AXE")
    return AXE.read_text(encoding="utf-8")


def test_no_page_keeps_anybody_out(page: Page, service: Service, axe: str) -> None:
    judgments, collection = service.home.catalog.judgments, collection_of(service.home)
    judgments.put(collection, "axe", [JudgedQuery("1", "a puppy", grades={"pup.md": None, "dog.md": 2})])
    judgments.put(collection, "axe-empty", [])
    found = []
    for path in PATHS:
        page.goto(path)
        page.evaluate(axe)
        told = page.evaluate("axe.run({resultTypes: ['violations']})")
        found += [
            f"{path}: {violation['id']}: {node['html'][:120]}: {node['failureSummary']}"
            for violation in told["violations"]
            for node in violation["nodes"]
        ]
    assert found == []
