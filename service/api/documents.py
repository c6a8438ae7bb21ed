"""/v1/documents"""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from indexer.documents import document_json
from indexer.submission import Submitted
from retrieval.types import JsonValue
from service.api.catalog_schemas import (
    DeletedBody,
    DeleteRequest,
    DocumentLink,
    DocumentsLink,
    DocumentsListBody,
    ListedDocument,
    WholeDocument,
)
from service.api.described import problems
from service.api.schemas import (
    DocumentBody,
    DocumentsBody,
    DocumentsProblem,
    DocumentsRequest,
    FailureBody,
)
from service.auth import Reader, Writer
from service.background import in_daemon_thread
from service.problems import problem
from service.served import Stopping
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["documents"])
WRITERS = 2
"""Requests that write at once: embedding takes every core, and searches need threads while documents come in."""
PROBLEMS = problems(400, 413, 503) | {
    422: {"model": DocumentsProblem, "description": "The request is not understood, or none of its documents was kept."}
}


@router.post("/documents", response_model=DocumentsBody, responses=PROBLEMS, summary="Keep documents")
async def put_documents(request: Request, caller: Writer, body: DocumentsRequest) -> object:
    """Keep documents, replacing those with the same ids; they are searchable when this returns.

    A document that fails does not stop the others: it is listed with its reason. The request itself fails only when
    no document of it could be kept.
    """
    caller.check(body.collection)
    serving: Serving = request.app.state.serving
    try:
        async with request.app.state.writers:
            answer = await in_daemon_thread(partial(_kept, serving, body))
    except asyncio.CancelledError:  # the server stops, and waits no longer
        raise Stopping from None
    return _nothing_kept(answer) if not answer.kept + answer.unchanged else answer


@router.get("/documents", response_model=DocumentsListBody, responses=problems(404, 422, 503), summary="List documents")
def list_documents(request: Request, caller: Reader, asked: Annotated[DocumentsLink, Query()]) -> DocumentsListBody:
    """List the documents of a collection by id."""
    caller.check(asked.collection)
    catalog = request.app.state.serving.home.catalog
    collection = catalog.collections.get(asked.collection)
    shown = catalog.documents.listed(collection, after=asked.after, limit=asked.limit)
    listed = [ListedDocument(id=d.id, title=d.title, url=d.url, metadata=dict(d.metadata)) for d in shown]
    return DocumentsListBody(
        documents=listed,
        count=catalog.documents.count(collection),
        next=shown[-1].id if len(shown) == asked.limit else None,
    )


@router.get(
    "/documents/by-id", response_model=WholeDocument, responses=problems(404, 422, 503), summary="Show a document"
)
def show_document(request: Request, caller: Reader, asked: Annotated[DocumentLink, Query()]) -> dict[str, JsonValue]:
    """Show a document as it was understood: title, metadata, links, text."""
    caller.check(asked.collection)
    catalog = request.app.state.serving.home.catalog
    return document_json(catalog.documents.get(catalog.collections.get(asked.collection), asked.id))


@router.post(
    "/documents/delete", response_model=DeletedBody, responses=problems(404, 413, 422, 503), summary="Delete documents"
)
def delete_documents(request: Request, caller: Writer, body: DeleteRequest) -> DeletedBody:
    """Delete documents, all or none. They come back with the next ingest of their source if it still has them."""
    caller.check(body.collection)
    serving: Serving = request.app.state.serving
    deleted, indexed = serving.delete(body.collection, body.ids)
    return DeletedBody(deleted=deleted, indexed=indexed)


def _kept(serving: Serving, body: DocumentsRequest) -> DocumentsBody:
    documents, refused = body.parted()
    failures = [FailureBody(id=part.id, reason=part.reason) for part in refused]
    if not documents:
        return DocumentsBody(kept=0, unchanged=0, chunks=0, embedded=0, failures=failures, indexed=True)
    summary, indexed = serving.submit(body.collection, [_submitted(document) for document in documents])
    failures += [FailureBody(id=trouble.key, reason=trouble.reason) for trouble in summary.problems]
    distinct = len({document.id for document in documents})
    return DocumentsBody(
        kept=summary.documents,
        unchanged=distinct - summary.documents - len(summary.problems),
        chunks=summary.chunks,
        embedded=summary.embedded,
        failures=failures,
        indexed=indexed,
    )


def _submitted(document: DocumentBody) -> Submitted:
    return Submitted(**document.model_dump())


def _nothing_kept(answer: DocumentsBody) -> Response:
    reasons = "; ".join(f"{failure.id[:80]!r}: {failure.reason}" for failure in answer.failures[:3])
    failures = [failure.model_dump() for failure in answer.failures]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"No document was kept. {reasons}", {"failures": failures})
