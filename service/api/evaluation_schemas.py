"""What goes over HTTP about evaluations and votes."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from retrieval.catalog.votes import Preferred
from service.api.schemas import CollectionName, Strict
from service.found import FoundBy

ArmName = Annotated[str, Field(min_length=1, max_length=160)]


class EvaluationRequest(Strict):
    """Arms to be measured by judged queries, or two of them to be compared."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "compare", "a": "keyword", "b": "hybrid", "judgments": "readers"}]}
    )

    kind: Annotated[
        Literal["evaluate", "compare"], Field(description="evaluate measures `arms`; compare asks if `b` is better.")
    ]
    collection: CollectionName = "default"
    judgments: Annotated[
        str | None, Field(max_length=63, description="A judgment set; null takes default, or the only one.")
    ] = None
    arms: Annotated[
        list[ArmName] | None, Field(min_length=1, max_length=20, description="To evaluate; null takes the usual ones.")
    ] = None
    a: Annotated[ArmName | None, Field(description="To compare: the arm there is.")] = None
    b: Annotated[ArmName | None, Field(description="To compare: the arm that must be better.")] = None
    also: Annotated[list[ArmName] | None, Field(max_length=20, description="Further arms to compare with a.")] = None
    minimum_effect: Annotated[float | None, Field(ge=0, le=0.5, description="The least difference worth having.")] = (
        None
    )
    slice_by: Annotated[str | None, Field(max_length=200, description="A metadata field to slice by.")] = None

    def parameters(self) -> dict[str, Any]:
        """Return what the job is told."""
        told = self.model_dump(exclude={"kind", "collection"}, exclude_none=True)
        return {name: ",".join(value) if isinstance(value, list) else value for name, value in told.items()}


class EvaluationBody(Strict):
    """Something that was found."""

    id: str
    kind: FoundBy
    collection: str
    judgments: Annotated[str, Field(description="The judgment set; empty where it is not known.")]
    headline: str
    verdict: Annotated[str | None, Field(description="What was said of the first arm against the second.")]
    arms: Annotated[list[str], Field(description="What it is about, the arm that was tried first.")]
    version: Annotated[str | None, Field(description="The model that a training made.")]
    made_at: Annotated[str, Field(description="ISO 8601, UTC.")]
    job: Annotated[int | None, Field(description="The job that found it, if it was one.")]
    page: Annotated[str, Field(description="Where a person reads it.")]


class EvaluationsBody(Strict):
    """What was found, the newest first."""

    evaluations: list[EvaluationBody]
    next: Annotated[str | None, Field(description="Ask for those `after` this; null at the end.")]


class WholeEvaluation(EvaluationBody):
    """Something that was found, whole."""

    content: Annotated[dict[str, Any], Field(description="What its command prints with --json; docs/report.md.")]


class EvaluationsLink(Strict):
    """Which findings are listed."""

    collection: Annotated[CollectionName | None, Field(description="Only of this collection.")] = None
    kind: Annotated[FoundBy | None, Field(description="Only of this kind.")] = None
    model: Annotated[str, Field(max_length=160, description="Only those about this model.")] = ""
    after: Annotated[str, Field(max_length=200, description="Only older ones: `next`, or the id of one there is.")] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class VoteBody(Strict):
    """A vote of somebody who saw two arms side by side, without names."""

    id: int
    query: str
    a: str
    b: str
    preferred: Annotated[Preferred, Field(description="a or b is better, both are equal, or both are bad.")]
    on_left: Annotated[str, Field(description="Which arm stood on the left: a or b.")]
    a_shown: Annotated[list[str], Field(description="Ids of the documents that arm a showed, in order.")]
    b_shown: list[str]
    made_by: str
    made_at: str


class VotesBody(Strict):
    """Votes, the newest first."""

    votes: list[VoteBody]
    next: Annotated[int | None, Field(description="Ask for those `before` this id; null at the end.")]


class VotesLink(Strict):
    """Which votes are listed."""

    collection: CollectionName = "default"
    a: Annotated[str, Field(max_length=160, description="With b: only those between two arms.")] = ""
    b: Annotated[str, Field(max_length=160)] = ""
    before: Annotated[int | None, Field(ge=1, lt=2**63, description="Only older ones than this id.")] = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class TallyLink(Strict):
    """Whose votes are counted."""

    collection: CollectionName = "default"


class TallyBody(Strict):
    """What the votes on two arms say. A query counts once, for the arm that most of its voters prefer."""

    a: str
    b: str
    votes: int
    wins_a: Annotated[int, Field(description="Queries for which a is better.")]
    wins_b: int
    ties: Annotated[int, Field(description="Queries that prefer neither.")]
    p: Annotated[float, Field(description="Of the exact sign test over queries, two-sided, ties left out.")]
    anytime_p: Annotated[float, Field(description="The same, valid however often somebody looked at the tally.")]
    is_settled: Annotated[bool, Field(description="Whether anytime_p is below .05.")]
    preferred: Annotated[str | None, Field(description="The arm that is preferred; null while nobody can tell.")]
    more: Annotated[int | None, Field(description="Further decided queries that would settle it if the share stayed.")]
    left_chosen: Annotated[int, Field(description="Of `sided` votes for one side, those for the left one.")]
    sided: int
    reading: Annotated[str, Field(description="All of it in a sentence.")]


class TalliesBody(Strict):
    """Every pair of arms that was voted on."""

    tallies: list[TallyBody]
