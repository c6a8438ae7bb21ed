"""What goes over HTTP. Unknown fields are refused; limits are stated in the schema."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator

from retrieval.filters import instant
from retrieval.query import MAX_K, MAX_QUERY_CHARS
from retrieval.types import JsonValue, Mode
from service.api.answer_schemas import AnswerOptions, ExplanationBody
from service.problems import faults

MAX_DOCUMENTS = 1_000
MAX_TEXT_CHARS = 5_000_000
MAX_METADATA_DEPTH = 20
MAX_COLLECTION_CHARS = 63
MAX_WHERE_CHARS = 2_000
MAX_ID_CHARS = 2_000
_SURROGATE = re.compile("[\ud800-\udfff]")


def _valid(value: object) -> object:
    """Replace lone surrogates, which a client that cuts text in the middle of an emoji sends."""
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _storable_id(value: str) -> str:
    if "\0" in value or not value.strip():
        raise ValueError("an id is some text without NUL, and comes back as it was sent")
    return value


def _date(value: str | None) -> str | None:
    if value is not None and instant(value) is None:
        raise ValueError("write a date as ISO 8601, such as 2024-05-31 or 2024-05-31T10:00:00+02:00")
    return value


def _link(value: str | None) -> str | None:
    scheme, separator, _ = (value or "").partition(":")
    if separator and "/" not in scheme and scheme.strip().lower() not in ("http", "https"):
        raise ValueError("a url begins with http:// or https://, or is a path")
    return value


def shallow(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return metadata as it is; raises ValueError for one that nests too deep."""
    level: list[JsonValue] = [value]
    for _ in range(MAX_METADATA_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise ValueError(f"metadata nests deeper than {MAX_METADATA_DEPTH} levels")
    return value


def _inside(value: JsonValue) -> list[JsonValue]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


Text = Annotated[str, BeforeValidator(_valid)]
CollectionName = Annotated[
    str, Field(max_length=MAX_COLLECTION_CHARS, description="Which collection.", examples=["default"])
]
ModelVersion = Annotated[
    str, Field(max_length=200, description="The version of an embedding model; empty takes the collection's own.")
]
Clause = Annotated[str, Field(max_length=MAX_WHERE_CHARS)]


class Strict(BaseModel):
    """A body in which every field is known."""

    model_config = ConfigDict(extra="forbid")


class SearchLink(AnswerOptions):
    """A search in a link."""

    q: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=MAX_QUERY_CHARS,
            description="What to look for.",
            examples=["run a blocking function"],
        ),
    ]
    k: Annotated[int, Field(ge=1, le=MAX_K, description="Hits at the most.")] = 10
    mode: Annotated[Mode, Field(description="Which legs search.")] = Mode.HYBRID
    collection: CollectionName = "default"
    where: Annotated[
        list[Clause],
        Field(
            description="A metadata filter: k=v, k!=v, k>v, k>=v, k<v, k<=v, k (is present) or !k. Repeat it: all must "
            "hold.",
            max_length=100,
            examples=[["kind=function"]],
        ),
    ] = []  # noqa: RUF012  # pydantic copies it
    group: Annotated[bool, Field(description="Rank documents; false ranks plain chunks.")] = True
    model: ModelVersion = ""


class SearchRequest(AnswerOptions):
    """A search."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "query": "run a blocking function",
                    "k": 5,
                    "where": {"field": "kind", "any_of": ["function", "method"]},
                }
            ]
        }
    )

    query: Annotated[Text, Field(min_length=1, max_length=MAX_QUERY_CHARS, description="What to look for.")]
    k: Annotated[int, Field(ge=1, le=MAX_K, description="Hits at the most.")] = 10
    mode: Annotated[Mode, Field(description="Which legs search.")] = Mode.HYBRID
    collection: CollectionName = "default"
    where: Annotated[
        dict[str, Any] | None,
        Field(
            description='A metadata filter: {"field": F} with one of "equals", "any_of", "exists" or bounds out of '
            '"gt", "gte", "lt", "lte"; combined by {"and": [...]}, {"or": [...]} and {"not": ...}.'
        ),
    ] = None
    group: Annotated[bool, Field(description="Rank documents; false ranks plain chunks.")] = True
    model: ModelVersion = ""


class LegBody(Strict):
    """Where one leg put it: rank from 1, and the leg's own score."""

    rank: int
    score: float


class PassageBody(Strict):
    """A passage under a hit."""

    chunk_id: int
    headings: Annotated[list[str], Field(description="The headings above it, outermost first.")]
    text: str
    highlights: Annotated[str, Field(description="The text around the matches as safe HTML, these in <mark>.")]
    score: float
    legs: Annotated[dict[str, LegBody], Field(description="By leg: keyword, embedding.")]


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
    legs: Annotated[dict[str, LegBody], Field(description="By leg: keyword, embedding.")]
    passages: list[PassageBody]


class SearchBody(Strict):
    """What a search found; the same body as `tandem search --json`."""

    query_id: Annotated[str | None, Field(description="For feedback; null where searches are not logged.")]
    query: str
    hits: Annotated[list[HitBody], Field(description="Best first.")]
    timings_ms: Annotated[dict[str, float], Field(description="Milliseconds by stage.")]
    arm: Annotated[str, Field(description="What ranked: keyword, embedding@VERSION or hybrid@VERSION.")]
    did_you_mean: Annotated[dict[str, list[str]], Field(description="Known words for each unknown one.")]
    notes: Annotated[list[str], Field(description="Sentences for people.")]
    next: Annotated[str | None, Field(description="The `cursor` of the next page; null at the end.")]
    explanation: Annotated[ExplanationBody | None, Field(description="Only where asked for.")] = None


class DocumentBody(Strict):
    """A document to keep; one with the same id is replaced."""

    id: Annotated[
        str,
        Field(min_length=1, max_length=MAX_ID_CHARS, description="Yours; it comes back unchanged."),
        AfterValidator(_storable_id),
    ]
    title: Annotated[Text, Field(max_length=1_000, description="Empty takes the text's first heading or line.")] = ""
    text: Annotated[Text, Field(max_length=MAX_TEXT_CHARS)]
    format: Annotated[Literal["markdown", "html", "text"], Field(description="How to read the text.")] = "markdown"
    url: Annotated[
        Text | None, Field(max_length=2_000, description="Where a reader opens it."), AfterValidator(_link)
    ] = None
    created: Annotated[str | None, Field(max_length=40, description="ISO 8601."), AfterValidator(_date)] = None
    updated: Annotated[str | None, Field(max_length=40, description="ISO 8601."), AfterValidator(_date)] = None
    tags: Annotated[list[Text], Field(max_length=100)] = []
    metadata: Annotated[
        dict[str, Any], Field(description="Any JSON; searches can filter by it."), AfterValidator(shallow)
    ] = {}


@dataclass(frozen=True, slots=True)
class Refused:
    """A document that does not fit the schema, and why; the others of its request are kept."""

    id: str
    reason: str


def _or_refused(value: object, validate: Callable[[object], DocumentBody]) -> DocumentBody | Refused:
    try:
        return validate(value)
    except ValidationError as error:
        given = value.get("id") if isinstance(value, dict) else None
        shown = str(_valid(given))[:MAX_ID_CHARS] if isinstance(given, str) else ""
        return Refused(shown, str(_valid(faults(error.errors(), "document")))[:1_000])


class DocumentsRequest(Strict):
    """Documents to keep; of two with the same id the last one stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "documents": [
                        {
                            "id": "guide/install",
                            "text": "# Installing\n\nRun `make setup`.",
                            "url": "https://example.com/guide/install",
                            "metadata": {"section": "guide"},
                        }
                    ]
                }
            ]
        }
    )

    collection: Annotated[CollectionName, Field(description="Which collection; it is made if it is not there.")] = (
        "default"
    )
    documents: Annotated[
        list[Annotated[DocumentBody, WrapValidator(_or_refused)]], Field(min_length=1, max_length=MAX_DOCUMENTS)
    ]

    def parted(self) -> tuple[list[DocumentBody], list[Refused]]:
        """Return the documents that fit the schema, and those that do not."""
        parts: list[DocumentBody | Refused] = list(self.documents)
        fit = [part for part in parts if isinstance(part, DocumentBody)]
        return fit, [part for part in parts if isinstance(part, Refused)]


class FailureBody(Strict):
    """A document that was not kept, and why."""

    id: str
    reason: str


class DocumentsBody(Strict):
    """What became of the documents."""

    kept: Annotated[int, Field(description="Documents that are new or have changed.")]
    unchanged: Annotated[int, Field(description="Documents that were there already, word for word.")]
    chunks: Annotated[int, Field(description="Passages made of those kept.")]
    embedded: Annotated[int, Field(description="Passages whose text the model had not seen.")]
    failures: list[FailureBody]
    indexed: Annotated[
        bool, Field(description="True: all are searchable. False: safe, and searchable once the index's owner is done.")
    ]


class HealthBody(Strict):
    """The process answers."""

    status: Literal["ok"]
    version: str


class ReadyBody(Strict):
    """Whether everything can be searched."""

    status: Literal["ready", "not ready"]
    missing: Annotated[list[str], Field(description="What is missing, as sentences.")]


class ProblemBody(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: Annotated[str, Field(examples=["Not Found"])]
    status: Annotated[int, Field(examples=[404])]
    detail: Annotated[str, Field(description="What failed, the value seen, and what to do next.")]


class DocumentsProblem(ProblemBody):
    """No document was kept: each one's reason is in `failures`."""

    failures: list[FailureBody] = []
