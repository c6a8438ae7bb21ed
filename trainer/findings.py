"""What a comparison of arms found: values that the verdict, the report and the JSON share. Nothing here computes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

MEASURE = "ndcg@10"
"""What arms are compared by."""
MINIMUM_EFFECT = 0.01
"""The least difference of a mean worth having, unless the owner says otherwise."""


class Verdict(StrEnum):
    """What is said of B against A."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference worth having"
    CANNOT_TELL = "cannot tell yet"


@dataclass(frozen=True, slots=True)
class Contrast:
    """B minus A over paired queries, and what chance alone would do.

    `low` and `high` bound the 95 % interval of `effect`; `p` is two-sided, `adjusted_p` after Holm's correction over
    the contrasts declared beforehand. `more_queries` is how many further ones would settle it; 0 when it is settled,
    None when no number within reason would. `d_z` is Cohen's for paired samples, None without spread.
    """

    effect: float
    low: float
    high: float
    p: float
    adjusted_p: float
    d_z: float | None
    queries: int
    clusters: int
    wins: int
    ties: int
    losses: int
    more_queries: int | None


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """An arm's means over all queries, by measure, with the 95 % interval of the measure that arms are compared by."""

    arm: str
    measures: Mapping[str, float]
    queries: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SliceResult:
    """The contrast over some of the queries; `regressed` when it is worse there, which vetoes `better`."""

    name: str
    contrast: Contrast
    regressed: bool


@dataclass(frozen=True, slots=True)
class TopHit:
    """A document as an arm ranked it. `excerpt` is HTML whose only tags are <mark>; `grade` None was never judged."""

    rank: int
    document: str
    title: str
    excerpt: str
    grade: int | None


@dataclass(frozen=True, slots=True)
class ChangedQuery:
    """A query whose measure changed most: its values and both arms' first hits."""

    query: str
    text: str
    source: str
    a: float
    b: float
    a_hits: Sequence[TopHit]
    b_hits: Sequence[TopHit]


@dataclass(frozen=True, slots=True)
class Cost:
    """What an arm costs here. None where it does not apply, such as encoding for an arm without a model."""

    arm: str
    encode_s_per_1000_chunks: float | None
    embed_corpus_s: float | None
    bytes_per_chunk: float
    query_p50_ms: Mapping[str, float]
    """By stage: encode, keyword, embedding, fuse, total."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A on one judgment set."""

    a: str
    b: str
    verdict: Verdict
    reasons: Sequence[str]
    """Why it is that verdict, a sentence each, the most important first."""
    contrast: Contrast
    slices: Sequence[SliceResult]
    changed: Sequence[ChangedQuery]
    differences: Mapping[str, float]
    """B minus A of every query, by query id."""


@dataclass(frozen=True, slots=True)
class Report:
    """Arms measured on one judgment set, and the comparisons of them declared beforehand, the main one first."""

    collection: str
    documents: int
    chunks: int
    judgments: str
    sources: Mapping[str, int]
    """Queries by source: human, log, click, mined:title, ...; mined ones are never called anything else."""
    judged_documents: int
    measure: str
    minimum_effect: float
    arms: Sequence[ArmSummary]
    comparisons: Sequence[Comparison]
    costs: Sequence[Cost]
    made_at: str
    """UTC, ISO 8601."""
    versions: Mapping[str, str]
    """Of Tandem, Python, and what the figures depend on."""
    concerns: Sequence[str] = field(default_factory=tuple)
    """What makes the figures mean less than they seem, a sentence each."""
