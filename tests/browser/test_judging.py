"""Judging, and two arms side by side, in a browser."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from retrieval.catalog.judgments import JudgedQuery
from tests.browser.conftest import Service
from tests.promotion_cases import collection_of

pytestmark = pytest.mark.browser


def judged(service: Service, name: str) -> JudgedQuery:
    (query,) = service.home.catalog.judgments.get(collection_of(service.home), name)
    return query


def of_this_look(page: Page) -> str:
    """A name for a judgment set that no other look of the page uses."""
    width, dark = page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")
    return f"look-{width}-{'dark' if dark else 'light'}"


def test_a_query_is_added_judged_by_keys_and_undone(page: Page, service: Service) -> None:
    name = of_this_look(page)
    collection = collection_of(service.home)
    service.home.catalog.judgments.put(collection, name, [])
    page.goto(f"/judge?set={name}")
    page.get_by_label("Add a query that a reader asks").fill("a puppy")
    page.get_by_role("button", name="Add, and collect documents").click()
    page.wait_for_selector("#asked")
    assert page.locator("#asked").inner_text() == "a puppy"
    documents = page.locator(".judging > li")
    count = documents.count()
    assert count > 2
    page.locator("body").press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == "waiting"
    page.keyboard.press("4")
    page.wait_for_selector('.judging > li.judged button[aria-pressed="true"]')
    assert 3 in judged(service, name).grades.values()
    assert page.evaluate("document.activeElement.className") == "waits"  # the next one
    page.keyboard.press("ArrowDown")
    page.keyboard.press("1")
    expect(page.locator(".judging > li.judged")).to_have_count(2)
    page.keyboard.press("u")
    expect(page.locator(".judging > li.judged")).to_have_count(1)
    assert sorted(grade for grade in judged(service, name).grades.values() if grade is not None) == [3]


def test_a_grade_is_given_by_pressing_its_button_and_the_last_one_leads_on(page: Page, service: Service) -> None:
    name = f"{of_this_look(page)}-b"
    two = [JudgedQuery("one", "a puppy", grades={"pup.md": None}), JudgedQuery("two", "moon", grades={"moon.md": None})]
    service.home.catalog.judgments.put(collection_of(service.home), name, two)
    page.goto(f"/judge?set={name}")
    page.get_by_role("group", name="Worth of Of puppies").get_by_role("button", name="good").click()
    page.wait_for_selector("text=Next query")
    assert page.evaluate("document.activeElement.id") == "on"
    page.keyboard.press("Enter")
    expect(page.locator("#asked")).to_have_text("moon")
    with page.expect_navigation():
        page.keyboard.press("s")
    first, second = service.home.catalog.judgments.get(collection_of(service.home), name)
    assert (first.grades, second.grades) == ({"pup.md": 2}, {"moon.md": None})


def test_judging_works_without_the_script(page: Page, chromium: Browser, service: Service) -> None:
    name = f"{of_this_look(page)}-c"
    one = [JudgedQuery("one", "a puppy", grades={"pup.md": None})]
    service.home.catalog.judgments.put(collection_of(service.home), name, one)
    plain = chromium.new_context(base_url=service.address, java_script_enabled=False).new_page()
    plain.goto(f"/judge?set={name}")
    plain.get_by_role("button", name="perfect").click()
    assert judged(service, name).grades == {"pup.md": 3}
    plain.get_by_role("button", name="Undo").click()
    assert judged(service, name).grades == {"pup.md": None}
    plain.context.close()


def test_two_arms_stand_beside_each_other_under_a_link_that_can_be_shared(page: Page) -> None:
    page.goto("/compare")
    page.locator("#cq").fill("hound of the river")
    page.locator('select[name="b"]').select_option("embedding@other")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector(".sides")
    assert page.locator(".sides h2").all_inner_texts() == ["keyword", "embedding@other"]
    left, right = (page.locator(".sides > section").nth(place).bounding_box() for place in (0, 1))
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    assert page.locator(".sides .mark.only").count() > 0
    shared = page.url
    page.goto("/")
    page.goto(shared)
    assert page.locator(".sides h2").all_inner_texts() == ["keyword", "embedding@other"]


def test_a_blind_vote_names_the_sides_only_afterwards(page: Page, service: Service) -> None:
    collection = collection_of(service.home)
    page.goto("/compare?q=hound+hound+of+the+river&b=embedding%40tiny&blind=yes")
    assert page.locator(".sides h2").all_inner_texts() == ["Left", "Right"]
    assert not re.search(r"keyword|embedding|tiny", page.locator(".sides").inner_text())
    page.get_by_role("button", name="Right is better").click()
    page.wait_for_selector(".told")
    vote = service.home.catalog.votes.list(collection)[0]
    better = {"a": vote.a, "b": vote.b}[vote.preferred.value]
    assert vote.preferred.value != vote.on_left
    assert f"{better} is better" in page.locator(".told").inner_text()
    assert page.locator(".sides h2").all_inner_texts()[1] == better
    assert page.get_by_text("sign test").count() == 1
    assert page.evaluate("document.activeElement.id") == "cq"  # for the next query
