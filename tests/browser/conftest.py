"""A real service and a real browser: what the page does is looked at where people look."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from indexer.candidate_vectors import carry, embed
from retrieval.home import Home
from tests.homes import environment
from tests.homes import page as document
from tests.promotion_cases import collection_of, judged, two_models

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

collect_ignore_glob = [] if find_spec("playwright") else ["test_*.py"]
CHROMIUM = os.environ.get("TANDEM_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LOOKS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]
EVIL = "<img src=https://elsewhere.example/x onerror=alert(1)>"
WAIT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Service:
    """A running `tandem serve --with-worker`, and its home."""

    address: str
    home: Home


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Service]:
    bench = two_models(tmp_path_factory.mktemp("browser") / "home", tiny_model)
    bench.put(
        document("pup.md", "A puppy is a young dog.", title="Of puppies"),
        document("evil.md", f"A kitten {EVIL} sleeps.", title=EVIL),
    )
    home = bench.home
    embed(home, collection_of(home), "other")
    carry(home, collection_of(home), "other")
    judged(home, "other")
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--with-worker"]
    with subprocess.Popen(
        command, env=environment(home.settings.home, tiny_model), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        answers = re.search(r"Tandem answers at (http://\S+) ", said)
        try:
            assert answers, said + process.stderr.read()
            yield Service(answers[1], home)
        finally:
            process.terminate()
            process.communicate(timeout=120)
    bench.close()


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    if not CHROMIUM:
        pytest.skip("no Chromium here: apt-get install chromium, or name one in TANDEM_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(params=LOOKS, ids=[f"{width}-{scheme}" for width, scheme in LOOKS])
def page(request: pytest.FixtureRequest, chromium: "Browser", service: Service) -> "Iterator[Page]":
    """A page of the service; it fails the test where a script, the policy or another host comes into play."""
    width, scheme = request.param
    context = chromium.new_context(
        base_url=service.address, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    opened = context.new_page()
    troubles: list[str] = []
    opened.set_default_timeout(WAIT_MS)
    own = urlsplit(service.address).netloc

    def asked(sent: "Request") -> None:
        if urlsplit(sent.url).netloc not in (own, ""):
            troubles.append(f"asked {sent.url}")

    def said(message: "ConsoleMessage") -> None:
        is_refusal = message.text.endswith("a status of 400 (Bad Request)")  # which the page itself tells of
        if message.type in ("error", "warning") and not is_refusal:
            troubles.append(f"console: {message.text}")

    def dismissed(dialog: "Dialog") -> None:
        troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    opened.on("request", asked)
    opened.on("console", said)
    opened.on("pageerror", lambda error: troubles.append(f"script: {error}"))
    opened.on("dialog", dismissed)
    yield opened
    overflow = opened.evaluate("document.documentElement.scrollWidth - innerWidth")
    context.close()
    assert troubles == []
    assert overflow <= 0, f"the page is {overflow} pixels wider than the screen"
