"""Files over HTTP: read by the indexer's readers, each by itself, whatever they are called."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from indexer.uploads import relative_name
from retrieval.home import Home
from service.app import create_app
from service.serving import Serving
from tests.homes import opened_home

BASE = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Home]:
    home = opened_home(tmp_path_factory.mktemp("uploads") / "home", tiny_model, is_bare=True, max_file_bytes=50_000)
    yield home
    home.close()


@pytest.fixture(scope="module")
def client(home: Home) -> Iterator[TestClient]:
    with Serving(home) as serving, TestClient(create_app(serving), BASE, raise_server_exceptions=False) as connected:
        yield connected


def sent(client: TestClient, files: dict[str, bytes | str], **fields: str) -> Any:
    parts = [("files", (name, data if isinstance(data, bytes) else data.encode())) for name, data in files.items()]
    return client.post("/v1/documents/files", files=parts, data=fields)


def kept(client: TestClient, files: dict[str, bytes | str], **fields: str) -> Any:
    answer = sent(client, files, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(client: TestClient, text: str, collection: str) -> list[str]:
    asked = {"q": text, "collection": collection, "mode": "keyword"}
    return [hit["document"]["id"] for hit in client.get("/v1/search", params=asked).json()["hits"]]


def test_every_format_is_read_as_the_command_reads_it(client: TestClient) -> None:
    files: dict[str, bytes | str] = {
        "guide/dogs.md": "---\ntags: [pet]\n---\n# Dogs\n\nA puppy barks. See [cats](cats.html).",
        "guide/cats.html": "<title>Cats</title><main><p>A kitten purrs loudly in the garden.</p></main>",
        "birds.rst": "Birds\n=====\n\nA sparrow sings.",
        "note.txt": "A frog croaks.",
        "corpus.jsonl": '{"_id": "fish", "text": "A trout swims."}\n{"_id": "bad"}\n',
        "table.csv": "id,text\nant,An ant digs.\n",
        "feed.xml": "<rss version='2.0'><channel><title>F</title><item><guid>g1</guid><title>Owls</title>"
        "<description>An owl hoots.</description></item></channel></rss>",
    }
    body = kept(client, files, collection="formats", id_prefix="up/", metadata='{"team": "web"}')
    assert [file["name"] for file in body["files"]] == sorted(f"up/{name}" for name in files)
    assert (body["kept"], body["indexed"], [failure["id"] for failure in body["failures"]]) == (
        7,
        True,
        ["corpus.jsonl:2"],
    )
    for word, document in (
        ("barks", "guide/dogs.md"),
        ("purrs", "guide/cats.html"),
        ("sparrow", "birds.rst"),
        ("croaks", "note.txt"),
        ("trout", "fish"),
        ("digs", "ant"),
        ("hoots", "g1"),
    ):
        assert found(client, word, "formats") == [f"up/{document}"]
    dogs = client.get("/v1/documents/by-id", params={"id": "up/guide/dogs.md", "collection": "formats"}).json()
    assert (dogs["tags"], dogs["metadata"], dogs["links"][0]["target"]) == (
        ["pet"],
        {"team": "web"},
        "up/guide/cats.html",
    )
    again = kept(client, files, collection="formats", id_prefix="up/", metadata='{"team": "web"}')
    unchanged = {file["name"] for file in again["files"] if file["unchanged"]}
    assert (again["kept"], unchanged) == (0, {f"up/{name}" for name in files} - {"up/corpus.jsonl"})


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("notes.md", "notes.md"),
        ("../../etc/passwd.txt", "etc/passwd.txt"),
        ("/etc/passwd.txt", "etc/passwd.txt"),
        ("C:\\Users\\me\\notes.md", "Users/me/notes.md"),
        ("a/./b//../c.md", "a/b/c.md"),
        ("nul\0byte\r\n.md", "nulbyte.md"),
        ("\u202ecod.md", "cod.md"),
        ("cafe\u0301.md", "caf\u00e9.md"),
        (" spaced .md ", "spaced .md"),
        ("..", ""),
        ("", ""),
        ("/" * 5_000, ""),
    ],
)
def test_a_name_becomes_an_id_and_never_a_path(name: str, safe: str) -> None:
    assert relative_name(name) == safe


def test_a_long_name_keeps_its_end() -> None:
    name = relative_name("folder/" * 500 + "end.md")
    assert (len(name) <= 1_000, name.endswith("folder/end.md"), name.startswith("/")) == (True, True, False)


def test_one_bad_file_never_sinks_the_others(client: TestClient) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.md", "# A" * 10_000)
    files: dict[str, bytes | str] = {
        "../good.md": "# Good\n\nA goat climbs.",
        "all.zip": archive.getvalue(),
        "hidden.md": archive.getvalue(),
        "report.docx": archive.getvalue(),
        "program.exe": b"MZ",
        "broken.pdf": b"%PDF-1.7 nothing",
        "empty.txt": " \n",
        "large.txt": "word " * 20_000,
        "good.md": "# Another",
        "noname/..": "x",
        "<script>.html": "<p>A hyena <script>alert(1)</script> laughs.</p>",
    }
    body = kept(client, files, collection="bad")
    assert [file["name"] for file in body["files"]] == ["<script>.html", "good.md"]
    reasons = {failure["id"]: failure["reason"] for failure in body["failures"]}
    expected = {
        "all.zip": "archive (.zip), which is not unpacked",
        "hidden.md": "a ZIP archive or office file",
        "report.docx": ".docx are not read",
        "program.exe": "(.exe) means no format",
        "broken.pdf": "not a PDF that can be read",
        "empty.txt": "empty",
        "large.txt": "over the limit of 50,000",
        "good.md": "same name",
        "noname": "means no format",
    }
    assert set(reasons) == set(expected)
    for name, reason in expected.items():
        assert reason in reasons[name], (name, reasons[name])
    assert found(client, "hyena", "bad") == ["<script>.html"]


def test_a_request_of_which_nothing_is_kept_fails_with_every_reason(client: TestClient) -> None:
    answer = sent(client, {"a.zip": b"PK\x03\x04", "b.bin": b"\0"}, collection="nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert {failure["id"] for failure in answer.json()["failures"]} == {"a.zip", "b.bin"}


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"unknown": "1"}, "unknown: no such field"),
        ({"format": "docx"}, "format"),
        ({"base_url": "javascript:alert(1)"}, "http://"),
        ({"metadata": "[1]"}, "JSON object"),
        ({"metadata": "[" * 9_000}, "JSON object"),
        ({"metadata": '{"a":' * 21 + "{}" + "}" * 21}, "deeper than 20 levels"),
        ({"metadata": '{"a":' * 900 + "1" + "}" * 900}, "deeper than 20 levels"),
        ({"collection": "x" * 64}, "collection"),
        ({"id_prefix": "a\nb"}, "printable"),
    ],
)
def test_a_form_that_is_not_understood_says_why(client: TestClient, fields: dict[str, str], detail: str) -> None:
    answer = sent(client, {"a.md": "# A"}, **fields)
    assert (answer.status_code, detail in answer.json()["detail"]) == (422, True), answer.text


def test_what_is_no_form_of_files_is_refused(client: TestClient) -> None:
    ways: list[dict[str, Any]] = [{"json": {"files": ["a"]}}, {"data": {"files": "text"}}, {"content": b"x"}, {}]
    for how in ways:
        answer = client.post("/v1/documents/files", **how)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/documents/files", content=b"broken", headers=broken).status_code == 400
    many = {f"{number}.md": "# A" for number in range(201)}
    assert "at most 200" in sent(client, dict(many)).json()["detail"]


def test_a_format_reads_what_names_do_not_tell(client: TestClient) -> None:
    body = kept(
        client, {"README": "# Read me\n\nAn otter floats.", "b.html": "<p>A seal dives.</p>"}, format="markdown"
    )
    assert [file["name"] for file in body["files"]] == ["README", "b.html"]
    assert client.get("/v1/search?q=otter&k=1").json()["hits"][0]["document"]["title"] == "Read me"


def test_a_records_id_is_as_hostile_as_a_name(client: TestClient) -> None:
    lines: list[dict[str, Any]] = [
        {"_id": "x" * 3_000, "text": "long"},
        {"_id": "deep", "text": "A mole digs.", "metadata": {}},
    ]
    lines[1]["metadata"] = json.loads('{"a":' * 300 + "1" + "}" * 300)
    body = kept(client, {"c.jsonl": "\n".join(map(json.dumps, lines))}, collection="hostile")
    assert (body["kept"], len(body["failures"])) == (1, 1)
    assert "3000 characters" in body["failures"][0]["reason"]
