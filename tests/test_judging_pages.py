"""The pages for judging, side by side and reports: what they show, hide and keep, without a script."""

import re
from base64 import b64decode
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from indexer.candidate_vectors import carry, embed, forget
from retrieval.catalog import Catalog, ballots, schema_votes
from retrieval.catalog.ballots import Ballot, BallotGone, Shown
from retrieval.catalog.job import JobState, Work
from retrieval.catalog.keys import Scope
from retrieval.home import Home
from retrieval.settings import Settings
from service.app import create_app
from service.auth import COOKIE, Access
from service.serving import Serving
from tests.homes import page as document
from tests.promotion_cases import collection_of, two_models
from tests.test_judging_api import forget_what_was_judged, keep_findings

BASE = "http://127.0.0.1:8080"
OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
EVIL = '<script>alert("x")</script>'
ASKED = {"q": "hound hound hound of the river", "a": "keyword", "b": "embedding@tiny", "k": "3"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Serving]:
    bench = two_models(tmp_path_factory.mktemp("judging") / "home", tiny_model)
    bench.put(document("evil.md", f"A kitten {EVIL} sleeps.", title=EVIL), document("pup.md", "A puppy, a young dog."))
    with Serving(bench.with_store("memory").home) as started:
        yield started
    bench.close()


@pytest.fixture
def home(serving: Serving) -> Home:
    forget_what_was_judged(serving.home)
    return serving.home


@pytest.fixture(scope="module")
def application(serving: Serving) -> Iterator[TestClient]:
    with TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        yield connected


@pytest.fixture
def client(application: TestClient, home: Home) -> TestClient:
    return application


def fields(text: str, action: str) -> dict[str, str]:
    """The hidden fields of the first form with an action."""
    form = text[text.index(f'action="{action}"') :]
    form = form[: form.index("</form>")]
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)}


def send(client: TestClient, path: str, **told: str) -> Any:
    return client.post(path, data=told, headers=OWN)


def judged(home: Home, name: str = "default") -> dict[str, dict[str, int | None]]:
    return {query.text: dict(query.grades) for query in home.catalog.judgments.get(collection_of(home), name)}


def test_without_a_set_the_page_says_how_to_make_one_and_takes_a_query(client: TestClient, home: Home) -> None:
    empty = client.get("/judge").text
    assert "tandem judgments import" in empty
    assert "tandem judgments mine" in empty
    shown = send(client, "/judge/queries", **fields(empty, "/judge/queries"), text="  a puppy ")
    assert shown.url.path == "/judge"
    assert '<h2 class="asked" id="asked">a puppy</h2>' in shown.text
    assert "Judged" not in shown.text
    assert {"pup.md", "dog.md"} <= judged(home)["a puppy"].keys()
    again = send(client, "/judge/queries", collection="default", set="default", text="a puppy")
    assert again.status_code == 200
    assert list(judged(home)) == ["a puppy"]


def test_a_grade_is_kept_shown_and_undone(client: TestClient, home: Home) -> None:
    text = send(client, "/judge/queries", collection="default", set="default", text="puppy").text
    told = fields(text, "/judge/grade")
    graded = send(client, "/judge/grade", **told, grade="2")
    assert judged(home)["puppy"][told["document"]] == 2
    assert 'aria-pressed="true">good</button>' in graded.text
    other = send(client, "/judge/grade", **told, grade="0")
    undo = fields(other.text, "/judge/grade")
    assert (undo["document"], undo["grade"], undo["undo"]) == (told["document"], "2", "yes")
    undone = send(client, "/judge/grade", **undo)
    assert judged(home)["puppy"][told["document"]] == 2
    assert "Undo" not in undone.text
    first = fields(graded.text, "/judge/grade")
    assert send(client, "/judge/grade", **first).status_code == 200
    assert judged(home)["puppy"][told["document"]] is None


def test_when_all_is_judged_the_page_goes_on_to_the_next_query_and_then_says_so(client: TestClient, home: Home) -> None:
    for text in ("puppy", "automobile"):
        shown = send(client, "/judge/queries", collection="default", set="default", text=text)
    assert "Skip this query" in shown.text
    skipped = client.get("/judge", params={"after": dict(shown.url.params)["query"]}).text
    assert ">puppy</h2>" in skipped
    for query in home.catalog.judgments.get(collection_of(home), "default"):
        for found in query.grades:
            shown = send(client, "/judge/grade", set="default", query=query.id, document=found, grade="0")
    assert "Next query" in shown.text
    over = client.get("/judge").text
    assert "Everything in “default” is judged" in over
    more = send(client, "/judge/pool", **fields(over, "/judge/pool"))
    assert "documents are new to be judged" in more.text


def test_queries_without_documents_are_collected_for(client: TestClient, home: Home) -> None:
    client.post("/v1/judgments", json={"queries": [{"id": "q", "text": "puppy"}]}).raise_for_status()
    waiting = client.get("/judge").text
    assert "1 query waits for documents" in waiting
    collected = send(client, "/judge/pool", **fields(waiting, "/judge/pool"))
    assert ">puppy</h2>" in collected.text


def test_a_part_of_the_page_is_sent_to_its_script(client: TestClient) -> None:
    send(client, "/judge/queries", collection="default", set="default", text="puppy")
    part = client.get("/judge", headers={"X-Part": "judge"}).text
    assert "<!doctype" not in part
    assert 'class="asked"' in part


def test_nothing_on_the_page_says_who_found_a_document(client: TestClient) -> None:
    send(client, "/judge/queries", collection="default", set="default", text="puppy")
    text = client.get("/judge").text
    for told in ("hybrid", "embedding", "keyword", "score"):
        assert told not in text[text.index('<ol class="hits judging"') :]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"grade": "7"}, 400),
        ({"grade": "x"}, 400),
        ({"grade": "²"}, 400),
        ({"query": "nothing", "grade": "1"}, 404),
        ({"document": "nowhere.md", "grade": "1"}, 404),
    ],
)
def test_a_form_that_makes_no_sense_changes_nothing(
    client: TestClient, home: Home, told: dict[str, str], status: int
) -> None:
    shown = send(client, "/judge/queries", collection="default", set="default", text="puppy")
    before = judged(home)
    answer = send(client, "/judge/grade", **{**fields(shown.text, "/judge/grade"), **told})
    assert answer.status_code == status
    assert judged(home) == before


@pytest.mark.parametrize(
    "path", [f"/judge?set=default&query={EVIL}", f"/compare?q={EVIL}", "/compare?q=kitten", f"/reports?model={EVIL}"]
)
def test_what_documents_and_queries_hold_stays_text(client: TestClient, path: str) -> None:
    send(client, "/judge/queries", collection="default", set="default", text=f"kitten {EVIL}")
    for answer in (client.get(path, headers=OWN), client.get("/judge")):
        assert EVIL not in answer.text
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_two_arms_stand_side_by_side_with_what_differs_marked(client: TestClient) -> None:
    text = client.get("/compare", params=ASKED).text
    assert ">keyword</h2>" in text
    assert ">embedding@tiny</h2>" in text
    assert "only here" in text
    assert "/compare/vote" not in text
    assert "choose two different ones" in client.get("/compare", params={**ASKED, "b": "keyword"}).text
    assert "is not one way to search" in client.get("/compare", params={**ASKED, "b": "reference-bm25"}).text


def test_a_model_without_vectors_here_is_told_with_what_brings_them(client: TestClient, home: Home) -> None:
    text = client.get("/compare", params={**ASKED, "b": "hybrid@other", "blind": "yes"}).text
    assert "<code>tandem models embed other -c default --searchable</code>" in text
    assert "/compare/vote" not in text
    assert "only here" not in text
    asked = send(client, "/compare/embed", **fields(text, "/compare/embed"))
    assert asked.url.path == "/jobs/1"
    assert home.catalog.jobs.get(1).work.parameters == {"version": "other", "searchable": True}
    assert "There is no model" in client.get("/compare", params={**ASKED, "b": "hybrid@nowhere"}).text


def test_a_candidate_is_compared_once_its_vectors_are_there(client: TestClient, serving: Serving, home: Home) -> None:
    embed(home, collection_of(home), "other")
    carry(home, collection_of(home), "other")
    serving.of("default").carry()
    text = client.get("/compare", params={**ASKED, "b": "hybrid@other"}).text
    assert 'class="problem"' not in text
    forget(home, collection_of(home), "other")
    serving.of("default").carry()
    assert "tandem models embed other" in client.get("/compare", params={**ASKED, "b": "hybrid@other"}).text


def blind(client: TestClient, **more: str) -> str:
    return client.get("/compare", params={**ASKED, "blind": "yes", **more}).text


def test_a_blind_page_names_no_side_and_its_form_does_not_tell(client: TestClient) -> None:
    lefts = set()
    for _ in range(12):
        text = blind(client)
        sides = text[text.index('class="sides"') :]  # before it, the form lets the arms be chosen
        assert not re.search("keyword|embedding|tiny", sides)
        lefts.add(re.search(r'<ol class="hits">.*?</ol>', sides, re.DOTALL).group())  # type: ignore[union-attr]
    assert len(lefts) == 2  # chance decides who stands on the left
    ballot = fields(text, "/compare/vote")["ballot"]
    assert re.fullmatch("[0-9a-f]{32}", ballot)
    for decoded in (b64decode(ballot), bytes.fromhex(ballot)):
        assert not re.search(rb"keyword|embedding|tiny|\.md", decoded)


@pytest.mark.parametrize("said", ["left", "right"])
def test_a_vote_names_the_sides_is_counted_and_judges(client: TestClient, home: Home, said: str) -> None:
    told = send(client, "/compare/vote", **fields(blind(client), "/compare/vote"), said=said)
    (vote,) = home.catalog.votes.list(collection_of(home))
    is_a = (vote.on_left == "a") == (said == "left")
    better = vote.a if is_a else vote.b
    assert vote.preferred.value == ("a" if is_a else "b")
    assert f"You said: {better} is better." in told.text
    assert f">{better}</h2>" in told.text
    assert "cannot tell yet" in told.text
    assert (vote.made_by, vote.a_shown, vote.b_shown[0]) == ("anybody", ("river.md",), "dog.md")
    first = (vote.a_shown if is_a else vote.b_shown)[0]
    assert judged(home, "votes")[ASKED["q"]][first] == 1


def test_a_ballot_is_cast_once_and_cannot_be_made_up(client: TestClient, home: Home) -> None:
    form = fields(blind(client), "/compare/vote")
    assert send(client, "/compare/vote", **form, said="bad").status_code == 200
    again = send(client, "/compare/vote", **form, said="left")
    assert (again.status_code, "voted on already" in again.text) == (400, True)
    number = fields(blind(client), "/compare/vote")["ballot"]
    for forged in ("", "x", number[:-1], number[::-1], f"{number}é", "\0"):
        refused = send(client, "/compare/vote", ballot=forged, said="left")
        assert (refused.status_code, "cannot be voted on any more" in refused.text) == (400, True)
    wrong = send(client, "/compare/vote", **fields(blind(client), "/compare/vote"), said="maybe")
    assert wrong.status_code == 400
    assert len(home.catalog.votes.list(collection_of(home))) == 1


def drawn(home: Home) -> Ballot:
    """A ballot that was kept for a page with the same document on both sides."""
    ballot = Ballot.draw(collection_of(home), Shown("q", "keyword", "embedding@tiny", ("dog.md",), ("dog.md",)))
    home.catalog.ballots.put(collection_of(home), ballot)
    return ballot


def test_a_ballot_is_good_for_a_day_whatever_service_shows_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ballot = drawn(home)
    after_a_restart = Catalog.open(home.catalog.database.url)
    assert after_a_restart.ballots.get(ballot.number) == ballot
    after_a_restart.close()
    with monkeypatch.context() as patch:
        patch.setattr(ballots, "GOOD_FOR_S", -1)
        with pytest.raises(BallotGone, match="a day has passed"):
            home.catalog.ballots.get(ballot.number)
    monkeypatch.setattr(ballots, "MOST_KEPT", 2)
    newer = [drawn(home), drawn(home)]
    assert [home.catalog.ballots.get(one.number) for one in newer] == newer
    with pytest.raises(BallotGone):
        home.catalog.ballots.get(ballot.number)


def test_sides_that_show_the_same_cannot_be_told_apart(client: TestClient, home: Home) -> None:
    number = drawn(home).number
    refused = send(client, "/compare/vote", ballot=number, said="left")
    assert (refused.status_code, "neither can be better" in refused.text) == (400, True)
    assert send(client, "/compare/vote", ballot=number, said="equal").status_code == 200
    assert judged(home, "votes") == {"q": {"dog.md": 1}}


def test_reports_are_listed_and_each_has_its_page(client: TestClient, home: Home) -> None:
    assert "No report yet" in client.get("/reports").text
    keep_findings(home)
    listed = client.get("/reports").text
    assert listed.index("hybrid@other against keyword") < listed.index("hybrid@other against hybrid@tiny")
    shown = client.get("/reports/job-1").text
    assert "<code>B</code> &lt;b&gt;is&lt;/b&gt; better." in shown
    assert "+10.00 points of nDCG@10" in shown
    assert 'class="state done">better' in shown
    assert "nDCG@10" in client.get(re.findall(r'href="(/reports/runs-\w+)"', listed)[0]).text
    assert "Nothing was found here yet" in client.get("/reports?model=nothing").text
    assert client.get("/reports/job-9", headers=OWN).status_code == 404
    assert client.get("/reports/job-1/whole", headers=OWN).status_code == 404
    assert '<a href="/reports/job-1">report</a>' in client.get("/jobs").text
    assert 'href="/reports/job-1"' in client.get("/jobs/1").text
    assert "/reports?model=other" in client.get("/models").text


def test_the_page_that_a_training_wrote_may_do_nothing(client: TestClient, home: Home) -> None:
    folder = home.settings.home / "training" / "default" / "1"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(f"<p>The report. {EVIL}</p>")
    (home.settings.home / "secret.html").write_text("secret")
    for number, name in enumerate(("training/default/1/report.html", "secret.html"), 1):
        job = home.catalog.jobs.submit(Work("train", "default", {"seed": number}), made_by="me")
        taken = home.catalog.jobs.take_up(job.id, "w")
        assert taken is not None
        result = {"verdict": "keep the base", "report": str(home.settings.home / name), "summary": {"headline": "No."}}
        home.catalog.jobs.end(taken, JobState.DONE, result=result)
    whole = client.get("/reports/job-1/whole")
    assert "The report." in whole.text
    assert "sandbox" in whole.headers["content-security-policy"]
    assert "script-src" not in whole.headers["content-security-policy"]
    assert client.get("/reports/job-2/whole").status_code == 404
    assert "keep the base" in client.get("/reports/job-2").text


def test_a_report_that_a_command_wrote_is_found_in_the_home(client: TestClient, home: Home) -> None:
    folder = home.settings.home / "training" / "default" / "3"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"plan": {}, "done": true}')
    (folder / "report.html").write_text("<p>Whole.</p>")
    (folder / "report.json").write_text(
        '{"summary": {"headline": "Worth it"}, "version": "other", "verdict": "better"}'
    )
    found = client.get("/v1/evaluations").json()["evaluations"]
    assert [(one["id"], one["headline"], one["version"]) for one in found] == [
        ("training-default-3", "Worth it", "other")
    ]
    assert "Whole." in client.get("/reports/training-default-3/whole").text


def test_whoever_may_only_read_sees_and_changes_nothing(serving: Serving, home: Home) -> None:
    sent = home.catalog.keys.create("reader", [Scope.READ])[1]
    access, count = Access(home.catalog.keys), select(func.count()).select_from(schema_votes.ballots)
    with TestClient(create_app(serving, access=access), BASE) as client:
        client.cookies.set(COOKIE, sent)
        assert "scope <code>write</code>" in blind(client)
        with home.catalog.database.read() as connection:
            assert connection.execute(count).scalar() == 0
        assert "scope <code>write</code>" in client.get("/judge").text
        for path in ("/judge/queries", "/judge/grade", "/judge/pool", "/compare/vote", "/compare/embed"):
            assert send(client, path, collection="default", text="x").status_code == 403
            other = client.post(path, data={}, headers={"Sec-Fetch-Site": "cross-site"})
            assert other.status_code == 403


def test_an_empty_home_says_what_to_do(tmp_path: Path, tiny_model: Path) -> None:
    home = Home.open(Settings(home=tmp_path / "empty", model=str(tiny_model), threads=1))
    with Serving(home) as serving, TestClient(create_app(serving), BASE) as client:
        for path in ("/judge", "/compare"):
            assert "tandem ingest PATH" in client.get(path).text
        assert "No report yet" in client.get("/reports").text
    home.close()
