"""The catalog: the SQL source of truth. Everything a search index holds can be made again from it."""

from retrieval.catalog.catalog import Catalog
from retrieval.catalog.changes import Change, Operation
from retrieval.catalog.chunks import ChunkText, IndexedChunk, StoredChunk
from retrieval.catalog.collections import DEFAULT_COLLECTION, Collection, CollectionConfig
from retrieval.catalog.documents import Batch, DocumentKey, DocumentRecord
from retrieval.catalog.embeddings import text_hash
from retrieval.catalog.models import ModelRecord
from retrieval.catalog.moments import Moments, TermMoments
from retrieval.catalog.showing import ShownChunk, ShownDocument

__all__ = [
    "DEFAULT_COLLECTION",
    "Batch",
    "Catalog",
    "Change",
    "ChunkText",
    "Collection",
    "CollectionConfig",
    "DocumentKey",
    "DocumentRecord",
    "IndexedChunk",
    "ModelRecord",
    "Moments",
    "Operation",
    "ShownChunk",
    "ShownDocument",
    "StoredChunk",
    "TermMoments",
    "text_hash",
]
