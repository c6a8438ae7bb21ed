"""Searching in a browser: as one types, by keys, by a link."""

import pytest
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def test_results_come_as_one_types_with_the_words_marked(page: Page) -> None:
    page.goto("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.locator("#q").press_sequentially("young dog")
    page.wait_for_selector("#results .hits mark")
    assert page.locator("#results .hits h2 a").first.inner_text() == "Of puppies"
    assert page.url.endswith("/?q=young+dog")
    page.locator("summary").first.click()
    assert page.locator("meter").first.is_visible()


def test_a_link_finds_what_was_found_and_keys_go_through_it(page: Page) -> None:
    page.goto("/?q=the+dog&mode=keyword")
    assert page.locator("#q").input_value() == "the dog"
    first = page.locator("#results .hits h2 a").first
    page.locator("body").press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == first.inner_text()
    assert page.locator(".hits > li.current").count() == 1
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/document?**")
    assert page.locator("h1").count() == 1


def test_a_filter_that_is_not_understood_is_told_as_one_types(page: Page) -> None:
    page.goto("/?q=dog")
    page.locator("[name=where]").fill("=broken")
    page.wait_for_selector("#results [role=alert]")
    assert "broken" in page.locator("#results").inner_text()
    page.locator("[name=where]").fill("")
    page.wait_for_selector("#results .hits")


def test_what_a_document_holds_stays_text(page: Page) -> None:
    page.goto("/?q=kitten")
    page.wait_for_selector("#results .hits")
    assert page.locator("#results img").count() == 0
    page.get_by_role("link", name="<img src").click()
    assert page.locator("main img").count() == 0


def test_the_page_works_without_its_script(page: Page, chromium: Browser) -> None:
    address = page.evaluate("location.origin") if page.goto("/") else ""
    plain = chromium.new_context(base_url=address, java_script_enabled=False).new_page()
    plain.goto("/")
    plain.locator("#q").fill("puppy")
    plain.get_by_role("button", name="Search").click()
    assert plain.locator("#results .hits > li").count() > 0
    plain.context.close()


def test_what_is_being_typed_is_completed_by_keys(page: Page) -> None:
    page.goto("/")
    page.locator("#q").press_sequentially("of pup")
    options = page.locator("#suggestions [role=option]")
    options.first.wait_for()
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#suggestions [aria-selected=true]")
    assert chosen.count() == 1
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('q').value === 'Of puppies'")
    assert page.locator("#suggestions").is_hidden()
    page.wait_for_selector("#results .hits")
