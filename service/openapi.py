"""The interface's description: what FastAPI derives, with errors under the media type they are sent with."""

from typing import Any

from fastapi import FastAPI

from service.api.described import WHEN
from service.problems import MEDIA_TYPE

PROBLEMS = ("/ProblemBody", "/DocumentsProblem")
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
_OF_BODIES = {str(code): {"description": WHEN[code], "content": _PROBLEM} for code in (408, 413, 415)}
"""What any request with a body may be answered before it is looked at."""


def describe_problems(app: FastAPI) -> None:
    """Make the app describe its errors as problem documents."""
    derived = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = derived()
            for operations in description["paths"].values():
                for operation in operations.values():
                    of_bodies = _OF_BODIES if "requestBody" in operation else {}
                    operation["responses"] = _described(of_bodies | operation["responses"])
        return derived()

    app.openapi = openapi  # type: ignore[method-assign]  # how FastAPI documents extending the description


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
