"""The Host header and the size of a body, judged before the application sees a request."""

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from service.limits import BodyLimit, TrustedHosts

HOSTS = ("127.0.0.1", "localhost", "[::1]")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body."""
    await PlainTextResponse(await Request(scope, receive).body())(scope, receive, send)


async def exchanged(app: BodyLimit, messages: Iterator[Message]) -> list[Message]:
    """Return what an app sends for a request whose body comes in these messages."""
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": "POST", "path": "/", "headers": []}, receive, send)
    return sent


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8080"])
def test_requests_for_this_machine_are_answered(host: str) -> None:
    client = TestClient(TrustedHosts(echo, HOSTS))
    assert client.post("/", content="x", headers={"host": host}).text == "x"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost:80:80", "", "[::1", "::1", "localhost:x"]
)
def test_requests_for_another_host_are_refused(host: str) -> None:
    answer = TestClient(TrustedHosts(echo, HOSTS)).get("/", headers={"host": host})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert repr(host) in answer.json()["detail"]


def test_two_hosts_are_none() -> None:
    both = [(b"host", b"localhost"), (b"host", b"evil.example")]
    assert TestClient(TrustedHosts(echo, HOSTS)).get("/", headers=both).status_code == 400


def test_a_body_up_to_the_limit_passes_whole() -> None:
    client = TestClient(BodyLimit(echo, max_bytes=10))
    assert client.post("/", content=b"0123456789").text == "0123456789"
    assert client.post("/", content=iter([b"01234", b"", b"56789"])).text == "0123456789"
    refused = client.post("/", content=iter([b"01234", b"56789a"]))
    assert (refused.status_code, refused.headers["connection"]) == (413, "close")
    assert refused.json()["detail"].startswith("The body is larger than 10 bytes")


@pytest.mark.anyio
async def test_an_endless_body_is_answered_before_its_end() -> None:
    def endless() -> Iterator[Message]:
        while True:
            yield {"type": "http.request", "body": b"x" * 10, "more_body": True}

    messages = endless()
    sent = await exchanged(BodyLimit(echo, max_bytes=10), messages)
    assert sent[0]["status"] == 413


@pytest.mark.anyio
async def test_half_a_body_is_never_taken_for_a_whole_one() -> None:
    half: list[Message] = [{"type": "http.request", "body": b"{}", "more_body": True}, {"type": "http.disconnect"}]
    assert await exchanged(BodyLimit(echo, max_bytes=10), iter(half)) == []


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
