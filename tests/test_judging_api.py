"""Judgment sets, findings and votes over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text
from starlette.testclient import TestClient

from retrieval.catalog import schema, schema_votes
from retrieval.catalog.job import Job, JobState, Work
from retrieval.catalog.jobs import Jobs
from retrieval.catalog.judgments import JudgedQuery
from retrieval.catalog.keys import Scope
from retrieval.catalog.runs import KeptRun
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.catalog.votes import Preferred, Vote
from retrieval.home import Home
from service import found
from service.app import create_app
from service.auth import Access
from service.serving import Serving
from tests.promotion_cases import collection_of, two_models
from trainer.brought import first_twice

BASE = "http://127.0.0.1:8080"
QUERIES = [{"id": "q1", "text": "loaf"}, {"id": "q2", "text": "puppy"}, {"id": "q3", "text": "automobile"}]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Serving]:
    bench = two_models(tmp_path_factory.mktemp("judging") / "home", tiny_model)
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


def forget_what_was_judged(home: Home) -> None:
    """Leave the home as it was made: a home for each test would take longer than the tests."""
    with home.catalog.database.write() as connection:
        for table in (
            schema.judgment_sets,
            schema_votes.votes,
            schema_votes.ballots,
            schema.verdicts,
            schema.runs,
            schema.jobs,
        ):
            connection.execute(delete(table))
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'jobs'"))  # the next is number 1 again


def bring(client: TestClient, **more: Any) -> Any:
    body = {"queries": QUERIES, "judgments": {"q1": {"bread.md": 2, "stone.md": 0}}, **more}
    return client.post("/v1/judgments", json=body)


def test_judgments_come_in_and_go_out_as_they_were(client: TestClient) -> None:
    answer = bring(client, judgments={"q1": {"bread.md": 2, "gone.md": 1}, "q9": {"bread.md": 1}}, source="log")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["without_text"], told["unknown_documents"]) == (["q9"], ["gone.md"])
    assert (told["judgments"]["queries"], told["judgments"]["sources"]) == (3, {"log": 3})
    assert client.get("/v1/judgments").json()["judgments"] == [told["judgments"]]
    out = client.get("/v1/judgments/default/export").json()
    assert out["judgments"] == {"q1": {"bread.md": 2, "gone.md": 1}}
    again = client.post("/v1/judgments", json={**out, "name": "copy"})
    assert again.status_code == 200, again.text
    copied = client.get("/v1/judgments/copy/export").json()
    assert (copied["queries"], copied["judgments"]) == (out["queries"], out["judgments"])


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"judgments": {"q1": {"nowhere.md": 1}}}, 400, "None of the 1 judged documents"),
        ({"judgments": {"q9": {"bread.md": 1}}}, 400, "is in queries (which has such as 'q1')"),
        ({"queries": [QUERIES[0], QUERIES[0]]}, 400, "'q1' comes twice"),
        ({"queries": [{**QUERIES[0], "source": "mined:title"}]}, 400, "has no masks"),
        ({"source": "mined:title"}, 400, "come from elsewhere"),
        ({"name": "Not a name"}, 400, "cannot name a judgment set"),
        ({"judgments": {"q1": {"bread.md": -1}}}, 422, "greater than or equal to 0"),
        ({"queries": [{"id": "q1", "text": " "}]}, 422, "without NUL"),
        ({"queries": []}, 422, "queries"),
        ({"colection": "x"}, 422, "no such field"),
        ({"collection": "nowhere"}, 404, "nowhere"),
    ],
)
def test_what_the_command_refuses_is_refused(client: TestClient, more: Any, status: int, said: str) -> None:
    answer = bring(client, **more)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert client.get("/v1/judgments").json() == {"judgments": []}


def test_each_of_many_query_ids_is_looked_at_once() -> None:
    hashed: list[str] = []

    class Id(str):
        def __hash__(self) -> int:
            hashed.append(self)
            return super().__hash__()

    ids = [Id(number) for number in range(1_000)]
    assert first_twice(ids) is None
    assert len(hashed) <= 2 * len(ids)
    assert first_twice([*ids, "7", "8"]) == "7"


def test_a_known_query_id_with_another_text_is_refused(client: TestClient) -> None:
    bring(client).raise_for_status()
    answer = bring(client, queries=[{"id": "q1", "text": "cake"}])
    assert (answer.status_code, "known with the text 'loaf'" in answer.json()["detail"]) == (400, True)


def test_documents_are_collected_judged_and_taken_back(client: TestClient) -> None:
    bring(client).raise_for_status()
    pooled = client.post("/v1/judgments/default/pool", json={"depth": 2, "limit": 1}).json()
    assert (pooled["queries"], pooled["next"]) == (1, "q2")
    assert client.post("/v1/judgments/default/pool", json={"depth": 2, "after": "q2"}).json()["next"] is None
    first = client.get("/v1/judgments/default/next").json()
    assert first["query"]["id"] == "q2"  # q1 is judged already
    assert first["left"]["queries"] == 2
    shown = {document["id"]: document for document in first["documents"]}
    assert "dog.md" in shown
    assert set(shown["dog.md"]) == {"id", "title", "url", "headings", "highlights", "grade", "is_gone"}
    graded = {"query": "q2", "document": "dog.md", "grade": 3}
    assert client.put("/v1/judgments/default/grades", json=graded).json() == {**graded, "before": None}
    assert client.put("/v1/judgments/default/grades", json={**graded, "grade": 1}).json()["before"] == 3
    assert client.put("/v1/judgments/default/grades", json={**graded, "grade": None}).json()["before"] == 1
    assert client.get("/v1/judgments/default/next", params={"after": "q2"}).json()["query"]["id"] == "q3"
    assert client.get("/v1/judgments/default/next", params={"after": "q3"}).json()["query"]["id"] == "q2"


def test_with_every_query_what_is_judged_is_collected_for_too(client: TestClient) -> None:
    bring(client, queries=QUERIES[:1]).raise_for_status()
    assert client.post("/v1/judgments/default/pool", json={}).json() == {"documents": 0, "queries": 0, "next": None}
    asked = {"every_query": True, "arms": ["keyword", "embedding"], "depth": 3}
    assert client.post("/v1/judgments/default/pool", json=asked).json()["documents"] >= 1
    refused = client.post("/v1/judgments/default/pool", json={"every_query": True, "arms": ["reference-bm25"]})
    assert (refused.status_code, "not one way to search" in refused.json()["detail"]) == (400, True)


def test_nothing_left_to_judge_is_an_answer(client: TestClient) -> None:
    bring(client, queries=QUERIES[:1]).raise_for_status()
    answer = client.get("/v1/judgments/default/next").json()
    assert (answer["query"], answer["documents"]) == (None, [])
    assert client.get("/v1/judgments/other/next").status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"grade": 4}, 422, "less than or equal to 3"),
        ({"query": "q9"}, 404, "no query 'q9'"),
        ({"document": "nowhere.md"}, 404, "nor was it pooled"),
    ],
)
def test_a_grade_of_nothing_is_refused(client: TestClient, change: Any, status: int, said: str) -> None:
    bring(client).raise_for_status()
    graded = {"query": "q2", "document": "dog.md", "grade": 1, **change}
    answer = client.put("/v1/judgments/default/grades", json=graded)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True)


def keep_findings(home: Home) -> None:
    """A comparison by a job, a verdict and runs that commands left, and one verdict that the job left on its way."""
    collection, jobs = collection_of(home), home.catalog.jobs
    home.catalog.judgments.put(collection, "default", [JudgedQuery("q1", "loaf", grades={"bread.md": 1})])
    job = jobs.submit(Work("compare", "default", {"a": "keyword", "b": "hybrid@other"}), made_by="me")
    taken = jobs.take_up(job.id, "w")
    assert taken is not None
    same = {"a": "keyword", "b": "hybrid@other", "judgments": "default"}
    home.catalog.verdicts.put(collection, KeptVerdict(**same, key="k", verdict="better", evidence={}))
    told = {**same, "verdict": "better", "effect": 0.1, "interval": [0.05, 0.15], "reasons": ["`B` <b>is</b> better."]}
    jobs.end(taken, JobState.DONE, result=told)
    long_ago = "2020-01-01T00:00:00+00:00"
    verdict = KeptVerdict("hybrid@tiny", "hybrid@other", "default", "k", "worse", {"effect": -0.1}, long_ago)
    home.catalog.verdicts.put(collection, verdict)
    run = "q1 Q0 bread.md 1 2.0 keyword\nq1 Q0 stone.md 2 1.0 keyword\n"
    home.catalog.runs.put(collection, KeptRun("default", "keyword", "k", run, long_ago))


def test_what_was_found_is_listed_once_the_newest_first_and_shown_whole(client: TestClient, home: Home) -> None:
    assert client.get("/v1/evaluations").json() == {"evaluations": [], "next": None}
    keep_findings(home)
    found = client.get("/v1/evaluations").json()["evaluations"]
    assert [(one["kind"], one["verdict"]) for one in found] == [
        ("comparison", "better"),
        ("comparison", "worse"),
        ("evaluation", None),
    ]
    assert (found[0]["id"], found[0]["job"], found[0]["arms"]) == ("job-1", 1, ["hybrid@other", "keyword"])
    assert client.get("/v1/evaluations/job-1").json()["content"]["effect"] == 0.1
    measured = client.get(f"/v1/evaluations/{found[2]['id']}").json()["content"]["arms"]
    assert (measured["keyword"]["ndcg@10"], measured["keyword"]["queries"]) == (1.0, 1)
    first = client.get("/v1/evaluations?limit=1").json()
    rest = client.get("/v1/evaluations", params={"after": first["next"]}).json()["evaluations"]
    assert [one["id"] for one in rest] == [one["id"] for one in found[1:]]
    assert len(client.get("/v1/evaluations?kind=evaluation").json()["evaluations"]) == 1
    assert len(client.get("/v1/evaluations?model=other").json()["evaluations"]) == 2
    assert client.get("/v1/evaluations/job-9").status_code == 404


def test_whoever_goes_on_after_a_finding_that_is_gone_goes_on_where_it_was(client: TestClient, home: Home) -> None:
    keep_findings(home)
    job, verdict, runs = (one["id"] for one in client.get("/v1/evaluations").json()["evaluations"])
    after = client.get("/v1/evaluations?limit=2").json()["next"]
    assert client.get(f"/v1/evaluations?after={verdict}").json() == client.get(f"/v1/evaluations?after={after}").json()
    with home.catalog.database.write() as connection:
        connection.execute(delete(schema.verdicts))
    left = client.get(f"/v1/evaluations?after={after}").json()
    assert ([one["id"] for one in left["evaluations"]], left["next"]) == ([runs], None)
    shown = client.get(f"/reports?after={after}").text
    assert (f"/reports/{runs}" in shown, f"/reports/{job}" in shown) == (True, False)
    for path in (f"/v1/evaluations?after={verdict}", f"/reports?after={verdict}"):
        answer = client.get(path)
        assert (answer.status_code, "to go on after" in answer.text) == (404, True)


def test_lists_read_no_results_and_one_finding_only_its_own(
    client: TestClient, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_findings(home)
    read: list[int] = []

    def get(jobs: Jobs, job: int, get: Callable[[Jobs, int], Job] = Jobs.get) -> Job:
        read.append(job)
        return get(jobs, job)

    monkeypatch.setattr(Jobs, "get", get)
    for path in ("/v1/evaluations", "/reports", "/v1/jobs", "/jobs", "/v1/jobs/1/log"):
        assert client.get(path).status_code == 200
    assert read == []
    monkeypatch.setattr(found, "found_in", None)
    assert client.get("/v1/evaluations/job-1").json()["content"]["interval"] == [0.05, 0.15]
    assert client.get("/reports/job-1").status_code == 200
    assert read == [1, 1]
    for other in ("job-2", f"job-{10**17}"):
        assert client.get(f"/v1/evaluations/{other}").status_code == 404


def test_more_is_asked_for_as_a_job(client: TestClient) -> None:
    asked = {"kind": "compare", "a": "keyword", "b": "hybrid", "also": ["embedding"], "minimum_effect": 0.02}
    answer = client.post("/v1/evaluations", json=asked)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["kind"], told["state"]) == ("compare", "queued")
    assert told["parameters"] == {"a": "keyword", "b": "hybrid", "also": "embedding", "minimum_effect": 0.02}
    assert client.post("/v1/evaluations", json=asked).status_code == 409
    measured = client.post("/v1/evaluations", json={"kind": "evaluate", "arms": ["keyword", "hybrid"]})
    assert measured.json()["parameters"] == {"arms": "keyword,hybrid"}
    missing = client.post("/v1/evaluations", json={"kind": "compare", "a": "keyword"})
    assert (missing.status_code, "b: this is needed and was not given" in missing.json()["detail"]) == (400, True)
    mixed = client.post("/v1/evaluations", json={"kind": "evaluate", "a": "keyword"})
    assert (mixed.status_code, "a: no such field" in mixed.json()["detail"]) == (400, True)
    assert client.post("/v1/evaluations", json={"kind": "train"}).status_code == 422


def test_votes_are_listed_and_counted(client: TestClient, home: Home) -> None:
    for number in range(3):
        vote = Vote(str(number), f"q{number}", "keyword", "hybrid@tiny", Preferred.B, "a", ("a",), ("b",), "me")
        home.catalog.votes.put(collection_of(home), vote)
    listed = client.get("/v1/votes?limit=2").json()
    assert [vote["query"] for vote in listed["votes"]] == ["q2", "q1"]
    rest = client.get("/v1/votes", params={"before": listed["next"], "a": "hybrid@tiny", "b": "keyword"}).json()
    assert [(vote["preferred"], vote["b_shown"]) for vote in rest["votes"]] == [("b", ["b"])]
    (tally,) = client.get("/v1/votes/tally").json()["tallies"]
    assert (tally["a"], tally["wins_a"], tally["p"], tally["preferred"]) == ("hybrid@tiny", 3, 0.25, None)
    assert "cannot tell yet" in tally["reading"]
    assert client.get("/v1/votes?a=keyword").status_code == 400


def test_reading_takes_a_key_that_reads_and_changing_one_that_writes(serving: Serving, home: Home) -> None:
    access = Access(home.catalog.keys)
    reads, writes, elsewhere = (
        {"Authorization": f"Bearer {home.catalog.keys.create('k', [scope], collection=only)[1]}"}
        for scope, only in ((Scope.READ, ""), (Scope.WRITE, ""), (Scope.WRITE, "other"))
    )
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/v1/judgments", {"queries": QUERIES}),
        ("POST", "/v1/judgments/default/pool", {}),
        ("PUT", "/v1/judgments/default/grades", {"query": "q1", "document": "bread.md", "grade": 1}),
        ("POST", "/v1/evaluations", {"kind": "evaluate"}),
    ]
    with TestClient(create_app(serving, access=access), BASE) as client:
        for method, path, body in calls:
            assert client.request(method, path, json=body, headers=reads).status_code == 403
            assert client.request(method, path, json=body, headers=elsewhere).status_code == 403
            assert client.request(method, path, json=body, headers=writes).status_code in (200, 202)
        for path in ("/v1/judgments", "/v1/judgments/default/next", "/v1/judgments/default/export", "/v1/votes"):
            assert client.get(path, headers=reads).status_code == 200
            assert client.get(path, headers=elsewhere).status_code == 403
        keep_findings(home)
        assert len(client.get("/v1/evaluations", headers=reads).json()["evaluations"]) == 3
        assert client.get("/v1/evaluations", headers=elsewhere).json()["evaluations"] == []
        assert client.get("/v1/evaluations/job-1", headers=elsewhere).status_code == 404
        assert client.get("/v1/evaluations?collection=default", headers=elsewhere).status_code == 403
        assert client.get("/v1/votes/tally", headers=elsewhere).status_code == 403


def test_the_examples_of_the_description_work(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    documents = {"documents": [{"id": "guide/install", "text": "How to install it."}]}
    client.post("/v1/documents", json=documents).raise_for_status()
    example = {name: schemas[name]["examples"][0] for name in schemas if "examples" in schemas[name]}
    client.post("/v1/judgments", json=example["ImportRequest"]).raise_for_status()
    client.post("/v1/judgments/readers/pool", json=example["PoolRequest"]).raise_for_status()
    client.put("/v1/judgments/readers/grades", json=example["GradeRequest"]).raise_for_status()
    assert client.post("/v1/evaluations", json=example["EvaluationRequest"]).status_code == 202
