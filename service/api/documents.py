"""/v1/documents"""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from indexer.documents import document_json
from indexer.submission import Submitted
from retrieval.catalog.database import Along
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
from service.api.conditional import NOT_MODIFIED, IfMatch, Tagged, document_tag, still
from service.api.described import problems
from service.api.idempotent import Once, kept_along
from service.api.schemas import (
    DocumentBody,
    DocumentsBody,
    DocumentsProblem,
    DocumentsRequest,
    FailureBody,
)
from service.api.writing import nothing_kept, written
from service.auth import Reader, Writer
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["documents"])
PROBLEMS = problems(400, 409, 412, 413, 503) | {
    422: {"model": DocumentsProblem, "description": "The request is not understood, or none of its documents was kept."}
}


@router.post(
    "/documents", response_model=DocumentsBody, responses=PROBLEMS, summary="Keep documents", dependencies=[Once]
)
async def put_documents(request: Request, caller: Writer, body: DocumentsRequest, if_match: IfMatch = None) -> object:
    """Keep documents, replacing those with the same ids; they are searchable when this returns.

    A document that fails does not stop the others: it is listed with its reason. The request itself fails only when
    no document of it could be kept. With If-Match, one document is replaced only if nobody has changed it since.
    """
    caller.check(body.collection)
    serving: Serving = request.app.state.serving
    answer = await written(request, partial(_kept, serving, body, if_match))
    return answer if answer.kept + answer.unchanged else nothing_kept(answer.failures)


@router.get(
    "/documents",
    response_model=DocumentsListBody,
    responses=problems(404, 422, 503) | NOT_MODIFIED,
    summary="List documents",
)
def list_documents(
    request: Request, caller: Reader, asked: Annotated[DocumentsLink, Query()], tagging: Tagged
) -> Response:
    """List the documents of a collection by id."""
    caller.check(asked.collection)
    catalog = request.app.state.serving.home.catalog
    collection = catalog.collections.get(asked.collection)
    shown = catalog.documents.listed(collection, after=asked.after, limit=asked.limit)
    listed = [ListedDocument(id=d.id, title=d.title, url=d.url, metadata=dict(d.metadata)) for d in shown]
    return tagging.tagged(
        DocumentsListBody(
            documents=listed,
            count=catalog.documents.count(collection),
            next=shown[-1].id if len(shown) == asked.limit else None,
        )
    )


@router.get(
    "/documents/by-id",
    response_model=WholeDocument,
    responses=problems(404, 422, 503) | NOT_MODIFIED,
    summary="Show a document",
)
def show_document(
    request: Request, caller: Reader, asked: Annotated[DocumentLink, Query()], tagging: Tagged
) -> dict[str, JsonValue]:
    """Show a document as it was understood: title, metadata, links, text.

    Its ETag, sent with If-Match, keeps a write from undoing what somebody else has changed meanwhile.
    """
    caller.check(asked.collection)
    catalog = request.app.state.serving.home.catalog
    collection = catalog.collections.get(asked.collection)
    with catalog.database.read():  # the document that the tag is of
        tagging.tag(document_tag(catalog, collection, asked.id))
        return document_json(catalog.documents.get(collection, asked.id))


@router.post(
    "/documents/delete",
    response_model=DeletedBody,
    responses=problems(404, 409, 412, 413, 422, 503),
    summary="Delete documents",
    dependencies=[Once],
)
def delete_documents(request: Request, caller: Writer, body: DeleteRequest, if_match: IfMatch = None) -> DeletedBody:
    """Delete documents, all or none. They come back with the next ingest of their source if it still has them.

    With If-Match, one document is deleted only if nobody has changed it since.
    """
    caller.check(body.collection)
    serving: Serving = request.app.state.serving
    expected = still(serving.home.catalog, body.collection, body.ids, if_match)
    along: Along[int] = kept_along(request, 200, lambda deleted: DeletedBody(deleted=deleted, indexed=False))
    deleted, indexed = serving.delete(body.collection, body.ids, still=expected, along=along)
    return DeletedBody(deleted=deleted, indexed=indexed)


def _kept(serving: Serving, body: DocumentsRequest, if_match: str | None) -> DocumentsBody:
    documents, refused = body.parted()
    expected = still(serving.home.catalog, body.collection, [part.id for part in body.documents], if_match)
    failures = [FailureBody(id=part.id, reason=part.reason) for part in refused]
    if not documents:
        return DocumentsBody(kept=0, unchanged=0, chunks=0, embedded=0, failures=failures, indexed=True)
    summary, indexed = serving.submit(body.collection, [_submitted(each) for each in documents], still=expected)
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
