"""What goes over HTTP to help readers: facets, suggestions, contexts, feedback."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from retrieval.catalog.searches import FeedbackKind
from retrieval.completion import MAX_PREFIX_CHARS, CompletionKind
from retrieval.query import MAX_K, MAX_QUERY_CHARS
from retrieval.types import Mode
from service.api.schemas import MAX_ID_CHARS, Clause, CollectionName, ModelVersion, Strict, Text

MAX_FIELDS, MAX_VALUES = 10, 100
MAX_SUGGESTIONS = 20
MAX_CONTEXT_DOCUMENTS, MAX_NEIGHBOURS = 50, 5
LEAST_TOKENS, MAX_TOKENS = 200, 100_000

FieldNames = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    Field(
        min_length=1,
        max_length=MAX_FIELDS,
        description="Fields of the metadata to count; `tags`, `created` and `updated` are fields too.",
        examples=[["kind"]],
    ),
]
ValueLimit = Annotated[int, Field(ge=1, le=MAX_VALUES, description="Values of each field at the most.")]
Asked = Annotated[
    Text, Field(max_length=MAX_QUERY_CHARS, description="Count over what this finds; empty: over the whole collection.")
]
JsonFilter = Annotated[dict[str, Any] | None, Field(description="A metadata filter, as that of a search.")]


class FacetsLink(Strict):
    """Which metadata is counted, in a link."""

    field: FieldNames
    q: Asked = ""
    collection: CollectionName = "default"
    mode: Annotated[Mode, Field(description="Which legs search.")] = Mode.HYBRID
    where: Annotated[
        list[Clause],
        Field(
            max_length=100, default_factory=list, description="Metadata filters, as those of a search; all must hold."
        ),
    ]
    model: ModelVersion = ""
    limit: ValueLimit = 20


class FacetsRequest(Strict):
    """Which metadata is counted."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"fields": ["kind", "tags"], "query": "event loop", "limit": 10}]}
    )

    fields: FieldNames
    query: Asked = ""
    collection: CollectionName = "default"
    mode: Annotated[Mode, Field(description="Which legs search.")] = Mode.HYBRID
    where: JsonFilter = None
    model: ModelVersion = ""
    limit: ValueLimit = 20


class ValueBody(Strict):
    """A value, and how many documents have it."""

    value: str | bool | int | float
    count: int


class RangeBody(Strict):
    """Numbers from `gte` on and below `lt`: a filter with these bounds finds them."""

    gte: float
    lt: float
    count: int


class NumbersBody(Strict):
    """The numbers of a field."""

    min: float
    max: float
    ranges: Annotated[list[RangeBody], Field(description="About eight even ones, those without a number left out.")]


class YearBody(Strict):
    """Dates of one year, in UTC."""

    year: int
    count: int


class FacetBody(Strict):
    """What a field holds. A document with several values counts for each of them."""

    field: str
    values: Annotated[list[ValueBody], Field(description="The most frequent first; dates are counted by year instead.")]
    others: Annotated[int, Field(description="How many more values there are, dates not counted.")]
    numbers: Annotated[NumbersBody | None, Field(description="Null where it has no number.")]
    years: Annotated[list[YearBody], Field(description="The newest first.")]


class FacetsBody(Strict):
    """Counts, and over what they are."""

    over: Annotated[
        Literal["found", "collection"],
        Field(description="found: the documents that the legs' first 150 passages each are of; collection: all."),
    ]
    documents: Annotated[
        int | None,
        Field(
            description="How many documents were looked at; null with a filter over a collection, where an index is."
        ),
    ]
    facets: Annotated[list[FacetBody], Field(description="In the order of the fields.")]


class SuggestLink(Strict):
    """What is typed so far."""

    prefix: Annotated[Text, Field(max_length=MAX_PREFIX_CHARS, description="As typed so far.", examples=["posix_fa"])]
    collection: CollectionName = "default"
    limit: Annotated[int, Field(ge=1, le=MAX_SUGGESTIONS)] = 8


class SuggestionBody(Strict):
    """A query that what is typed may become: plain text, to be escaped where it is shown."""

    text: str
    kind: Annotated[
        CompletionKind, Field(description="spelling: no word begins so, and this one is written nearly like it.")
    ]
    count: Annotated[int, Field(description="How many documents have the title, or passages the word or heading.")]


class SuggestionsBody(Strict):
    """What a prefix may become, the most useful first."""

    prefix: str
    suggestions: list[SuggestionBody]


class ContextRequest(Strict):
    """A question whose answer a language model is to find in passages."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": "run a blocking function", "tokens": 1500, "k": 5}]}
    )

    query: Annotated[Text, Field(min_length=1, max_length=MAX_QUERY_CHARS, description="What to look for.")]
    tokens: Annotated[
        int,
        Field(
            ge=LEAST_TOKENS,
            le=MAX_TOKENS,
            description="How many tokens `text` may have, counted by the collection's own embedding model.",
        ),
    ] = 2_000
    k: Annotated[int, Field(ge=1, le=MAX_CONTEXT_DOCUMENTS, description="Documents at the most.")] = 5
    neighbours: Annotated[
        int, Field(ge=0, le=MAX_NEIGHBOURS, description="Chunks before and after each passage that may come with it.")
    ] = 1
    mode: Annotated[Mode, Field(description="Which legs search.")] = Mode.HYBRID
    collection: CollectionName = "default"
    where: JsonFilter = None
    model: ModelVersion = ""


class ContextDocument(Strict):
    """The document that a source is from."""

    id: str
    title: str
    url: str | None


class SourceBody(Strict):
    """A stretch of a document, and its marker in the text."""

    number: Annotated[int, Field(description="Its marker is this number in brackets.")]
    rank: Annotated[int, Field(description="The document's rank.")]
    score: float
    document: ContextDocument
    headings: Annotated[list[str], Field(description="The headings above its beginning, outermost first.")]
    chunk_ids: list[int]
    text: str
    is_cut: Annotated[bool, Field(description="Whether it is the beginning of a passage too long for the budget.")]


class ContextBody(Strict):
    """Passages to answer from. They are what documents say, and no instructions: give them to a model as data."""

    query_id: Annotated[str | None, Field(description="For feedback; null where searches are not logged.")]
    query: str
    text: Annotated[str, Field(description="Every source under its marker, [1], [2], ...")]
    tokens: Annotated[int, Field(description="How many tokens the text has by the collection's own model.")]
    sources: Annotated[list[SourceBody], Field(description="By rank.")]
    arm: str
    notes: list[str]


class FeedbackRequest(Strict):
    """What a reader made of an answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"query_id": "4Yv0m0Y3lqk1o8Hc1J2bVA", "document": "guide/install", "kind": "click"}]
        }
    )

    query_id: Annotated[str, Field(min_length=1, max_length=32, description="That of the answer.")]
    kind: Annotated[FeedbackKind, Field(description="A thumb takes back the opposite one.")]
    document: Annotated[
        Text,
        Field(max_length=MAX_ID_CHARS, description="A document that it showed; empty is the answer as a whole."),
    ] = ""
    rank: Annotated[
        int | None, Field(ge=1, le=MAX_K, description="Where the reader saw it; by default its rank in the answer.")
    ] = None


class FeedbackBody(Strict):
    """What became of it."""

    recorded: Annotated[bool, Field(description="False: the same was said of this answer before.")]
