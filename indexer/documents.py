"""Documents of the catalog, one at a time: as JSON, and deleted."""

from collections.abc import Sequence

from retrieval.analysis import Analyzer
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.database import Along, nothing_else
from retrieval.catalog.unchanged import UNCONDITIONAL, Still
from retrieval.errors import NotFound
from retrieval.types import Document, JsonValue


def delete_documents(
    catalog: Catalog,
    collection: Collection,
    ids: Sequence[str],
    *,
    still: Still = UNCONDITIONAL,
    along: Along[int] = nothing_else,
) -> int:
    """Delete documents, all or none, and return how many; the index follows.

    Raises NotFound, and DocumentChanged where one has other content than `still` says for its id.
    """
    unknown = sorted(set(ids) - catalog.documents.keys(collection).keys())
    if unknown:
        raise NotFound(f"There is no document {unknown[0]!r}; nothing was deleted. `tandem documents list` shows all.")
    words_of = Analyzer(collection.config.language).words
    return catalog.documents.delete(collection, ids, words_of, still=still, along=along)


def document_json(document: Document) -> dict[str, JsonValue]:
    """Return a document as it was understood."""
    links = [{"target": link.target, "anchor": link.anchor, "sentence": link.sentence} for link in document.links]
    return {
        "id": document.id,
        "title": document.title,
        "url": document.url,
        "created": document.created,
        "updated": document.updated,
        "tags": list(document.tags),
        "metadata": dict(document.metadata),
        "links": links,
        "text": document.text,
    }
