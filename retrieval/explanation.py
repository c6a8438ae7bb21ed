"""How a ranking came about: what each leg found, on what scale its scores were put, and what it counted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from retrieval.query import Query
from retrieval.ranking import Ranking
from retrieval.types import JsonValue


@dataclass(frozen=True, slots=True)
class ExplainedScale:
    """The mean and standard deviation that a leg's scores have over all chunks, for this query."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class ExplainedItem:
    """One place of the ranking: each leg's z-score of the whole item, and how strongly an exact identifier leads it."""

    rank: int
    z: Mapping[str, float]
    leads: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the legs found and how they were fused.

    With the fusion `calibrated`, an item's score is the sum over legs of weight times z. `candidates` are the passages
    that each leg gave, `found` the items that these make up. Places with `leads` above 0 come first, whatever their
    score.
    """

    fusion: str
    weights: Mapping[str, float]
    scales: Mapping[str, ExplainedScale]
    candidates: Mapping[str, int]
    found: int
    items: tuple[ExplainedItem, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the documented body."""
        return {
            "fusion": self.fusion,
            "weights": dict(self.weights),
            "scales": {leg: {"mean": scale.mean, "deviation": scale.deviation} for leg, scale in self.scales.items()},
            "candidates": dict(self.candidates),
            "found": self.found,
            "items": [{"rank": item.rank, "z": dict(item.z), "leads": item.leads} for item in self.items],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, JsonValue]) -> "Explanation":
        """Read back a body."""
        return cls(
            fusion=body["fusion"],
            weights=body["weights"],
            scales={leg: ExplainedScale(scale["mean"], scale["deviation"]) for leg, scale in body["scales"].items()},
            candidates=body["candidates"],
            found=body["found"],
            items=tuple(ExplainedItem(item["rank"], item["z"], item["leads"]) for item in body["items"]),
        )


def explanation_of(ranking: Ranking, query: Query) -> Explanation:
    """Explain the items of a ranking that the query asks for."""
    shown = ranking.order[query.offset : query.offset + query.k]
    rows = np.array(shown, np.int64)
    z = {leg: documents.at(rows).tolist() for leg, documents in ranking.legs.items()}
    is_single = len(ranking.legs) == 1
    return Explanation(
        fusion="none" if is_single else ranking.how.method,
        weights={leg: 1.0 if is_single else ranking.how.weight(leg) for leg in ranking.legs},
        scales={leg: ExplainedScale(scale.mean, scale.deviation) for leg, scale in ranking.how.scales.items()},
        candidates={leg: len(candidates) for leg, candidates in ranking.found.items()},
        found=len(ranking.order),
        items=tuple(
            ExplainedItem(query.offset + place + 1, {leg: z[leg][place] for leg in z}, ranking.strengths.get(item, 0))
            for place, item in enumerate(shown)
        ),
    )
