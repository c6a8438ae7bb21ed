"""How much of a search's answer is asked for, and how its ranking came about."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.cursors import MAX_CURSOR_CHARS


class AnswerOptions(BaseModel):
    """Which part of an answer is wanted, and how much of it."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[
        str, Field(max_length=MAX_CURSOR_CHARS, description="`next` of the page before, with the same search.")
    ] = ""
    explain: Annotated[bool, Field(description="Tell how the legs were fused, in `explanation`.")] = False
    texts: Annotated[bool, Field(description="False leaves the passages' texts empty; highlights stay.")] = True


class ScaleBody(BaseModel):
    """What a leg's scores are among all passages of the collection, for this query."""

    model_config = ConfigDict(extra="forbid")

    mean: float
    deviation: float


class ExplainedItemBody(BaseModel):
    """A hit's place: what each leg gave it, in deviations above the mean."""

    model_config = ConfigDict(extra="forbid")

    rank: int
    z: Annotated[dict[str, float], Field(description="By leg: the aggregate of its best passages.")]
    leads: Annotated[
        int, Field(description="Above 0 where an exact identifier of the query puts it first, whatever its score.")
    ]


class ExplanationBody(BaseModel):
    """How the legs became one ranking: with the fusion `calibrated` a score is the sum of weight times z."""

    model_config = ConfigDict(extra="forbid")

    fusion: Annotated[str, Field(description="calibrated, rrf, or none where one leg searched.")]
    weights: Annotated[dict[str, float], Field(description="What each leg counts.")]
    scales: dict[str, ScaleBody]
    candidates: Annotated[dict[str, int], Field(description="How many passages each leg gave.")]
    found: Annotated[int, Field(description="How many documents these are of: all that pages go through.")]
    items: Annotated[list[ExplainedItemBody], Field(description="In the order of the hits.")]
