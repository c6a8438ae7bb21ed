"""Jobs, models and reports in a browser, with a worker beside the service."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Service
from tests.promotion_cases import active

pytestmark = pytest.mark.browser


def test_a_job_is_seen_to_go_on_and_to_end(page: Page) -> None:
    page.goto("/jobs")
    page.get_by_label("Do").select_option("audit")
    page.get_by_role("button", name="Ask for it").click()
    page.wait_for_url("**/jobs/*")
    assert page.locator("#state").inner_text() in ("queued", "running", "done")
    page.wait_for_selector("#state.done")
    expect(page.locator("#log")).to_contain_text("tandem audit")
    assert page.get_by_text("What came of it").is_visible()
    page.get_by_role("link", name="Jobs").click()
    assert page.locator("td .state.done").count() > 0


def test_a_job_that_was_asked_for_over_rest_is_followed_live_and_its_report_read(page: Page) -> None:
    page.goto("/")
    brought = {"queries": [{"id": "1", "text": "a dog"}], "judgments": {"1": {"pup.md": 1}}, "name": "live"}
    assert page.request.post("/v1/judgments", data=brought).ok
    width, dark = page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")
    asked = {"kind": "compare", "a": "keyword", "b": "hybrid", "judgments": "live"}
    job = page.request.post("/v1/evaluations", data={**asked, "minimum_effect": width / 10_000 + dark / 100}).json()
    page.goto(f"/jobs/{job['id']}")
    states = page.evaluate(
        """() => new Promise((done) => {
          const seen = [document.querySelector("#state").textContent];
          new MutationObserver(() => {
            seen.push(document.querySelector("#state").textContent);
            if (seen.at(-1) !== "queued") done(seen);
          }).observe(document.querySelector("#state"), {childList: true});
          if (seen[0] !== "queued") done(seen);
        })"""
    )
    assert states[-1] in ("running", "done")  # seen without loading the page again
    page.wait_for_selector("#state.done")
    page.get_by_role("link", name="What it found").click()
    assert page.locator("h1").inner_text() == "hybrid@tiny against keyword"
    assert page.get_by_text("cannot tell yet").first.is_visible()


def test_a_model_is_promoted_on_its_verdict_and_rolled_back(page: Page, service: Service) -> None:
    assert active(service.home) == "tiny"
    page.goto("/models")
    card = page.locator("section.card", has_text="other")
    assert "better than hybrid@tiny" in card.first.inner_text()
    page.get_by_role("button", name="Promote for default").click()
    page.wait_for_selector("text=default is searched with other now.")
    assert active(service.home) == "other"
    page.get_by_role("button", name="Roll default back to this").click()
    page.wait_for_selector("text=default is searched with tiny again.")
    assert active(service.home) == "tiny"
