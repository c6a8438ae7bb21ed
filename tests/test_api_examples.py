"""The examples of the interface: every printed call works, and every answer shown is one that the service gives."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from retrieval.home import Home
from retrieval.settings import Settings
from service.app import create_app
from service.openapi import examples
from service.serving import Serving
from tests.example_service import answers, written


@pytest.fixture
def description(tmp_path: Path) -> Iterator[dict[str, Any]]:
    home = Home.open(Settings(home=tmp_path / "described"))
    yield create_app(Serving(home)).openapi()
    home.close()


def operations(description: dict[str, Any]) -> dict[str, Any]:
    """Return each operation by its method and path."""
    paths = description["paths"].items()
    return {f"{method.upper()} {path}": operation for path, methods in paths for method, operation in methods.items()}


def answered(operation: dict[str, Any]) -> dict[str, Any]:
    """Return what is described of the answer that succeeds, by media type."""
    (content,) = (response["content"] for code, response in operation["responses"].items() if code < "300")
    return dict(content)


def shape(value: Any) -> Any:
    """Return the names and types of a JSON value: what is the same whenever it is asked for.

    How far a job is, is not: a worker tells of that once in a second.
    """
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items() if name != "progress"}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_every_operation_shows_an_answer_of_the_kind_that_it_describes(description: dict[str, Any]) -> None:
    described = operations(description)
    assert set(described) == set(examples())
    for call, operation in described.items():
        for kind, content in answered(operation).items():
            if kind == "application/json":
                schema = {**content["schema"], "components": description["components"]}
                Draft202012Validator(schema).validate(content["example"])
            else:
                assert isinstance(content["example"], str), call


def test_every_parameter_that_is_needed_has_an_example(description: dict[str, Any]) -> None:
    needed = [
        (call, parameter)
        for call, operation in operations(description).items()
        for parameter in operation.get("parameters", [])
        if parameter["required"]
    ]
    assert len(needed) > 15
    for call, parameter in needed:
        schema = {**parameter["schema"], "components": description["components"]}
        assert schema.get("examples"), (call, parameter["name"])
        for example in schema["examples"]:
            Draft202012Validator(schema).validate(example)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the calls are of curl")
@pytest.mark.slow
def test_every_call_that_is_printed_works_and_is_answered_as_shown(tmp_path: Path) -> None:
    shown, seen = examples(), set()
    for answer in answers(tmp_path):
        assert answer.status < 300, (answer.curl, answer.body)
        assert shape(answer.body) == shape(shown[answer.call]), f"{answer.call}: python -m tests.example_service"
        seen.add(answer.call)
    assert seen == set(shown)


def test_examples_are_written_so_that_people_read_them() -> None:
    assert written({"a": {"b": [1, "é"]}, "c": ["x" * 60, "y" * 60], "d": []}) == (
        '{\n  "a": {"b": [1, "é"]},\n  "c": [\n    "' + "x" * 60 + '",\n    "' + "y" * 60 + '"\n  ],\n  "d": []\n}'
    )
