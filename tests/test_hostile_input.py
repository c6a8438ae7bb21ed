"""What strangers may send, and what they get: docs/hostile-input.md has the list, and names these tests."""

import asyncio
import gzip
import json
import pickle
import re
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from indexer.sources.base import Item, SourceOptions
from indexer.sources.fields import address_of
from indexer.sources.formats import parser_of
from indexer.sources.markup_bounds import MOST_ATTRIBUTES, bounded
from indexer.sources.resolve import open_source
from retrieval.catalog import keys as keys_module
from retrieval.catalog.keys import Scope as KeyScope
from retrieval.errors import ModelError, ParseError, Skipped, SourceError, UsageError
from retrieval.home import Home
from retrieval.settings import Settings
from service import limits
from service import server as server_module
from service.app import create_app
from service.auth import Access
from service.limits import MAX_BODY_BYTES, MAX_HELD_BYTES, SMALL_BYTES, BodyLimit
from service.server import config_of
from service.serving import Serving
from tests.test_models import source_folder
from trainer.export import export_in_subprocess

BASE = "http://127.0.0.1:8080"
JSON = {"Content-Type": "application/json"}
PAGE = {"Accept": "text/html"}
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
QUICK_S = 10.0
"""Of processor time; what is tested took minutes or hours before it was bounded, or would without a bound."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "in").mkdir()
    (folder / "secret.md").write_text("# A secret", encoding="utf-8")
    (folder / "in" / "link.md").symlink_to(folder / "secret.md")
    settings = Settings(
        home=folder / "home", model=str(tiny_model), store="memory", threads=1, ingest_dir=folder / "in"
    )
    home = Home.open(settings)
    home.prepared("default")
    home.prepared("other")
    yield home
    home.close()


@pytest.fixture(scope="module")
def serving(home: Home) -> Iterator[Serving]:
    with Serving(home) as started:
        yield started


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[TestClient]:
    with TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        document = {"id": f"../{EVIL}", "title": EVIL, "text": f"A kitten {EVIL} sleeps.", "metadata": {EVIL: EVIL}}
        document |= {"tags": [EVIL]}
        kept = connected.post("/v1/documents", json={"documents": [document, {"id": "dog", "text": "os.path.join"}]})
        assert kept.json()["kept"] == 2
        yield connected


def problem(answer: Any, *statuses: int) -> str:
    """What a problem document says; it has to be one, and to tell nothing of the inside."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    return str(answer.json()["detail"])


# Markup and scripts


@pytest.mark.parametrize("path", ["/", "/documents", "/document", "/jobs", "/login"])
def test_a_script_in_whatever_is_shown_stays_text(client: TestClient, path: str) -> None:
    asked = {"q": f"kitten {EVIL}", "collection": "default", "id": f"../{EVIL}", "to": EVIL}
    answer = client.get(path, params=asked, headers=PAGE)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]


def test_json_gives_back_what_was_sent_and_only_highlights_are_html(client: TestClient) -> None:
    hit = client.post("/v1/search", json={"query": f"kitten {EVIL}"}).json()["hits"][0]
    assert hit["document"]["id"] == f"../{EVIL}"
    assert hit["document"]["title"] == EVIL
    assert hit["document"]["metadata"][EVIL] == EVIL
    assert "&lt;img" in (shown := hit["passages"][0]["highlights"]) or "<mark>" in shown
    assert re.findall(r"<(?!/?mark>)", shown) == []


# Paths


@pytest.mark.parametrize("name", ["../../etc", "..", "/etc/passwd", "a/b", "a\0b", ".", "A", "a\n", "-x", "con:1"])
def test_a_collection_has_no_path_for_a_name(client: TestClient, home: Home, name: str) -> None:
    sent = {"collection": name, "documents": [{"id": "a", "text": "b"}]}
    assert "cannot name a collection" in problem(client.post("/v1/documents", json=sent), 400)
    assert "There is no collection" in problem(client.post("/v1/search", json={"query": "x", "collection": name}), 404)
    assert {one.name for one in home.catalog.collections.list()} == {"default", "other"}


@pytest.mark.parametrize("version", ["..%2f..%2fetc", "%2e%2e", "..%5c..", "a%00b", "-x", "%0a", "x" * 101])
def test_a_model_has_no_path_for_a_version(client: TestClient, version: str) -> None:
    problem(client.post(f"/v1/models/{version}/promote", json={}), 404, 405, 422)


@pytest.mark.parametrize(
    "path",
    ["/static/x/..%2f..%2fsettings.py", "/static/%2e%2e/%2e%2e/etc/passwd", "/static/x/style.css", "//etc/passwd"],
)
def test_no_other_file_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("source", ["../secret.md", "/etc/passwd", "link.md", "pydoc:os", "-x", "--help", "", "a\0b"])
def test_a_job_reads_no_file_and_imports_no_code_that_it_must_not(client: TestClient, source: str) -> None:
    problem(client.post("/v1/jobs", json={"kind": "ingest", "parameters": {"sources": [source]}}), 400)


@pytest.mark.parametrize("kind", ["ingest", "audit", "nightly"])
@pytest.mark.parametrize("name", ["../x", "/etc", "a\0b", "A", "-x", ""])
def test_no_job_is_asked_for_of_what_cannot_be_a_collection(
    client: TestClient, home: Home, kind: str, name: str
) -> None:
    parameters = {"sources": ["https://example.com/"]} if kind == "ingest" else {}
    asked = {"kind": kind, "collection": name, "parameters": parameters}
    said = problem(client.post("/v1/jobs", json=asked), 400, 404)
    assert ("cannot name a collection" if kind == "ingest" else "There is no collection") in said
    assert [job for job in home.catalog.jobs.list() if job.work.collection == name] == []


@pytest.mark.parametrize("base_url", ["javascript:alert(1)", " JavaScript:alert(1)//", "data:text/html,x", "//x", "/x"])
def test_no_document_gets_an_address_that_is_not_of_the_web(client: TestClient, home: Home, base_url: str) -> None:
    parameters = {"sources": ["https://example.com/"], "base_url": base_url}
    assert "http://" in problem(client.post("/v1/jobs", json={"kind": "ingest", "parameters": parameters}), 400)
    with pytest.raises(UsageError, match="is no base URL"):
        open_source(str(home.settings.ingest_dir), SourceOptions(base_url=base_url))
    assert address_of("a.md", base_url) is None
    assert address_of("a.md", base_url + "/{stem}") is None


def test_an_id_is_only_text(client: TestClient) -> None:
    for name in ("../../../etc/passwd", "..", "C:\\x", "%2e%2e", "a\tb", "\u202e", "'; DROP TABLE documents; --"):
        kept = client.post("/v1/documents", json={"documents": [{"id": name, "text": "words"}]})
        assert kept.json()["kept"] == 1, kept.text
        assert client.get("/v1/documents/by-id", params={"id": name}).json()["id"] == name
        assert client.post("/v1/documents/delete", json={"ids": [name]}).json()["deleted"] == 1
    sent = {"documents": [{"id": "a\0b", "text": "x"}]}
    assert "without NUL" in problem(client.post("/v1/documents", json=sent), 422)


# JSON


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"query":"x","k":NaN}', 422),
        (b'{"query":"x","k":Infinity}', 422),
        (b'{"query":"x","k":1e400}', 422),
        (b'{"query":"x","k":1' + b"0" * 400 + b"}", 422),
        (b'{"query":"x","k":1' + b"0" * 5_000 + b"}", 400),
        (b'{"query":"x","where":{"field":"a","equals":NaN}}', 400),
        (b'{"query":"x","where":{"field":"a","gt":1e999}}', 400),
        (b'{"query":"x","where":{"field":"a","equals":1' + b"0" * 400 + b"}}", 400),
        (b'{"query":"x","collection":"\\ud800"}', 422),
        (b"\xff\xfe{", 400),
        (b'{"query":"x","where":' + b'{"not":' * 1_000 + b"1" + b"}" * 1_000 + b"}", 400),
        (b'{"query":"x","where":' + b'{"not":' * 100 + b'{"field":"a","equals":1}' + b"}" * 101, 400),
        (b'{"query":"' + b"x" * 1_000_000 + b'"}', 422),
        (b'{"query":"x","where":{"field":"a","any_of":[' + b"1," * 100_000 + b"1]}}", 400),
        (b'{"query":"x","where":{"and":[' + b'{"field":"a","equals":1},' * 10_000 + b"{}]}}", 400),
    ],
)
def test_numbers_depths_and_sizes_that_nobody_means_are_refused(client: TestClient, body: bytes, status: int) -> None:
    said = problem(client.post("/v1/search", content=body, headers=JSON), status)
    assert len(said) < 500


@pytest.mark.parametrize("body", [b'{"query":"a\\u0000b"}', b'{"query":"\\ud800"}', b'{"query":"x","query":"y"}'])
def test_nul_and_half_a_character_in_a_query_are_only_text(client: TestClient, body: bytes) -> None:
    assert client.post("/v1/search", content=body, headers=JSON).status_code == 200


def test_numbers_that_json_has_not_become_null_in_metadata(client: TestClient) -> None:
    metadata = b'{"a":NaN,"b":-Infinity,"c":1e400,"d":"\\ud800\\u0000"}'
    body = b'{"documents":[{"id":"numbers","text":"x","metadata":' + metadata + b"}]}"
    assert client.post("/v1/documents", content=body, headers=JSON).json()["kept"] == 1
    kept = client.get("/v1/documents/by-id", params={"id": "numbers"}).json()["metadata"]
    assert kept == {"a": None, "b": None, "c": None, "d": "\ufffd\ufffd"}


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(query[:10_000], id=name)
        for name, query in {
            "unknown words": " ".join(f"{chr(97 + n % 26)}qz{n}" for n in range(3_000)),
            "identifiers": " ".join(f"a{n}.b{n}" for n in range(1_500)),
            "one word": "x" * 10_000,
            "dots": "a." * 5_000,
            "hyphens": "--a" * 3_334,
            "slashes": "/a" * 5_000,
            "camel case": "aB" * 5_000,
            "operators": "(" * 5_000 + "[*?+{" * 1_000,
            "combining": "a" + "\u0301" * 9_999,
            "emoji": "\U0001f469\u200d" * 5_000,
            "cjk": "\u72ac" * 10_000,
        }.items()
    ],
)
def test_no_query_takes_long(client: TestClient, query: str) -> None:
    began = time.process_time()
    assert client.post("/v1/search", json={"query": query}).status_code == 200
    assert time.process_time() - began < QUICK_S


# Bodies


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body."""
    message = await receive()
    await PlainTextResponse(str(len(message["body"])))(scope, receive, send)


def exchanged(app: BodyLimit, parts: Iterator[Any], *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Message:
    """The answer's beginning to a body that comes in parts, each with a pause before it if it is a number."""
    sent: list[Message] = []

    async def receive() -> Message:
        part = next(parts)
        if isinstance(part, float):
            await asyncio.sleep(part)
            part = b""
        return {"type": "http.request", "body": part, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "method": "POST", "path": "/", "headers": list(headers)}, receive, send))
    return sent[0]


def test_a_hundred_megabytes_are_refused_and_not_kept() -> None:
    app, most = BodyLimit(echo), 0

    def parts() -> Iterator[bytes]:
        nonlocal most
        for _ in range(100):
            most = max(most, app._held)
            yield b"x" * 1_000_000
        yield b"x" * 10 * MAX_BODY_BYTES

    assert exchanged(app, parts())["status"] == 413
    assert most <= MAX_BODY_BYTES
    assert app._held == 0


def test_a_compressed_body_is_not_inflated(client: TestClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = client.post("/v1/documents", content=bomb, headers=JSON | {"Content-Encoding": "gzip"})
    assert "without Content-Encoding" in problem(answer, 415)


def test_many_large_bodies_at_once_do_not_fill_the_memory() -> None:
    app = BodyLimit(echo)
    app._held = MAX_HELD_BYTES - 10
    start = exchanged(app, iter([b"x" * 11, b"x", b"x" * 10 * MAX_BODY_BYTES]))
    assert start["status"] == 413  # it was drained, and none of it held
    assert app._held == MAX_HELD_BYTES - 10


def test_a_body_that_there_is_no_room_for_may_come_later() -> None:
    app = BodyLimit(echo)
    client = TestClient(app)
    app._held = MAX_HELD_BYTES - 10
    refused = client.post("/", content=b"x" * (SMALL_BYTES + 1))
    assert "come back" in problem(refused, 503)
    assert client.post("/", content=b"x" * SMALL_BYTES).text == str(SMALL_BYTES)  # which always has room
    app._held = 0
    assert client.post("/", content=b"x" * (SMALL_BYTES + 1)).text == str(SMALL_BYTES + 1)
    assert app._held == 0


def test_a_body_that_would_take_long_to_parse_is_not() -> None:
    client = TestClient(BodyLimit(echo))

    def sent(body: str, kind: str = "application/json; charset=utf-8") -> Any:
        return client.post("/", content=body, headers={"Content-Type": kind})

    lists, commas = "[]," * 300_000 + "[]", "0," * 2_000_001 + "0"
    assert "300000 lists and objects" in problem(sent(f"[{lists}]"), 413)
    assert "2000000 commas" in problem(sent(f"[{commas}]", "application/merge-patch+json"), 413)
    prose = "a comma, now and then, and [brackets] are prose. " * 100_000
    assert sent(json.dumps({"text": prose})).status_code == 200
    assert sent(lists, "text/plain").status_code == 200  # which nobody parses


def test_a_body_that_does_not_arrive_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PAUSE_S", 0.05)
    assert exchanged(BodyLimit(echo), iter([b"{", 5.0]))["status"] == 408
    monkeypatch.setattr(limits, "MAX_BODY_S", 0.2)
    assert exchanged(BodyLimit(echo), iter([0.02] * 1_000))["status"] == 408


# Other sites


def writing_calls(client: TestClient) -> list[tuple[str, str]]:
    """Every call of the interface that is no GET, and some of the page's."""
    paths = client.get("/openapi.json").json()["paths"]
    calls = [(method.upper(), path) for path, methods in paths.items() for method in methods if method != "get"]
    pages = (
        "/jobs",
        "/jobs/1/cancel",
        "/documents",
        "/models/promote",
        "/judge/grade",
        "/compare/vote",
        "/login",
        "/mcp",
    )
    return [*calls, *(("POST", page) for page in pages)]


def test_no_page_of_another_site_changes_anything(client: TestClient) -> None:
    calls = writing_calls(client)
    assert {path for _, path in calls} >= {"/v1/documents/files", "/v1/jobs/{job}/cancel"}
    for method, path in calls:
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": BASE},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ):
            answer = client.request(method, path, headers=headers)
            assert (answer.status_code, headers) == (403, headers), (method, path)
            assert "Another site" in answer.json()["detail"]


def test_programs_and_the_page_itself_are_let_through(client: TestClient) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "same-origin", "Origin": BASE}, {"Origin": BASE}):
        sent = client.post("/v1/documents", json={"documents": [{"id": "own", "text": "y"}]}, headers=headers)
        assert sent.status_code == 200, headers
    assert client.get("/v1/search?q=kitten", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # a link


# The connection


@pytest.fixture(scope="module")
def address(client: TestClient, serving: Serving) -> Iterator[tuple[str, int]]:
    """Where the application answers over a real connection, as `tandem serve` has it, but for its patience."""
    listener = socket.create_server(("127.0.0.1", 0))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(server_module, "HEAD_WITHIN_S", 0.4)
        patched.setattr(limits, "MAX_PAUSE_S", 0.4)
        server = uvicorn.Server(config_of(create_app(serving)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join()


def said(address: tuple[str, int], *parts: bytes) -> bytes:
    """What comes back over a connection of its own, until it is closed."""
    with socket.create_connection(address, timeout=10) as connection:
        found = b""
        try:
            for part in parts:
                connection.sendall(part)
            while part := connection.recv(65_536):
                found += part
        except ConnectionError:
            pass
        return found


HEAD = b"%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s\r\n"


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (b"GET /healthz HT", b""),
        (b"", b""),
        (HEAD % (b"POST /v1/search", b"Content-Type: application/json\r\nContent-Length: 100\r\n") + b"{", b" 408 "),
        (HEAD % (b"POST /v1/search", b"Transfer-Encoding: chunked\r\n") + b"1\r\n{\r\n", b" 408 "),
    ],
)
def test_a_slow_client_is_hung_up_on(address: tuple[str, int], begin: bytes, expected: bytes) -> None:
    began = time.monotonic()
    answer = said(address, begin)
    assert time.monotonic() - began < 8
    assert expected in answer
    assert bool(answer) == bool(expected)


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        (b"GET /healthz", b"X-Request-ID: a\rSet-Cookie: x=y\r\n", b"400"),
        (b"GET /healthz", b"X-Request-ID: a\r\n Set-Cookie: x=y\r\n", b"200"),
        (b"GET /healthz", b"X-Request-ID: a\x00b\r\n", b"400"),
        (b"GET /healthz", b"X-Request-ID: %0d%0aSet-Cookie:x=y\r\n", b"200"),
        (b"GET /?q=%0d%0aSet-Cookie:x=y", b"Accept: text/html\r\n", b"200"),
        (b"GET /login?to=%0d%0aSet-Cookie:x=y", b"Accept: text/html\r\n", b"200"),
        (b"POST /v1/search", b"Content-Length: 4\r\nContent-Length: 5\r\n", b"400"),
        (b"GET /v1/search?q=" + b"x" * 1_000_000, b"", b"400"),
        (b"GET /?q=" + b"x" * 200_000, b"", b"422"),
        (b"GET /v1/search?q=x" + b"&where=a" * 20_000, b"", b"422"),
    ],
)
def test_headers_are_not_smuggled_and_heads_are_bounded(
    address: tuple[str, int], line: bytes, headers: bytes, status: bytes
) -> None:
    answer = said(address, HEAD % (line, headers))
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"set-cookie" not in answer.partition(b"\r\n\r\n")[0].lower()


# Keys


def test_a_key_that_is_forged_expired_or_for_another_collection_is_of_no_use(
    serving: Serving, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = home.catalog.keys
    _, mine = kept.create("mine", [KeyScope.ADMIN], collection="other")
    _, brief = kept.create("brief", [KeyScope.ADMIN], expires_at=datetime.now(UTC) + timedelta(hours=1))
    number = mine.split("_")[1]
    forged = [f"tandem_{number}_guess", f"tandem_{number}_", mine[:-1], mine + "x", mine.upper(), "", "a b", "é" * 9]
    with TestClient(create_app(serving, access=Access(kept)), BASE) as locked:
        for sent in forged:
            answer = locked.get("/v1/jobs", headers=[(b"Authorization", f"Bearer {sent}".encode())])
            assert "key" in problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
        shown = {"Authorization": f"Bearer {mine}"}
        assert locked.get("/v1/search?q=x&collection=other", headers=shown).status_code == 200
        assert "for the collection 'other' only" in problem(locked.get("/v1/search?q=x", headers=shown), 403)
        shown = {"Authorization": f"Bearer {brief}"}
        assert locked.get("/v1/jobs", headers=shown).status_code == 200
        later = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="seconds")
        monkeypatch.setattr(keys_module, "now", lambda: later)
        assert "expired" in problem(locked.get("/v1/jobs", headers=shown), 401)


# Sources


def parsed(kind: str, data: bytes) -> list[Any]:
    return list(parser_of(kind)(data, Item(f"x.{kind}", "x", kind), SourceOptions()))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "169.254.169.254", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1]"],
)
def test_an_address_that_is_not_public_is_not_fetched(host: str) -> None:
    def listed() -> list[object]:
        return [part for one in open_source(f"http://{host}:9/latest", SourceOptions()) for part in one.items()]

    with pytest.raises((SourceError, UsageError), match=r"not a public address|not a URL"):
        listed()


def attributes(count: int) -> str:
    return " ".join(f"a{number}='1'" for number in range(count))


MANY = attributes(100_000)


@pytest.mark.parametrize(
    ("kind", "markup"),
    [
        ("html", f"<p {MANY}>words</p>"),
        ("html", f"<html><body><p>words</p><p {MANY}>"),
        ("html", f'<p>words</p><p " a=">" {MANY}>'),
        ("html", f"words <!--x--!><p {MANY}>"),
        ("html", f"words <!--><p {MANY}>"),
        ("html", f"words <style/><p {MANY}>"),
        ("html", f"words <svg><script/><p {MANY}>"),
        ("html", "words" + "<a" * 400_000),
        ("html", "words" + '<a b="' * 100_000),
        ("html", "<html><body>words<table><tr>" + "<td>a" * 60_000),
        ("markdown", f"words\n\n<p {MANY}>"),
        ("markdown", "words " + "[" * 200_000),
        ("markdown", "words\n\n" + ">" * 200_000 + "a"),
        ("markdown", "---\na: " + "[" * 100_000 + "\n---\nwords"),
        ("jsonl", '{"_id":"a","text":' + "[" * 100_000),
    ],
)
def test_no_markup_takes_long(kind: str, markup: str) -> None:
    began = time.process_time()
    with suppress(Skipped, ParseError):
        parsed(kind, markup.encode())
    assert time.process_time() - began < 3 * QUICK_S


def feed(body: str, declaration: str = "") -> bytes:
    return f'<?xml version="1.0"{declaration}?><rss version="2.0"><channel><title>t</title>{body}'.encode()


@pytest.mark.parametrize(
    "data",
    [
        feed(f"<item {MANY}><guid>1</guid></item></channel></rss>"),
        feed(f"+ADw-item {MANY}/></channel></rss>", ' encoding="utf-7"'),
        feed(f"<item><guid>1</guid><description>&lt;p {MANY}&gt;x</description></item></channel></rss>"),
        b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(20))
        + b"]>"
        + feed("<item><guid>1</guid><title>&u;</title></item></channel></rss>"),
    ],
)
def test_no_feed_takes_long(data: bytes) -> None:
    began = time.process_time()
    parts: list[Any] = []
    with suppress(Skipped, ParseError):
        parts = parsed("feed", data)
    assert time.process_time() - began < QUICK_S
    assert len(repr(parts)) < 2_000_000


def test_tags_that_people_write_stay_as_they_are() -> None:
    image = f'<img alt="a > b" src="data:image/png;base64,{"A/+=" * 10_000}">'
    script = f"<script>if (a<b) {{ {'x = 1; ' * 5_000} }}</script>"
    page = f"<html><body>{image}<p {attributes(MOST_ATTRIBUTES)}>words</p></body></html>"
    assert bounded(page) == page
    assert bounded(page + script) == page + " "
    hostile = f"<b>words</b> {'and more ' * 3_000}<p {attributes(MOST_ATTRIBUTES + 1)}>"
    assert "<" not in bounded(hostile)
    assert bounded(hostile).startswith(" words  and more ")


def pdf(content: bytes, filters: bytes = b"/FlateDecode") -> bytes:
    """A file of one page with this stream."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d/Filter%s>>stream\n%s\nendstream" % (len(content), filters, content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, written in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, written)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 6\n0000000000 65535 f \n"
    return body + head + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)


def test_a_stream_of_a_pdf_is_inflated_up_to_a_limit_only() -> None:
    bomb = zlib.compress(b" " * 80_000_000, 9)
    for data in (pdf(bomb), pdf(zlib.compress(bomb, 9), b"[/FlateDecode/FlateDecode]")):
        assert len(data) < 200_000
        with pytest.raises(ParseError, match="Limit reached"):
            parsed("pdf", data)


def test_a_pdf_with_one_endless_word_is_read_in_time() -> None:
    began = time.process_time()
    (document,) = parsed("pdf", pdf(zlib.compress(b"BT /F1 12 Tf " + b"(Hello) Tj " * 15_000 + b"ET", 9)))
    assert document.blocks[0].text == "Hello" * 15_000
    assert time.process_time() - began < QUICK_S


# Models


class Planted:
    """Would write a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.file, "planted")


@pytest.mark.slow
def test_a_pickle_that_is_called_safetensors_is_not_opened(tmp_path: Path) -> None:
    source = source_folder(tmp_path / "m")
    (source / "model.safetensors").write_bytes(pickle.dumps(Planted(tmp_path / "planted")))
    home = Home.open(Settings(home=tmp_path / "home"), export_in_subprocess)
    with pytest.raises(ModelError, match="Error while deserializing header"):
        home.models.add_model(source)
    home.close()
    assert not (tmp_path / "planted").exists()


def test_the_list_names_tests_that_there_are() -> None:
    folder = Path(__file__).resolve().parent
    page = (folder.parent / "docs" / "hostile-input.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+)`", page)
    there = "".join(file.read_text(encoding="utf-8") for file in folder.glob("test_*.py"))
    assert len(named) > 30
    assert [name for name in named if f"def {name}(" not in there] == []
    mine = re.findall(r"^def (test_\w+)", Path(__file__).read_text(encoding="utf-8"), re.MULTILINE)
    assert set(mine) - set(named) == {"test_the_list_names_tests_that_there_are"}


def test_answers_are_json_whatever_was_sent(client: TestClient) -> None:
    for body in (b"", b"[]", b"null", b'"x"', b"1", b"{", b"\x00"):
        assert json.loads(client.post("/v1/search", content=body, headers=JSON).text)["status"] in (400, 422)
