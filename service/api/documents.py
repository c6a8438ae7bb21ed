"""POST /v1/documents"""

import asyncio
from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from indexer.submission import Submitted
from service.api.described import problems
from service.api.schemas import (
    DocumentBody,
    DocumentsBody,
    DocumentsProblem,
    DocumentsRequest,
    FailureBody,
)
from service.auth import Writer
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
