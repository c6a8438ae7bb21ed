"""/v1/collections: what there is to search"""

from fastapi import APIRouter, Request

from retrieval.catalog import Catalog, Collection
from service.api.catalog_schemas import CollectionBody, CollectionsBody
from service.auth import Reader
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["collections"])


@router.get("/collections", response_model=CollectionsBody, summary="List collections")
def list_collections(request: Request, caller: Reader) -> CollectionsBody:
    """List the collections that the caller may search."""
    serving: Serving = request.app.state.serving
    catalog = serving.home.catalog
    visible = [one for one in catalog.collections.list() if caller.only in (None, one.name)]
    return CollectionsBody(collections=[_body(catalog, collection) for collection in visible])


def _body(catalog: Catalog, collection: Collection) -> CollectionBody:
    return CollectionBody(
        name=collection.name,
        documents=catalog.documents.count(collection),
        chunks=catalog.chunks.lengths(collection)[0],
        model=collection.config.model or None,
        language=collection.config.language,
        created_at=collection.created_at,
        pending=catalog.changes.count_pending(collection),
    )
