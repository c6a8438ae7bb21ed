"""What goes over HTTP. Unknown fields are refused; limits are stated in the schema."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from retrieval.query import MAX_K, MAX_QUERY_CHARS
from retrieval.types import Mode

MAX_DOCUMENTS = 1_000
MAX_TEXT_CHARS = 5_000_000


class Strict(BaseModel):
    """A body in which every field is known."""

    model_config = ConfigDict(extra="forbid")


class SearchRequest(Strict):
    """A search."""

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS, examples=["cancel a running task"])]
    k: Annotated[int, Field(ge=1, le=MAX_K, description="Hits at the most.")] = 10
    mode: Mode = Mode.HYBRID
    collection: str = "default"
    where: Annotated[
        dict[str, Any] | None,
        Field(description="A metadata filter.", examples=[{"field": "kind", "any_of": ["function", "method"]}]),
    ] = None
    group: Annotated[bool, Field(description="Rank documents; false ranks plain chunks.")] = True


class LegBody(Strict):
    """Where one leg put it: rank from 1, and the leg's own score."""

    rank: int
    score: float


class PassageBody(Strict):
    """A passage under a hit; `highlights` is safe HTML with the matches in <mark>."""

    chunk_id: int
    headings: list[str]
    text: str
    highlights: str
    score: float
    legs: dict[str, LegBody]


class HitDocument(Strict):
    """The document of a hit."""

    id: str
    title: str
    url: str | None
    metadata: dict[str, Any]


class HitBody(Strict):
    """A document found, with its best passages."""

    rank: int
    score: float
    document: HitDocument
    legs: dict[str, LegBody]
    passages: list[PassageBody]


class SearchBody(Strict):
    """What a search found; the same body as `tandem search --json`."""

    query: str
    hits: list[HitBody]
    timings_ms: dict[str, float]
    arm: str
    did_you_mean: dict[str, list[str]]
    notes: list[str]


class DocumentBody(Strict):
    """A document to keep; one with the same id is replaced."""

    id: Annotated[str, Field(min_length=1, max_length=2_000, examples=["guide/install"])]
    title: Annotated[str, Field(max_length=1_000)] = ""
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
    format: Literal["markdown", "html", "text"] = "markdown"
    url: Annotated[str | None, Field(max_length=2_000)] = None
    created: Annotated[str | None, Field(max_length=40, description="ISO 8601.")] = None
    updated: Annotated[str | None, Field(max_length=40, description="ISO 8601.")] = None
    tags: Annotated[list[str], Field(max_length=100)] = []
    metadata: dict[str, Any] = {}


class DocumentsRequest(Strict):
    """Documents to keep."""

    collection: str = "default"
    documents: Annotated[list[DocumentBody], Field(min_length=1, max_length=MAX_DOCUMENTS)]


class FailureBody(Strict):
    """A document that was not kept, and why."""

    id: str
    reason: str


class DocumentsBody(Strict):
    """What became of the documents: `indexed` says whether they are searchable already."""

    kept: int
    chunks: int
    embedded: int
    failures: list[FailureBody]
    indexed: bool


class ProblemBody(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
