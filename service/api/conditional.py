"""ETags: an answer that a client has already is not sent again, and a document that has changed is not overwritten."""

import json
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.unchanged import UNCONDITIONAL, DocumentChanged, Still
from retrieval.errors import NotFound, TandemError, UsageError
from service.api.described import Responses
from service.auth import Reader
from service.serving import Serving

CACHING = "private, no-cache"
"""Whoever asks may keep the answer, and asks each time whether it still holds."""
NOT_MODIFIED: Responses = {304: {"description": "What If-None-Match names still holds."}}
_Sent = Annotated[str | None, Header(max_length=4_000, description="ETags of answers that you have: 304 if one holds.")]
IfMatch = Annotated[
    str | None,
    Header(max_length=200, description="The ETag that the one document still must have; 412 if it has changed."),
]


class NotModified(Exception):
    """The client has the answer already."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag = tag


class Tagging:
    """Gives the answer of one request its ETag."""

    def __init__(self, response: Response, if_none_match: _Sent = None) -> None:
        self._response, self._sent = response, if_none_match

    def tag(self, tag: str) -> None:
        """Tag the answer to come; raises NotModified where the client has the one with this tag."""
        if names(self._sent or "", tag, is_weak=True):
            raise NotModified(tag)
        self._response.headers.update(_headers(tag))

    def tagged(self, body: BaseModel) -> Response:
        """Return an answer tagged by its own bytes; raises NotModified where the client has it."""
        data = body.model_dump_json().encode()
        tag = f'"{_digest(data)}"'
        self.tag(tag)
        return Response(data, headers=_headers(tag), media_type="application/json")


Tagged = Annotated[Tagging, Depends()]


def add_conditions(app: FastAPI) -> None:
    """Answer 304 where a client has the answer already."""
    app.add_exception_handler(NotModified, _not_modified)


def search_tag(request: Request, caller: Reader, tagging: Tagged) -> None:
    """Tag a search by a link with what its answer depends on: the link, the index, the settings, this version.

    The tag is weak: two answers with it differ in how long they took. It is read before the index is, so that an answer
    is never older than its tag says. A search that cannot be answered gets none, and neither does one by another model
    than the collection's own, whose vectors come into the index without a change that could be seen.
    """
    name = request.query_params.get("collection", "default")
    caller.check(name)
    if request.query_params.get("model"):
        return
    serving: Serving = request.app.state.serving
    try:
        state = serving.of(name).state
    except TandemError:
        return
    tagging.tag(f'W/"{_digest(json.dumps([state, request.url.query, _version()]).encode())}"')


SearchTag = Depends(search_tag)


def document_tag(catalog: Catalog, collection: Collection, document_id: str) -> str:
    """Return the tag of a document: of all that is seen of it, and of the version that shows it. Raises NotFound."""
    return f'"{catalog.documents.content_hash(collection, document_id)}.{_version()}"'


def still(catalog: Catalog, name: str, ids: Sequence[str], if_match: str | None) -> Still:
    """Return what a write's one document must still be when it is written; nothing for a write at any rate.

    Raises DocumentChanged where it is another already, and UsageError for a write of several documents.
    """
    if if_match is None:
        return UNCONDITIONAL
    if len(ids) != 1:
        raise UsageError(f"If-Match is for one document; this request has {len(ids)}. Send them one at a time.")
    try:
        tag = document_tag(catalog, catalog.collections.get(name), ids[0])
    except NotFound:
        raise DocumentChanged.of(ids[0]) from None
    if not names(if_match, tag, is_weak=False):
        raise DocumentChanged.of(ids[0])
    return {ids[0]: tag.strip('"').partition(".")[0]}


def names(header: str, tag: str, *, is_weak: bool) -> bool:
    """Return whether a header of ETags names one; a weak comparison looks past W/ (RFC 9110, 8.8.3.2)."""
    listed = [part.strip() for part in header.split(",")]
    if "*" in listed:
        return True
    return any(_strong(one) == _strong(tag) if is_weak else one == tag for one in listed)


def _strong(tag: str) -> str:
    return tag.removeprefix("W/")


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": CACHING}


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:32]


def _version() -> str:
    return version("tandem-search")


async def _not_modified(_: Request, error: Exception) -> Response:
    assert isinstance(error, NotModified)  # noqa: S101  # what the handler is registered for
    return Response(status_code=304, headers=_headers(error.tag))
