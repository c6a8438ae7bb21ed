"""/v1/collections: what there is to search"""

from fastapi import APIRouter, Request, Response

from retrieval.catalog import Catalog, Collection
from service.api.catalog_schemas import CollectionBody, CollectionsBody
from service.api.conditional import NOT_MODIFIED, Tagged
from service.api.described import problems
from service.auth import Reader
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["collections"])


@router.get(
    "/collections", response_model=CollectionsBody, responses=problems(422) | NOT_MODIFIED, summary="List collections"
)
def list_collections(request: Request, caller: Reader, tagging: Tagged) -> Response:
    """List the collections that the caller may search."""
    serving: Serving = request.app.state.serving
    catalog = serving.home.catalog
    visible = caller.visible(catalog.collections.list())
    return tagging.tagged(CollectionsBody(collections=[described(catalog, collection) for collection in visible]))


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
