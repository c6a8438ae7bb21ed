"""A job's server-sent events, read: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import json
from collections.abc import Iterable, Iterator, Mapping

import httpx

from retrieval.catalog.job import Job, Line
from retrieval.types import JsonValue
from service.errors import NoAnswer
from service.transport import PAUSE_S, Transport

MOST_BREAKS = 5
"""Connections in a row that break off without an event."""


def followed(transport: Transport, job: int, after: int) -> Iterator[Job | Line]:
    """Give the events of a job until it is over; raises NoAnswer where the service is gone for good."""
    breaks = 0
    while True:
        try:
            with transport.lines(f"/v1/jobs/{job:d}/events", {"Last-Event-ID": str(after)}) as lines:
                for event in events(lines):
                    breaks = 0
                    found = _read(event, transport)
                    if isinstance(found, Line):
                        after = found.id
                    yield found
                    if isinstance(found, Job) and found.state.is_over:
                        return
        except httpx.TransportError:
            pass  # as where the service ends the answer, because it stops
        breaks += 1
        if breaks > MOST_BREAKS:
            raise NoAnswer(f"The events of job {job} break off, again and again; ask later how it went.")
        transport.sleep(PAUSE_S * breaks)


def events(lines: Iterable[str]) -> Iterator[Mapping[str, str]]:
    """Give the events of a stream by their fields; comments, which keep the connection alive, are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield fields
            fields = {}
            continue
        name, _, value = line.partition(":")
        if name:
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and "data" in fields else value


def _read(event: Mapping[str, str], transport: Transport) -> Job | Line:
    try:
        body: JsonValue = json.loads(event["data"])
        return Line(body["id"], body["at"], body["text"]) if event.get("event") == "line" else Job.from_json(body)
    except (LookupError, TypeError, ValueError) as error:
        raise transport.stranger() from error
