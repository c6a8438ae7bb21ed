"""What goes over HTTP about collections, documents and models."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from retrieval.analysis import LANGUAGES
from retrieval.catalog import CollectionConfig
from service.api.schemas import MAX_ID_CHARS, CollectionName, Strict

USUAL = CollectionConfig()


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"choose one of {', '.join(LANGUAGES)}")
    return value


class CollectionBody(Strict):
    """A collection, and how far its index is."""

    name: str
    documents: int
    chunks: int
    model: Annotated[str | None, Field(description="The model that it is searched with; null before the first ingest.")]
    language: str
    created_at: str
    pending: Annotated[int, Field(description="Changes that are safe and not yet searchable.")]


class CollectionsBody(Strict):
    """Every collection that the caller may see."""

    collections: list[CollectionBody]


class CollectionRequest(Strict):
    """A collection to make, and what its owner chooses for it; the model is chosen by the first ingest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "recipes", "language": "english"}]})

    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Lower-case letters, digits, '-' and '_'."),
    ]
    language: Annotated[
        str,
        AfterValidator(_language),
        Field(json_schema_extra={"enum": list(LANGUAGES)}, description="Stems and stop words."),
    ] = USUAL.language
    chunk_tokens: Annotated[int, Field(ge=16, le=4_096, description="Tokens of a chunk at the most.")] = (
        USUAL.chunk_tokens
    )
    k1: Annotated[float, Field(ge=0, le=10, description="BM25: how soon repetition saturates.")] = USUAL.k1
    b: Annotated[float, Field(ge=0, le=1, description="BM25: how much long chunks are discounted.")] = USUAL.b
    fusion: Literal["calibrated", "rrf"] = "calibrated"
    embedding_weight: Annotated[float, Field(ge=0, le=1, description="The embedding leg's share.")] = (
        USUAL.embedding_weight
    )

    @property
    def config(self) -> CollectionConfig:
        """The settings."""
        return CollectionConfig(**self.model_dump(exclude={"name"}))


class DeletedCollectionBody(Strict):
    """A collection that is no more."""

    deleted: Annotated[str, Field(description="Its name.")]


class ListedDocument(Strict):
    """A document in a list."""

    id: str
    title: str
    url: str | None
    metadata: dict[str, Any]


class DocumentsListBody(Strict):
    """Documents by id."""

    documents: list[ListedDocument]
    count: Annotated[int, Field(description="Documents in the collection.")]
    next: Annotated[str | None, Field(description="Ask for those `after` this id; null at the end.")]


class LinkBody(Strict):
    """A link in a document."""

    target: str
    anchor: str
    sentence: str


class WholeDocument(ListedDocument):
    """A document as it was understood."""

    created: str | None
    updated: str | None
    tags: list[str]
    links: list[LinkBody]
    text: str


class DocumentsLink(Strict):
    """Which documents are listed."""

    collection: CollectionName = "default"
    after: Annotated[str, Field(max_length=MAX_ID_CHARS, description="Begin after this id.")] = ""
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class DocumentLink(Strict):
    """Which document is shown. Its id is no part of the path, where clients would change what looks like one."""

    id: Annotated[
        str,
        Field(min_length=1, max_length=MAX_ID_CHARS, description="The document's id.", examples=["guide/install"]),
    ]
    collection: CollectionName = "default"


class DeleteRequest(Strict):
    """Documents to delete."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"collection": "default", "ids": ["guide/install"]}]})

    collection: CollectionName = "default"
    ids: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]], Field(min_length=1, max_length=1_000)
    ]


class DeletedBody(Strict):
    """What was deleted."""

    deleted: int
    indexed: Annotated[
        bool, Field(description="True: searches find them no more. False: as soon as the index follows.")
    ]


class ModelBody(Strict):
    """A model."""

    version: str
    fingerprint: str
    dimensions: int
    precision: str
    source: str
    uses: Annotated[list[str], Field(description="What collections use it for.")]
    said: Annotated[str, Field(description="What was last said of it, if it was compared.")]
    provenance: Annotated[dict[str, Any], Field(description="How it came about, if it was trained here.")]


class ModelsBody(Strict):
    """Every model of the home."""

    models: list[ModelBody]


class RollbackRequest(Strict):
    """A collection that is to go back to its model before."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"collection": "default"}]})

    collection: CollectionName = "default"


class PromotionRequest(RollbackRequest):
    """A collection that a model is to take over, and reasons to do so in spite of what was found."""

    force: Annotated[str, Field(max_length=500, description="Why, though its verdict does not allow it.")] = ""
    waive_canary: Annotated[
        str, Field(max_length=500, description="Why, though its canary was not asked, or fell.")
    ] = ""


class SwitchBody(Strict):
    """Which model a collection is searched with, and which one before."""

    collection: str
    model: str
    before: str
