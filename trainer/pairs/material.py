"""What pairs are mined from: the documents of a collection, with their chunks, groups and words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.catalog import Catalog, ChunkText, Collection
from retrieval.types import Document
from trainer.known_items import groups_of
from trainer.known_items.words import Words


def groups_by_document(catalog: Catalog, collection: Collection) -> dict[str, str]:
    """Name the group of each document, itself and its near copies, by document id."""
    documents = sorted(catalog.documents.all(collection), key=lambda document: document.id)
    return dict(zip((document.id for document in documents), groups_of(documents), strict=True))


@dataclass(frozen=True, slots=True)
class Material:
    """Documents by id; `groups` names each one and its near copies, `chunks` are each one's by position."""

    documents: Sequence[Document]
    groups: Sequence[str]
    chunks: Sequence[Sequence[ChunkText]]
    words: Words

    @classmethod
    def read(cls, catalog: Catalog, collection: Collection) -> "Material":
        """Read the whole collection; documents without a chunk are left out, having nothing to be found by."""
        chunks: dict[str, list[ChunkText]] = defaultdict(list)
        for batch in catalog.chunks.all_texts(collection):
            for text in batch:
                chunks[text.document_id].append(text)
        documents = sorted(
            (document for document in catalog.documents.all(collection) if document.id in chunks),
            key=lambda document: document.id,
        )
        by_position = [sorted(chunks[document.id], key=lambda text: text.chunk.position) for document in documents]
        return cls(documents, groups_of(documents), by_position, Words(collection.config.language))

    @property
    def group_of(self) -> Mapping[str, str]:
        """The group of each document, by the document's id."""
        return {document.id: group for document, group in zip(self.documents, self.groups, strict=True)}
