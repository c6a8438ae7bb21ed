"""/v1/collections: what there is to search, made and deleted"""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from retrieval.catalog import Catalog, Collection
from service.api.catalog_schemas import CollectionBody, CollectionRequest, CollectionsBody, DeletedCollectionBody
from service.api.conditional import NOT_MODIFIED, Tagged
from service.api.described import problems
from service.api.idempotent import Once
from service.api.schemas import MAX_COLLECTION_CHARS
from service.auth import Admin, Reader
from service.serving import Serving
from service.suggesting import Suggesting

router = APIRouter(prefix="/v1", tags=["collections"])
Name = Annotated[str, Path(max_length=MAX_COLLECTION_CHARS, description="The collection's name.", examples=["recipes"])]


@router.get(
    "/collections", response_model=CollectionsBody, responses=problems(422) | NOT_MODIFIED, summary="List collections"
)
def list_collections(request: Request, caller: Reader, tagging: Tagged) -> Response:
    """List the collections that the caller may search."""
    catalog = _serving(request).home.catalog
    visible = caller.visible(catalog.collections.list())
    return tagging.tagged(CollectionsBody(collections=[described(catalog, collection) for collection in visible]))


@router.post(
    "/collections",
    status_code=201,
    response_model=CollectionBody,
    responses=problems(409, 413, 422, 503),
    summary="Make a collection",
    dependencies=[Once],
)
def create_collection(request: Request, caller: Admin, body: CollectionRequest) -> CollectionBody:
    """Make an empty collection with settings of its own; documents sent to one that is not there make it as usual."""
    caller.check(body.name)
    serving = _serving(request)
    return described(serving.home.catalog, serving.create_collection(body.name, body.config))


@router.delete(
    "/collections/{name}",
    response_model=DeletedCollectionBody,
    responses=problems(404, 409, 422, 503),
    summary="Delete a collection",
    dependencies=[Once],
)
def delete_collection(request: Request, caller: Admin, name: Name) -> DeletedCollectionBody:
    """Delete a collection for good, with its documents, judgments, searches and index; there is no way back.

    Jobs about it are not cancelled: they fail, but for an ingest, which makes it again.
    """
    caller.check(name)
    _serving(request).delete_collection(name)
    suggesting: Suggesting = request.app.state.suggesting
    suggesting.forget(name)
    return DeletedCollectionBody(deleted=name)


def described(catalog: Catalog, collection: Collection) -> CollectionBody:
    """Return what is told of a collection."""
    return CollectionBody(
        name=collection.name,
        documents=catalog.documents.count(collection),
        chunks=catalog.chunks.lengths(collection)[0],
        model=collection.config.model or None,
        language=collection.config.language,
        created_at=collection.created_at,
        pending=catalog.changes.count_pending(collection),
    )


def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving
