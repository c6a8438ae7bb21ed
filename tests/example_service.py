"""A service that holds what the examples of the interface name, and the answers to all of them.

`python -m tests.example_service` writes these answers into the description: service/api/examples.json.
"""

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from bs4 import BeautifulSoup

from indexer.promotion import verdict_key
from retrieval.catalog.searches import LoggedSearch, Origin
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.catalog.votes import Preferred, Vote
from retrieval.home import Home
from retrieval.settings import Settings
from service.jobs.carrying_out import Worker
from tests.homes import REPOSITORY, write_pages
from tests.live import live
from tests.promotion_cases import added
from tests.tiny_model import build_tiny_model

STORED = REPOSITORY / "service" / "api" / "examples.json"
WIDTH = 100
LONG_AGO = "2026-05-31T10:00:00+00:00"
DOCUMENTS = [
    {"id": "guide/install", "text": "# Installing\n\nDownload it first.", "metadata": {"section": "guide"}},
    {
        "id": "asyncio.to_thread",
        "text": "# asyncio.to_thread\n\nRun a blocking function in a thread, so that the event loop goes on.",
        "tags": ["asyncio"],
        "metadata": {"kind": "function"},
    },
    {
        "id": "os.posix_fadvise",
        "text": "# os.posix_fadvise\n\nTell the system how a file will be read.",
        "metadata": {"kind": "function"},
    },
]
JUDGED = {
    "name": "readers",
    "queries": [{"id": "q1", "text": "how do I install it?"}, {"id": "q2", "text": "which call blocks?"}],
    "judgments": {"q1": {"guide/install": 2}},
}
MEASURE = {"kind": "evaluate", "judgments": "readers", "arms": ["keyword", "hybrid@tiny"]}


@dataclass(frozen=True, slots=True)
class Answered:
    """What a printed call was answered; `body` is parsed where it is JSON."""

    call: str
    curl: str
    status: int
    media_type: str
    body: Any


@contextmanager
def example_service(folder: Path) -> Iterator[str]:
    """Serve a home that has what the examples name: documents, models, judgments, jobs, a schedule, votes."""
    model = build_tiny_model(folder / "tiny")
    home = Home.open(Settings(home=folder / "home", model=str(model), threads=1))
    home.prepared("default")
    with live(home) as address:
        _post(address, "documents", documents=DOCUMENTS)
        _post(address, "judgments", **JUDGED)
        _post(address, "evaluations", **MEASURE)
        Worker(home, "worker-1").carry_out(1)
        _post(address, "schedules", kind="audit", cron="30 2 * * 0")
        added(home, build_tiny_model(folder / "tuned", salt="tuned"), "tuned")
        _said(home)
        yield address
    home.close()


def _post(address: str, what: str, **body: Any) -> None:
    httpx.post(f"{address}/v1/{what}", json=body).raise_for_status()


def _said(home: Home) -> None:
    """Keep the search that feedback is on, a vote, and a verdict on the other model."""
    collection = home.catalog.collections.get("default")
    query, shown = "how do I install it?", ("guide/install", "asyncio.to_thread")
    arm, number = "hybrid@tiny", "4Yv0m0Y3lqk1o8Hc1J2bVA"
    home.catalog.searches.put(
        [LoggedSearch(number, "default", query, "hybrid", arm, Origin.API, 10, 1, 2, shown, None, LONG_AGO)]
    )
    vote = Vote("ballot", query, "keyword", arm, Preferred.B, "a", shown[:1], shown, "anybody")
    home.catalog.votes.put(collection, vote)
    key = verdict_key(home.catalog, collection, "tiny", "tuned")
    home.catalog.verdicts.put(
        collection,
        KeptVerdict(arm, "hybrid@tuned", "readers", key, "better", {}, LONG_AGO),  # older than the job
    )


def answers(folder: Path) -> Iterator[Answered]:
    """Send every call that /docs prints, as it is printed; what deletes comes last."""
    write_pages(folder, {"guide/install.md": "# Installing\n\nRun `make setup`.\n"})
    with example_service(folder) as address:
        calls = printed_calls(httpx.get(f"{address}/docs").text)
        for call in sorted(calls, key=lambda call: "DELETE" in call or call.endswith("/delete")):
            yield _sent(call, calls[call], folder)


def printed_calls(page: str) -> dict[str, str]:
    """Return the curl that a page prints of each call."""
    soup = BeautifulSoup(page, "html.parser")
    titles = [heading for heading in soup.find_all("h2") if heading.get("id")]
    tried = [heading for heading in soup.find_all("h3") if heading.get_text() == "Try it"]
    assert len(titles) == len(tried)
    curls = [unescape(one.find_next("pre").get_text()) for one in tried]  # type: ignore[union-attr]  # it has one
    return {title.get_text(): curl for title, curl in zip(titles, curls, strict=True)}


def _sent(call: str, curl: str, folder: Path) -> Answered:
    told = ["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code} %{content_type}"]
    command = [*shlex.split(curl), *told]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    text, _, rest = done.stdout.replace(str(folder), "/srv").rpartition("\n")
    status, _, media_type = rest.partition(" ")
    return Answered(call, curl, int(status), media_type, json.loads(text) if "json" in media_type else _few(text))


def _few(text: str) -> str:
    """Return a text, of metrics only a few."""
    lines = text.splitlines()
    metrics = [line for line in lines if "tandem_requests_total" in line]
    return "\n".join(metrics[:4] or lines)


def written(value: Any, indent: int = 0) -> str:
    """Write JSON so that people read it: what fits stands on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or (indent and len(line) + indent <= WIDTH):
        return line
    inner, outer = " " * (indent + 2), " " * indent
    if isinstance(value, list):
        parts = [inner + written(one, indent + 2) for one in value]
    else:
        parts = [f"{inner}{json.dumps(name)}: {written(one, indent + 2)}" for name, one in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return "\n".join([opening, ",\n".join(parts), outer + closing])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        found = {answer.call: answer for answer in answers(Path(made))}
    failed = [answer for answer in found.values() if answer.status >= 300]
    if failed:
        sys.exit("\n".join(f"{answer.curl}\n{answer.status}: {answer.body}" for answer in failed))
    STORED.write_text(written({call: answer.body for call, answer in sorted(found.items())}) + "\n", "utf-8")
