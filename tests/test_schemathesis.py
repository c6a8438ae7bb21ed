"""The interface does as its description says, whatever is sent: made-up requests to every operation, in process."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from retrieval.catalog.job import JobState, Listed, Work
from retrieval.catalog.jobs import Jobs
from service.app import create_app
from service.serving import Serving
from tests.homes import opened_home

BASE = "http://127.0.0.1:8080"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
KEEPS_WHAT_FITS = {"POST /v1/documents"}
"""Operations that take the part that fits, and tell of the rest with status 200."""
DOCUMENTS: list[Any] = [
    {"id": "dogs", "text": "# Dogs\n\nA puppy is a young dog.", "metadata": {"kind": "pet", "legs": 4}},
    {"id": "bread", "title": "Bread", "text": "Bake the loaf.", "url": "https://example.com/bread", "tags": ["food"]},
]
KNOWN: dict[str, list[Any]] = {"job": [1, 2], "version": ["tiny"], "id": ["dogs"], "collection": ["default"]}
"""What there is, by the name of the parameter: made-up values would seldom be of it."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An application in which something is there to be found, and its description."""

    app: Any
    schema: Any
    jobs: Jobs

    def operations(self) -> Iterator[Any]:
        """Every operation there is; what was asked for before is cancelled first, so that its events end."""
        for found in self.schema.get_all_operations():
            for job in self.jobs.list(Listed(states=[JobState.QUEUED], limit=1_000)):
                self.jobs.cancel(job.id)
            yield found.ok()


@pytest.fixture
def interface(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interface]:
    home = opened_home(tmp_path / "home", tiny_model, store="memory")
    ended = home.catalog.jobs.take_up(home.catalog.jobs.submit(Work("audit", "default", {}), made_by="me").id, "w")
    assert ended
    home.catalog.jobs.end(ended, JobState.DONE, result={"documents": 2})
    home.catalog.jobs.cancel(home.catalog.jobs.submit(Work("embed", "default", {}), made_by="me").id)
    with Serving(home) as serving:
        app: Any = create_app(serving)
        with asgi.get_client(app) as client:
            client.post(f"{BASE}/v1/documents", json={"documents": DOCUMENTS}).raise_for_status()
        monkeypatch.setattr(socket.socket, "connect", _no_network)
        monkeypatch.setattr(socket, "getaddrinfo", _no_network)
        yield Interface(app, schemathesis.openapi.from_dict(without_keys(app.openapi())), home.catalog.jobs)
        asgi.shutdown_lifespans()
    home.close()


def without_keys(description: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a service that asks nobody for a key, as this one does not."""
    paths = {
        path: {method: {**operation, "security": []} for method, operation in operations.items()}
        for path, operations in description["paths"].items()
    }
    return {**description, "paths": paths}


def _no_network(*_: object) -> None:
    raise AssertionError("the network was asked for")


def failures_of(interface: Interface, operation: Any, examples: int) -> list[str]:
    """Send made-up requests, right and wrong ones, to an operation; return what was not as described."""
    takes_a_part = operation.label in KEEPS_WHAT_FITS
    checks = [check for check in CHECKS if not (takes_a_part and check is negative_data_rejection)]
    made = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=made, known=st.booleans(), data=st.data())
    def send(case: Case[Any], known: bool, data: st.DataObject) -> None:
        if known:
            for container in (case.path_parameters, case.query):
                for name in container.keys() & KNOWN.keys():
                    container[name] = data.draw(st.sampled_from(KNOWN[name]))
        case.call_and_validate(base_url=BASE, app=interface.app, checks=checks)

    try:
        send()
    except FailureGroup as failure:
        return [f"{operation.label}: {failure}"]
    return []


def test_every_operation_answers_as_described_whatever_is_sent(interface: Interface) -> None:
    found = [failures_of(interface, operation, 6) for operation in interface.operations()]
    assert len(found) >= 20
    failures = [failure for of_one in found for failure in of_one]
    assert not failures, "\n\n".join(failures)


@pytest.mark.slow
def test_every_operation_answers_as_described_whatever_is_sent_for_long(interface: Interface) -> None:
    failures = [failure for one in interface.operations() for failure in failures_of(interface, one, 150)]
    assert not failures, "\n\n".join(failures)
