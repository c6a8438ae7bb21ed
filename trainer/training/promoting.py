"""Promote what a training gave, if its verdict allows."""

from collections.abc import Callable
from dataclasses import asdict

from indexer.permission import BETTER
from indexer.promotion import promote
from retrieval.catalog import Collection
from retrieval.errors import TandemError
from retrieval.home import Home
from retrieval.types import JsonValue


def promoted(
    home: Home, collection: Collection, body: dict[str, JsonValue], step: Callable[[str], None]
) -> TandemError | None:
    """Promote what a training's report says may be, and add to the report that it was.

    Return what refused it, which must not cost the report.
    """
    body["promoted"] = None
    if not body["may_be_promoted"]:
        step(f"Nothing was promoted: the verdict is {body['verdict']!r}" + _doubt(body))
        return None
    step(f"Promoting {body['version']}")
    try:
        body["promoted"] = asdict(promote(home, collection, body["version"]))
    except TandemError as error:
        return error
    return None


def _doubt(body: dict[str, JsonValue]) -> str:
    if body["verdict"] != BETTER:
        return ""
    return ", and the canary vetoes it" if body["canary"] else ", and no canary was asked"
