"""The interface's description: what FastAPI derives, with an example of each answer, and errors as they are sent."""

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI

from service.api.described import WHEN
from service.problems import MEDIA_TYPE

PROBLEMS = ("/ProblemBody", "/DocumentsProblem")
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
_OF_BODIES = {str(code): {"description": WHEN[code], "content": _PROBLEM} for code in (408, 413, 415)}
"""What any request with a body may be answered before it is looked at."""


def describe(app: FastAPI) -> None:
    """Make the app give an example of each answer, and describe its errors as problem documents."""
    derived = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description, answers = derived(), examples()
            for path, operations in description["paths"].items():
                for method, operation in operations.items():
                    of_bodies = _OF_BODIES if "requestBody" in operation else {}
                    operation["responses"] = _described(of_bodies | operation["responses"])
                    _show(operation["responses"], answers.get(f"{method.upper()} {path}"))
        return derived()

    app.openapi = openapi  # type: ignore[method-assign]  # how FastAPI documents extending the description


def examples() -> dict[str, Any]:
    """Return what a service answered to the example of each operation, by method and path."""
    answered: dict[str, Any] = json.loads(files("service.api").joinpath("examples.json").read_text("utf-8"))
    return answered


def _show(responses: dict[str, Any], answer: Any) -> None:
    """Put an answer where the one that succeeds is described."""
    success = next(response for code, response in responses.items() if code < "300")
    if answer is not None:
        success["content"] = {kind: {**content, "example": answer} for kind, content in success["content"].items()}


def _schema(content: dict[str, Any]) -> Any:
    """Return the schema among the media types, one of which has it: where events are sent, FastAPI names theirs too."""
    return next(kind["schema"] for kind in content.values() if "$ref" in kind.get("schema", {}))


def _described(responses: dict[str, Any]) -> dict[str, Any]:
    for code, response in responses.items():
        if int(code) >= 400 and response.get("content"):
            schema = _schema(response["content"])
            if schema["$ref"].endswith(PROBLEMS):
                response["content"] = {MEDIA_TYPE: {"schema": schema}}
    return dict(sorted(responses.items()))
