"""The pages: what they show, that documents stay text, and that no other site can press their buttons."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from starlette.testclient import TestClient

from indexer.promotion import embed
from retrieval.catalog.keys import Scope
from retrieval.catalog.searches import Origin
from retrieval.home import Home
from service.app import create_app
from service.auth import COOKIE, Access
from service.jobs.carrying_out import Worker
from service.serving import Serving
from tests.homes import opened_home
from tests.tiny_model import build_tiny_model

BASE = "http://127.0.0.1:8080"
OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
PAGE = {"Accept": "text/html"}
EVIL = '<script>alert("x")</script>'
DOCUMENTS = [
    {"id": "dogs", "text": "# Dogs\n\nA puppy is a young dog.", "url": "https://example.com/dogs"},
    {"id": f"evil/{EVIL}", "title": EVIL, "text": f"A kitten {EVIL} sleeps.", "metadata": {EVIL: EVIL}},
    {"id": "link", "text": "A frog.", "url": "/relative"},
]


@pytest.fixture
def home(tmp_path: Path, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path / "home", tiny_model, is_bare=True)
    yield home
    home.close()


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    with Serving(home) as serving, TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        connected.post("/v1/documents", json={"documents": DOCUMENTS}).raise_for_status()
        yield connected


@pytest.fixture
def locked(home: Home) -> Iterator[TestClient]:
    home.prepared("default")
    app_access = Access(home.catalog.keys)
    with Serving(home) as serving, TestClient(create_app(serving, access=app_access), BASE) as connected:
        yield connected


def test_a_search_is_shown_with_its_form_as_it_was_filled_in(client: TestClient) -> None:
    text = client.get("/", params={"q": "young hound", "mode": "embedding"}).text
    assert 'value="young hound"' in text
    assert '<option value="embedding" selected>' in text
    assert '<a href="https://example.com/dogs">Dogs</a>' in text
    assert "Why this hit" in text


def test_what_is_typed_is_answered_with_the_results_alone(client: TestClient) -> None:
    whole = client.get("/", params={"q": "puppy"})
    part = client.get("/", params={"q": "puppy"}, headers={"X-Part": "results"})
    assert (
        part.text[part.text.index("<li data-document") :] in whole.text
    )  # before it stand its id and how long it took
    assert "<!doctype" not in part.text


@pytest.mark.parametrize("path", ["/?q=kitten", "/documents", f"/document?id=evil/{EVIL}", f"/?q={EVIL}", "/jobs"])
def test_documents_and_queries_stay_text(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert EVIL not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_web_addresses_become_links(client: TestClient) -> None:
    text = client.get("/", params={"q": "frog"}).text
    assert 'href="/relative"' not in text
    assert 'href="/document?collection=default&amp;id=link"' in text


def test_what_was_found_can_be_narrowed_down_by_links_and_back(client: TestClient) -> None:
    kinds = [("a&b", 2021), ("a&b", 2022), (EVIL, 2022), (EVIL, 2021)]
    documents = [
        {"id": f"k{place}", "text": "A horse.", "created": f"{year}-02-01", "metadata": {"kind": kind, "n": place * 9}}
        for place, (kind, year) in enumerate(kinds)
    ]
    client.post("/v1/documents", json={"documents": documents, "collection": "kinds"}).raise_for_status()
    asked = {"q": "horse", "collection": "kinds"}
    first = links_of(client.get("/", params=asked).text, "narrow")
    assert [label for label, _ in first[:4]] == [EVIL, "a&b", "2022", "2021"]
    assert {"0 to 5", "25 to 30"} <= {label for label, _ in first}
    one = client.get(dict(first)[EVIL])
    assert EVIL not in one.text
    assert one.text.count("<article>") == 2
    both = client.get(dict(links_of(one.text, "narrow"))["2022"])
    assert [label for label, _ in links_of(both.text, "chips")] == [f"kind: {EVIL}", "created: 2022"]
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', both.text)
    assert [(name, unescape(value)) for name, value in hidden] == [
        ("filter", f"kind={EVIL}"),
        ("between", "created|2022-01-01|2023-01-01"),
    ]
    assert client.get(dict(links_of(both.text, "chips"))["created: 2022"]).url == one.url


@pytest.mark.parametrize("choice", ["filter==", "between=a|b|c", "between=a", "between=|1|2", "between=a|nan|2"])
def test_a_choice_that_cannot_be_read_is_told_in_its_place(client: TestClient, choice: str) -> None:
    answer = client.get(f"/?q=dog&{choice}")
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)


def test_more_results_are_a_link_away(client: TestClient) -> None:
    asked = {"q": "young kitten", "k": "2"}
    first = client.get("/", params=asked).text
    (more,) = [link for label, link in links_of(first, "pages") if label == "More results"]
    second = client.get(more).text
    assert '<ol class="hits" start="3"' in second
    assert "Documents 3 to 3" in second
    ((label, link),) = links_of(second, "pages")
    assert label == "The first results"
    assert client.get(link).text.count("<article>") == 2
    refused = client.get("/", params={**asked, "cursor": "AAAA"})
    assert (refused.status_code, 'role="alert"' in refused.text) == (400, True)


def test_hits_carry_what_a_click_reports(client: TestClient, home: Home) -> None:
    text = client.get("/", params={"q": "kitten"}).text
    (query,) = re.findall(r'data-query="([^"]+)"', text)
    shown = [unescape(found) for found in re.findall(r'<li data-document="([^"]*)" data-rank="1">', text)]
    assert shown == [f"evil/{EVIL}"]
    click = {"query_id": query, "document": shown[0], "rank": 1, "kind": "click"}
    assert client.post("/v1/feedback", json=click).json() == {"recorded": True}
    typed = client.get("/", params={"q": "kitt"}, headers={"X-Part": "results"}).text
    (part,) = re.findall(r'data-query="([^"]+)"', typed)
    client.post("/v1/feedback", json={"query_id": part, "kind": "up"}).raise_for_status()
    origins = [found.origin for one in (query, part) if (found := home.catalog.searches.get(one))]
    assert origins == [Origin.PAGE, Origin.TYPING]


def links_of(text: str, name: str) -> list[tuple[str, str]]:
    """Return the labels and targets of the links in an element with this id or class."""
    soup = BeautifulSoup(text, "html.parser")
    part = soup.find(id=name) or soup.find(class_=name)
    assert isinstance(part, Tag)
    for extra in part.select("span"):
        extra.decompose()
    return [(link.get_text(), str(link["href"])) for link in part.select("a")]


def test_a_filter_that_cannot_be_read_is_told_in_its_place(client: TestClient) -> None:
    answer = client.get("/", params={"q": "dog", "where": "=broken"})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert 'value="=broken"' in answer.text  # the form is there, as it was filled in
    part = client.get("/", params={"q": "dog", "where": "=broken"}, headers={**PAGE, "X-Part": "results"})
    assert (part.status_code, "=broken" in part.text, "<!doctype" in part.text) == (200, True, False)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/?collection=nope", 404, "There is no collection"),
        ("/?q=dog&collection=nope", 404, "There is no collection"),
        ("/compare?collection=nope", 404, "There is no collection"),
        ("/compare?a=zzz", 400, "zzz"),
        ("/compare?q=dog&a=keyword&b=keyword", 400, "Both sides are keyword"),
        ("/compare?voted=7", 404, "There is no vote 7"),
    ],
)
def test_a_page_that_tells_what_went_wrong_is_no_success(client: TestClient, path: str, status: int, said: str) -> None:
    answer = client.get(path, headers=PAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in answer.text
    assert 'role="alert"' in answer.text


def test_a_key_for_one_collection_learns_nothing_of_others_from_the_pages(locked: TestClient, home: Home) -> None:
    locked.cookies.set(COOKIE, home.catalog.keys.create("one", [Scope.READ], collection="default")[1])
    assert locked.get("/", headers=PAGE).status_code == 200
    for path in ("/?collection={}", "/?q=dog&collection={}", "/compare?collection={}", "/judge?collection={}"):
        home.prepared("hidden")
        answers = [locked.get(path.format(name), headers=PAGE) for name in ("hidden", "nope")]
        assert [answer.status_code for answer in answers] == [403, 403]
        assert "This key is for the collection" in answers[0].text


def test_an_empty_home_says_what_to_do(home: Home) -> None:
    with Serving(home) as serving, TestClient(create_app(serving), BASE) as client:
        assert "tandem ingest PATH" in client.get("/?q=dog").text
        assert "tandem ingest PATH" in client.get("/documents").text
        assert "No job yet" in client.get("/jobs").text
        assert "No model yet" in client.get("/models").text


def test_a_person_sees_a_page_where_a_program_gets_a_problem_document(client: TestClient) -> None:
    for path in ("/document?id=nothing", "/jobs/99", "/nowhere", f"/jobs/{2**62}"):
        seen = client.get(path, headers=PAGE)
        assert (seen.status_code, seen.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "Not Found" in seen.text
        assert client.get(path).headers["content-type"] == "application/problem+json"
    assert client.get("/v1/jobs/99", headers=PAGE).headers["content-type"] == "application/problem+json"


def test_files_of_the_page_may_be_kept_for_good_and_no_other_file_is_served(client: TestClient) -> None:
    text = client.get("/").text
    for end, kind in (("style.css", "text/css"), ("app.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        path = next(part for part in text.split('"') if part.endswith(end))
        answer = client.get(path)
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
    for path in ("/static/0/style.css", "/static/0/../rendering.py", "/static/0/pages.py"):
        assert client.get(path).status_code == 404


def test_a_job_is_asked_for_cancelled_and_shown(client: TestClient, home: Home) -> None:
    asked = client.post("/jobs", data={"kind": "audit", "collection": "default"}, headers=OWN)
    assert asked.url.path == "/jobs/1"
    assert "queued" in asked.text
    again = client.post("/jobs", data={"kind": "audit", "collection": "default"}, headers=OWN)
    assert (again.status_code, "does the same already" in again.text) == (409, True)
    assert "cancelled" in client.post("/jobs/1/cancel", headers=OWN).text
    assert "queued" in client.post("/jobs/1/resume", headers=OWN).text
    Worker(home, "w").carry_out(1)
    shown = client.get("/jobs/1").text
    assert "tandem audit --collection=default --json" in shown
    assert 'class="state done"' in shown
    assert client.get("/jobs/1/report", headers=PAGE).status_code == 404
    assert "<td>audit</td>" in client.get("/jobs").text


def test_a_report_is_shown_from_the_homes_trainings_and_from_nowhere_else(client: TestClient, home: Home) -> None:
    folder = home.settings.home / "training" / "default" / "1"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>The report.</p>")
    outside = home.settings.home / "secret.html"
    outside.write_text("secret")
    from retrieval.catalog.job import JobState, Work

    for number, (path, status) in enumerate(((folder / "report.html", 200), (outside, 404)), 1):
        job = home.catalog.jobs.submit(Work("train", "default", {"seed": number}), made_by="me")
        taken = home.catalog.jobs.take_up(job.id, "w")
        assert taken is not None
        home.catalog.jobs.end(taken, JobState.DONE, result={"report": str(path)})
        answer = client.get(f"/jobs/{job.id}/report")
        assert answer.status_code == status
        if status == 200:
            assert "sandbox" in answer.headers["content-security-policy"]


def test_models_are_promoted_on_a_verdict_only_and_rolled_back(client: TestClient, home: Home, tmp_path: Path) -> None:
    home.register(home.models.add_model(build_tiny_model(tmp_path / "second", salt="second"), "second"))
    collection = home.catalog.collections.get("default")
    embed(home, collection, "second")
    assert "active in default" in client.get("/models").text
    told = {"version": "second", "collection": "default"}
    refused = client.post("/models/promote", data=told, headers=OWN)
    assert refused.status_code == 409
    assert "verdict" in refused.text
    client.post("/v1/models/second/promote", json={"force": "a test"}).raise_for_status()
    back = client.post("/models/rollback", data={"collection": "default"}, headers=OWN)
    assert "default is searched with tiny again." in back.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[broken"},
        {},
    ],
)
def test_no_other_site_presses_a_button(client: TestClient, home: Home, headers: dict[str, str]) -> None:
    for path in ("/jobs", "/jobs/1/cancel", "/models/promote", "/models/rollback", "/login", "/logout"):
        assert client.post(path, data={"kind": "audit"}, headers=headers).status_code == 403
    assert home.catalog.jobs.list() == []


def test_older_browsers_say_where_a_form_comes_from_too(client: TestClient) -> None:
    asked = client.post("/jobs", data={"kind": "audit"}, headers={"Origin": BASE, "Accept": "text/html"})
    assert asked.url.path == "/jobs/1"


def test_whoever_has_no_key_is_led_to_sign_in_and_back(locked: TestClient, home: Home) -> None:
    first: Any = locked.get("/?q=dog", headers=PAGE)
    assert (first.url.path, first.url.params["to"]) == ("/login", "/?q=dog")
    wrong = locked.post("/login", data={"key": "tandem_0_x", "to": "/"}, headers=OWN)
    assert (wrong.status_code, COOKIE in locked.cookies) == (401, False)
    sent = home.catalog.keys.create("reader", [Scope.READ])[1]
    signed = locked.post("/login", data={"key": sent, "to": "/jobs"}, headers=OWN)
    assert signed.url.path == "/jobs"
    cookie = signed.history[0].headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    refused = locked.post("/jobs", data={"kind": "audit"}, headers=OWN)
    assert refused.status_code == 403
    assert "needs the scope admin" in refused.text
    assert locked.post("/logout", headers=OWN).url.path == "/login"


def test_where_no_key_is_asked_for_none_is_kept(client: TestClient) -> None:
    for sent in ("ключ 🗝", "tandem_0_x", ""):
        signed: Any = client.post("/login", data={"key": sent, "to": "/jobs"}, headers=OWN)
        assert (signed.status_code, signed.url.path) == (200, "/jobs")
    assert COOKIE not in client.cookies


def test_a_key_in_another_script_is_as_wrong_as_any(locked: TestClient) -> None:
    wrong = locked.post("/login", data={"key": "ключ 🗝", "to": "/"}, headers=OWN)
    assert (wrong.status_code, "This key is unknown" in wrong.text) == (401, True)


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "/a\r\nb"]
)
def test_signing_in_leads_nowhere_else(locked: TestClient, home: Home, to: str) -> None:
    sent = home.catalog.keys.create("reader", [Scope.READ])[1]
    answer = locked.post("/login", data={"key": sent, "to": to}, headers=OWN, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def uploaded(client: TestClient, *files: tuple[str, bytes], headers: dict[str, str] = OWN, **fields: str) -> Any:
    parts = [("files", file) for file in files]
    return client.post("/documents", files=parts, data={"collection": "default", **fields}, headers=headers)


def test_files_are_added_without_a_script_and_each_failure_is_told_in_its_place(client: TestClient) -> None:
    assert 'enctype="multipart/form-data"' in client.get("/documents").text
    answer = uploaded(client, ("otter.md", b"# Otters\n\nAn otter floats."), (f"{EVIL}.zip", b"PK"), id_prefix="zoo/")
    assert (answer.status_code, EVIL in answer.text) == (200, False)
    assert "1 document kept from 1 file; 1 not kept." in " ".join(answer.text.split())
    for said in ("zoo/otter.md", "which is not unpacked", 'role="status"', "&lt;script&gt;", "<caption"):
        assert said in answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert 'id=zoo/otter.md"' in client.get("/documents").text
    assert "An otter floats." in client.get("/document", params={"id": "zoo/otter.md"}).text
    nothing = uploaded(client, ("all.zip", b"PK"))
    assert (nothing.status_code, "0 documents kept" in nothing.text) == (422, True)


def test_the_pages_script_gets_what_became_of_files_alone(client: TestClient) -> None:
    script = {"Sec-Fetch-Site": "same-origin", "X-Part": "uploaded", "Accept": "application/json"}
    part = uploaded(client, ("otter.md", b"An otter floats."), headers=script)
    assert (part.status_code, "<!doctype" in part.text, "otter.md" in part.text) == (200, False, True)
    refused = uploaded(client, headers=script)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    bad = uploaded(client, ("a.md", b"x"), headers=script, collection="Not A Name")
    assert (bad.status_code, 'role="alert"' in bad.text) == (409, True)


def test_files_are_taken_from_the_page_itself_and_from_whoever_may_write(locked: TestClient, home: Home) -> None:
    reader, writer = (home.catalog.keys.create("one", [scope])[1] for scope in (Scope.READ, Scope.WRITE))
    for key, has_form, status in ((reader, False, 403), (writer, True, 200)):
        locked.cookies.set(COOKIE, key)
        assert ('id="upload"' in locked.get("/documents").text) is has_form
        assert uploaded(locked, ("a.md", b"# A\n\nA bear.")).status_code == status
    foreign = uploaded(locked, ("b.md", b"# B"), headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    only = home.catalog.keys.create("other", [Scope.WRITE], collection="other")[1]
    locked.cookies.set(COOKIE, only)
    assert "Add files to other" in locked.get("/documents").text
    assert uploaded(locked, ("a.md", b"# A\n\nA bear.")).status_code == 403


def test_files_make_the_first_collection(home: Home) -> None:
    with Serving(home) as serving, TestClient(create_app(serving), BASE) as client:
        assert "Add files to default" in client.get("/documents").text
        assert "1 document kept" in uploaded(client, ("a.md", b"# A\n\nA bear.")).text
        assert home.catalog.collections.get("default").config.model == "tiny"
