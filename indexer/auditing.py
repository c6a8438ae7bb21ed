"""What the audit reads, taken from the catalog."""

from collections import defaultdict
from collections.abc import Iterator

from indexer.audit import AuditedDocument
from retrieval.catalog import Catalog, Collection


def audited_documents(catalog: Catalog, collection: Collection) -> Iterator[AuditedDocument]:
    """Yield every document of a collection with its chunks' sizes and links."""
    tokens: dict[str, list[int]] = defaultdict(list)
    for texts in catalog.chunks.all_texts(collection):
        for text in texts:
            tokens[text.document_id].append(text.chunk.tokens)
    for document in catalog.documents.all(collection):
        yield AuditedDocument(
            id=document.id,
            title=document.title,
            text=document.text,
            created=document.created or document.updated,
            url=document.url,
            chunk_tokens=tuple(tokens[document.id]),
            links=tuple(link.target for link in document.links),
        )
