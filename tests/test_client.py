"""The client: typed values from a real service, its errors, and requests that are sent again."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from indexer.submission import Submitted
from retrieval.catalog.job import JobState, Line
from retrieval.catalog.keys import Scope
from retrieval.catalog.searches import FeedbackKind
from retrieval.catalog.unchanged import DocumentChanged
from retrieval.completion import Completion, CompletionKind
from retrieval.errors import NotFound, TandemError, UsageError
from retrieval.faceting import Numbers, Year
from retrieval.filter_parsing import parse_where
from retrieval.home import Home
from retrieval.results import SearchResult
from retrieval.settings import Settings
from retrieval.stores.base import FacetCount
from service.auth import Access
from service.client import Client
from service.client_values import Switch
from service.errors import Conflict, Forbidden, NoAnswer, NothingKept, TooManyRequests, Unauthorized
from service.following import events
from tests.live import live
from tests.promotion_cases import two_models


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Home]:
    home = Home.open(Settings(home=tmp_path_factory.mktemp("home"), model=str(tiny_model), threads=1))
    home.prepared("default")
    yield home
    home.close()


@pytest.fixture(scope="module")
def client(home: Home) -> Iterator[Client]:
    with live(home) as address, Client(address, retries=0) as connected:
        connected.put([Submitted("dogs", "A puppy is a young dog.", metadata={"kind": "pet"})])
        connected.put([{"id": "bread", "text": "Bake the loaf in a hot oven."}])
        yield connected


def test_a_search_is_the_result_that_it_is_in_process(client: Client) -> None:
    result = client.search("a young hound", k=1, mode="keyword", where=parse_where(["kind=pet"]))
    assert isinstance(result, SearchResult)
    assert ([hit.document_id for hit in result.hits], result.arm) == (["dogs"], "keyword")


def test_a_collection_is_made_and_deleted(client: Client) -> None:
    made = client.create_collection("poems", language="german", chunk_tokens=64)
    assert (made.name, made.language, made.documents) == ("poems", "german", 0)
    with pytest.raises(Conflict, match="'poems' exists"):
        client.create_collection("poems")
    with pytest.raises(UsageError, match="language"):
        client.create_collection("songs", language="klingon")
    client.delete_collection("poems")
    with pytest.raises(NotFound, match="'poems'"):
        client.delete_collection("poems")
    assert [one.name for one in client.collections()] == ["default"]


def test_a_search_goes_on_where_its_last_page_ended(client: Client) -> None:
    first = client.search("a young hound by the oven", k=1)
    second = client.search("a young hound by the oven", k=1, cursor=first.next)
    assert [hit.document_id for result in (first, second) for hit in result.hits] == ["dogs", "bread"]
    with pytest.raises(UsageError):
        client.search("another question", k=1, cursor=first.next)


def test_documents_are_kept_listed_read_and_deleted(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.client.PAGE", 1)
    kept = client.put([{"id": "frog", "text": "A frog sings."}, {"id": "bad"}])
    assert (kept.kept, kept.unchanged, kept.indexed, [failure.id for failure in kept.failures]) == (1, 0, True, ["bad"])
    assert [document.id for document in client.documents()] == ["bread", "dogs", "frog"]
    assert [document.id for document in client.documents(after="dogs")] == ["frog"]
    frog = client.document("frog")
    assert (frog.text, frog.title) == ("A frog sings.", "A frog sings.")
    assert client.put([{"id": "frog", "text": "A frog croaks."}], if_match=frog.etag).kept == 1
    with pytest.raises(DocumentChanged, match="'frog' was changed"):
        client.delete(["frog"], if_match=frog.etag)
    assert client.delete(["frog"]).deleted == 1
    assert {one.name: one.documents for one in client.collections()} == {"default": 2}
    assert [(model.version, model.uses) for model in client.models()] == [("tiny", ["active in default"])]


def test_metadata_is_counted_over_what_is_found_or_over_everything(client: Client) -> None:
    client.put([{"id": "cat", "text": "A kitten.", "metadata": {"kind": "pet", "age": 3}}], collection="counted")
    client.put(
        [{"id": "owl", "text": "An owl.", "metadata": {"kind": "bird", "on": "2024-05-01"}}], collection="counted"
    )
    over_all = client.facets(["kind", "age", "on"], collection="counted")
    kind, age, on = over_all.facets
    assert (over_all.over, over_all.documents) == ("collection", 2)
    assert {one.value: one.count for one in kind.values} == {"pet": 1, "bird": 1}
    assert age.numbers == Numbers(3, 3, ())
    assert on.years == (Year(2024, 1),)
    found = client.facets(["kind"], text="kitten", mode="keyword", collection="counted")
    assert (found.over, found.facets[0].values) == ("found", (FacetCount("pet", 1),))
    pets = client.facets(["age"], where=parse_where(["kind=pet"]), collection="counted", limit=1)
    assert [one.value for one in pets.facets[0].values] == [3]


def test_what_is_typed_is_completed(client: Client) -> None:
    assert Completion("puppy", CompletionKind.WORD, 1) in client.suggest("pup")
    assert client.suggest("pup", limit=1, collection="default") == client.suggest("pup")[:1]


def test_passages_come_with_their_sources_within_a_budget(client: Client) -> None:
    found = client.context("a young hound", k=1, tokens=200)
    assert ([source.document_id for source in found.sources], found.arm) == (["dogs"], "hybrid@tiny")
    assert "A puppy is a young dog." in found.text
    assert 0 < found.tokens <= 200
    assert client.context("hound", where=parse_where(["kind=stone"])).sources == ()


def test_feedback_on_an_answer_counts_once(client: Client) -> None:
    query_id = client.search("a young hound").query_id
    assert query_id is not None
    assert client.feedback(query_id, "click", document="dogs")
    assert not client.feedback(query_id, FeedbackKind.CLICK, document="dogs", rank=1)
    with pytest.raises(UsageError, match="did not show"):
        client.feedback(query_id, "up", document="nothing")
    with pytest.raises(NotFound):
        client.feedback("unknown", "up")


def test_a_model_takes_over_only_with_a_verdict_or_a_reason(tmp_path: Path, tiny_model: Path) -> None:
    bench = two_models(tmp_path / "home", tiny_model)
    with closing(bench.home) as home, live(home) as address, Client(address) as client:
        with pytest.raises(NotFound, match="'nothing'"):
            client.promote("nothing")
        with pytest.raises(Conflict, match="verdict"):
            client.promote("other")
        assert client.promote("other", force="a test") == Switch("default", "other", "tiny")
        assert client.roll_back() == Switch("default", "tiny", "other")


def test_files_are_sent_by_path_or_as_bytes(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes").mkdir()
    Path("notes/fox.md").write_text("# Fox\n\nA fox hides.")
    files = client.upload(
        [Path("notes/fox.md"), ("../owl.txt", b"An owl hoots."), ("x.zip", b"PK")],
        collection="files",
        id_prefix="up/",
        metadata={"by": "me"},
    )
    assert [(file.name, file.unchanged) for file in files.files] == [("up/notes/fox.md", False), ("up/owl.txt", False)]
    assert [failure.id for failure in files.failures] == ["up/x.zip"]
    assert client.document("up/owl.txt", collection="files").metadata == {"by": "me"}


def test_what_goes_wrong_is_raised_as_it_would_be_here(client: Client) -> None:
    with pytest.raises(NothingKept, match="No document was kept") as raised:
        client.put([{"id": "bad"}])
    assert raised.value.failures == (("bad", "text: this is needed and was not given"),)
    with pytest.raises(NotFound):
        client.document("nothing")
    with pytest.raises(NotFound, match="'nowhere'"):
        client.search("x", collection="nowhere")
    with pytest.raises(UsageError):
        client.search(" ")


def test_a_job_is_asked_for_followed_and_cancelled(client: Client, home: Home) -> None:
    job = client.submit("audit", key="once")
    assert client.submit("audit", key="once").id == job.id
    with pytest.raises(Conflict, match="does the same already"):
        client.submit("audit")
    jobs = home.catalog.jobs
    taken = jobs.take_up(job.id, "a worker")
    assert taken is not None
    jobs.say(job.id, ["one", "two"])
    jobs.end(taken, JobState.DONE, result={"found": 3})
    one, two, done = client.follow(job.id)
    assert [line.text for line in (one, two) if isinstance(line, Line)] == ["one", "two"]
    assert done == client.job(job.id) == jobs.get(job.id)
    assert list(client.follow(job.id, after=one.id)) == [two, done]
    other = client.submit("audit")
    assert client.cancel(other.id).state is JobState.CANCELLED
    assert client.resume(other.id).state is JobState.QUEUED
    assert [job.id for job in client.jobs(states=[JobState.DONE])] == [job.id]
    with pytest.raises(UsageError, match="cannot be told"):
        client.submit("embed", nothing=1)


def test_keys_are_sent_and_their_scopes_heard(home: Home) -> None:
    sent = home.catalog.keys.create("reader", [Scope.READ])[1]
    with live(home, access=Access(home.catalog.keys, rate="3/hour")) as address:
        with Client(address) as stranger, pytest.raises(Unauthorized):
            stranger.collections()
        with Client(address, sent, retries=0) as reader:
            assert reader.collections()
            with pytest.raises(Forbidden, match="scope write"):
                reader.put([{"id": "a", "text": "x"}])
            reader.collections()
            with pytest.raises(TooManyRequests):
                reader.collections()


# Without a service: answers made up


class Made:
    """A server that answers in order what it is told to, and what it was asked."""

    def __init__(self, *answers: "Answer") -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        made = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                made.asked.append((self.command, self.path, dict(self.headers)))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, body, headers = made.answers.pop(0) if made.answers else (500, b"", {})
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815  # the names http.server looks for

            def log_message(self, *_: object) -> None:
                """Be silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "Made":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def client(self, retries: int = 2) -> tuple[Client, list[float]]:
        """A client of it that does not wait, and for how long it would have."""
        slept: list[float] = []
        client = Client(f"http://127.0.0.1:{self.server.server_port}", retries=retries)
        client._transport.sleep = slept.append
        return client, slept


Answer = tuple[int, bytes, dict[str, str]]
DELETED: Answer = (200, b'{"deleted": 1, "indexed": true}', {})
BROKEN: Answer = (0, b"", {})


def refused(status: int, retry_after: str = "") -> Answer:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return status, json.dumps({"detail": "The reason."}).encode(), headers


def test_a_write_that_got_no_answer_is_sent_again_with_its_key() -> None:
    with Made(BROKEN, refused(503), DELETED) as made:
        client, slept = made.client()
        with client:
            assert client.delete(["a"]).deleted == 1
        keys = {headers["Idempotency-Key"] for _, _, headers in made.asked}
        assert (len(made.asked), len(keys), slept) == (3, 1, [0.5, 1.0])


def test_it_waits_as_long_as_it_is_told_and_not_for_ever() -> None:
    with Made(refused(409, "2"), DELETED, refused(409), refused(429, "900")) as made:
        client, slept = made.client()
        with client:
            client.delete(["a"])
            with pytest.raises(Conflict, match=r"The reason\."):
                client.delete(["b"])
            with pytest.raises(TooManyRequests):
                client.delete(["c"])
        assert slept == [2]
        keys = [headers["Idempotency-Key"] for _, _, headers in made.asked]
        assert (keys[0] == keys[1], len(set(keys))) == (True, 3)


def test_where_nobody_answers_it_says_so() -> None:
    with Made(*[BROKEN] * 3) as made:
        client, _ = made.client()
        with client, pytest.raises(NoAnswer, match="did not answer"):
            client.models()
    client, slept = made.client()
    with client, pytest.raises(NoAnswer, match="did not answer"):
        client.models()
    assert len(slept) == 2


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"", b'{"models": [{}]}'])
def test_what_is_no_tandem_service_is_told_apart(body: bytes) -> None:
    with Made((200, body, {})) as made:
        client, _ = made.client(retries=0)
        with client, pytest.raises(NoAnswer, match="no Tandem service"):
            client.models()


@pytest.mark.parametrize(
    ("status", "kind"), [(400, UsageError), (404, NotFound), (413, UsageError), (500, TandemError)]
)
def test_an_error_is_raised_by_its_status(status: int, kind: type[TandemError]) -> None:
    with Made(refused(status)) as made:
        client, _ = made.client()
        with client, pytest.raises(kind, match=r"The reason\.") as raised:
            client.models()
    assert type(raised.value) is kind


def test_following_goes_on_where_the_connection_broke_off() -> None:
    def stream(*parts: str) -> Answer:
        return 200, "".join(f"{part}\n\n" for part in parts).encode(), {"Content-Type": "text/event-stream"}

    def job(state: str) -> str:
        told: dict[str, Any] = dict.fromkeys(("error", "worker", "started_at", "ended_at", "result"))
        told |= {"id": 1, "kind": "audit", "collection": "c", "parameters": {}, "state": state, "progress": {}}
        told |= {"attempt": 1, "made_by": "me", "is_cancelled": False, "made_at": "now"}
        return f"event: job\ndata: {json.dumps(told)}"

    def line(number: int) -> str:
        return f": ping\nevent: line\nid: {number}\ndata: {json.dumps({'id': number, 'at': 'now', 'text': 't'})}"

    with Made(stream(line(1), job("running")), BROKEN, stream(line(2), job("done"), line(3))) as made:
        client, slept = made.client()
        with client:
            told = [event.id if isinstance(event, Line) else event.state.value for event in client.follow(1)]
        assert told == [1, "running", 2, "done"]
        assert [headers["Last-Event-ID"] for _, _, headers in made.asked] == ["0", "1", "1"]
        assert len(slept) == 2


def test_following_a_service_that_is_gone_ends() -> None:
    with Made(*[BROKEN] * 6) as made:
        client, _ = made.client()
        with client, pytest.raises(NoAnswer, match="break off"):
            list(client.follow(1))


def test_events_are_read_as_the_standard_says() -> None:
    lines = [": comment", "data: one", "data:two", "", "", "event: x", "data", "", "id: 3", ""]
    assert list(events(lines)) == [{"data": "one\ntwo"}, {"event": "x", "data": ""}]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with Made((200, b'{"models": []}', {})) as made:
        client, _ = made.client(retries=0)
        with client:
            assert client.models() == []
