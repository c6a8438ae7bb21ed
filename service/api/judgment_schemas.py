"""What goes over HTTP about judgment sets: queries, and the grades of the documents judged for them."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from retrieval.query import MAX_QUERY_CHARS
from service.api.schemas import MAX_ID_CHARS, CollectionName, Strict, Text
from trainer.judging import GRADES
from trainer.qrels import MAX_GRADE

MAX_QUERIES = 10_000
SCALE = ", ".join(f"{grade} {meaning}" for grade, meaning in sorted(GRADES.items()))


def _whole(value: str) -> str:
    if "\0" in value or not value.strip():
        raise ValueError("this must be some text without NUL")
    return value


Id = Annotated[Text, Field(min_length=1, max_length=MAX_ID_CHARS), AfterValidator(_whole)]
QueryText = Annotated[Text, Field(max_length=MAX_QUERY_CHARS, description="What is asked."), AfterValidator(_whole)]
SetName = Annotated[str, Field(max_length=63, description="The judgment set.", examples=["default"])]
Grade = Annotated[int, Field(ge=0, le=max(GRADES), description=SCALE)]
AnyGrade = Annotated[int, Field(ge=0, le=MAX_GRADE)]


class JudgmentSetBody(Strict):
    """A judgment set, and how far it is judged."""

    name: str
    queries: int
    sources: Annotated[dict[str, int], Field(description="Queries by where they come from.")]
    judged: Annotated[int, Field(description="Documents that have a grade.")]
    to_judge: Annotated[int, Field(description="Documents that were pooled and wait for one.")]
    created_at: str


class JudgmentSetsBody(Strict):
    """The judgment sets of a collection."""

    judgments: list[JudgmentSetBody]


class QueryBody(Strict):
    """A query of a judgment set, without its grades."""

    id: Id
    text: QueryText
    source: Annotated[Text, Field(max_length=64, description="human, log, click, ...; empty takes the request's.")] = ""
    cluster: Annotated[Text, Field(max_length=MAX_ID_CHARS, description="What correlated queries share.")] = ""
    masks: Annotated[
        dict[Id, list[Text]],
        Field(default_factory=dict, description="By document, what would give a mined query away there."),
    ]


class JudgmentsBody(Strict):
    """Queries and their judgments."""

    queries: Annotated[list[QueryBody], Field(max_length=MAX_QUERIES)]
    judgments: Annotated[
        dict[Id, dict[Id, AnyGrade]],
        Field(default_factory=dict, description="By query, then by document, a grade: 0 is judged and not relevant."),
    ]


class ImportRequest(JudgmentsBody):
    """Queries and judgments to bring; a query that is known keeps the grades for which none is brought."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "readers",
                    "queries": [{"id": "q1", "text": "how do I install it?"}],
                    "judgments": {"q1": {"guide/install": 2}},
                }
            ]
        }
    )

    collection: CollectionName = "default"
    name: SetName = "default"
    source: Annotated[
        Text | None, Field(max_length=64, description="Where queries come from that do not say so; null is human.")
    ] = None
    queries: Annotated[list[QueryBody], Field(min_length=1, max_length=MAX_QUERIES)]


class ImportedBody(Strict):
    """The set after an import, and what was left out or will never be found."""

    judgments: JudgmentSetBody
    without_text: Annotated[list[str], Field(description="Judged queries that were left out, having no text.")]
    unknown_documents: Annotated[list[str], Field(description="Judged documents that the collection does not have.")]


class ExportBody(JudgmentsBody):
    """A judgment set whole; an import takes it as it is. Pooled documents without a grade are left out."""

    name: str


class JudgmentsLink(Strict):
    """Whose judgment sets."""

    collection: CollectionName = "default"


class NextLink(JudgmentsLink):
    """Which query comes next."""

    after: Annotated[str, Field(max_length=MAX_ID_CHARS, description="The query that was judged or skipped last.")] = ""


class PoolRequest(Strict):
    """Whose documents are collected, and for how many queries at once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"depth": 10, "limit": 50}]})

    collection: CollectionName = "default"
    arms: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=160)]] | None,
        Field(
            min_length=1,
            max_length=10,
            description="keyword, embedding@VERSION, hybrid@VERSION; null takes the collection's own three.",
        ),
    ] = None
    depth: Annotated[int, Field(ge=1, le=100, description="How many of each arm's first documents.")] = 10
    limit: Annotated[int, Field(ge=1, le=200, description="Queries at the most.")] = 50
    after: Annotated[str, Field(max_length=MAX_ID_CHARS, description="Begin behind this query.")] = ""
    every_query: Annotated[bool, Field(description="Queries that have judgments too.")] = False


class PooledBody(Strict):
    """How many documents of how many queries are new to be judged."""

    documents: int
    queries: int
    next: Annotated[str | None, Field(description="Go on `after` this query; null at the end.")]


class DocumentToJudge(Strict):
    """A document of a query: nothing says who found it, or where."""

    id: str
    title: str
    url: str | None
    headings: Annotated[list[str], Field(description="The headings above the passage, outermost first.")]
    highlights: Annotated[str, Field(description="The passage that fits best as safe HTML, matches in <mark>.")]
    grade: Annotated[int | None, Field(description="Null waits for a judge.")]
    is_gone: Annotated[bool, Field(description="Whether it has left the collection.")]


class LeftBody(Strict):
    """What waits for a judge."""

    queries: int
    documents: int
    unpooled: Annotated[int, Field(description="Queries for which no document was collected yet.")]


class NextBody(Strict):
    """A query with its documents; null where nothing waits."""

    query: QueryBody | None
    documents: Annotated[list[DocumentToJudge], Field(description="In an order that gives no arm away.")]
    left: LeftBody


class GradeRequest(Strict):
    """A document's grade for a query; null takes it back, so that it waits again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": "q1", "document": "guide/install", "grade": 3}]}
    )

    collection: CollectionName = "default"
    query: Id
    document: Id
    grade: Grade | None


class GradedBody(Strict):
    """What was kept, and what stood there before: put that to undo it."""

    query: str
    document: str
    grade: int | None
    before: int | None
