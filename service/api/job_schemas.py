"""What goes over HTTP about jobs."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from retrieval.catalog.job import JobState
from service.api.schemas import CollectionName, Strict
from service.jobs.kinds import KINDS

KindName = Literal["ingest", "reindex", "embed", "evaluate", "compare", "train", "nightly", "audit"]
ABOUT_KINDS = " ".join(f"{kind.name}: {kind.about}" for kind in KINDS.values())


class JobRequest(Strict):
    """Work that is asked for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "train", "collection": "default", "parameters": {"promote": True}}]}
    )

    kind: Annotated[KindName, Field(description=ABOUT_KINDS)]
    collection: CollectionName = "default"
    parameters: Annotated[
        dict[str, Any],
        Field(default_factory=dict, description="The options of its command, by name; docs/jobs.md lists them."),
    ]


class JobBody(Strict):
    """A job as it is now."""

    id: int
    kind: str
    collection: str
    parameters: dict[str, Any]
    state: JobState
    progress: Annotated[
        dict[str, Any], Field(description="How far it is: step, text, share from 0 to 1, left_s in seconds.")
    ]
    result: Annotated[
        Any, Field(description="What came of it: what its command prints with --json. Null in a list of jobs.")
    ] = None
    error: Annotated[str | None, Field(description="Why it failed, or what it said last though it was done.")]
    attempt: Annotated[int, Field(description="How often a worker took it up.")]
    made_by: str
    worker: str | None
    is_cancelled: bool
    made_at: Annotated[str, Field(description="ISO 8601, UTC.")]
    started_at: str | None
    ended_at: str | None


class JobsBody(Strict):
    """Jobs, the newest first, without their results."""

    jobs: list[JobBody]
    next: Annotated[int | None, Field(description="Ask for `before` this id to see the older ones; null at the end.")]


class LineBody(Strict):
    """A line that a job said."""

    id: int
    at: str
    text: str


class LogBody(Strict):
    """What a job said, in order."""

    lines: list[LineBody]
    next: Annotated[int | None, Field(description="Ask for those `after` this id; null where there are no more now.")]


class JobsLink(Strict):
    """Which jobs are listed."""

    collection: Annotated[CollectionName | None, Field(description="Only of this collection.")] = None
    kind: Annotated[KindName | None, Field(description="Only of this kind.")] = None
    state: Annotated[
        list[JobState], Field(default_factory=list, description="Only in one of these states.", max_length=6)
    ]
    before: Annotated[int | None, Field(ge=1, lt=2**63, description="Only older ones than this id.")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class LogLink(Strict):
    """Which lines are asked for."""

    after: Annotated[int, Field(ge=0, lt=2**63, description="Only those after this id.")] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1_000
