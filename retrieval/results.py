"""What a search returns, and the one JSON body it has on the command line and over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.types import Hit, JsonValue, LegScore, Passage


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first, with what it took and what to tell the reader.

    `arm` names what ranked them (hybrid@VERSION, ...); `did_you_mean` maps a word the corpus does not know, as typed,
    to known ones; `notes` are sentences for people.
    """

    query: str
    hits: tuple[Hit, ...]
    arm: str
    timings_ms: Mapping[str, float]
    did_you_mean: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, JsonValue]:
        """Return the documented body."""
        return {
            "query": self.query,
            "hits": [_hit(hit) for hit in self.hits],
            "timings_ms": {stage: round(ms, 3) for stage, ms in self.timings_ms.items()},
            "arm": self.arm,
            "did_you_mean": {word: list(known) for word, known in self.did_you_mean.items()},
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, JsonValue]) -> "SearchResult":
        """Read back a body, such as one that a running service sent."""
        return cls(
            query=body["query"],
            hits=tuple(_read_hit(hit) for hit in body["hits"]),
            arm=body["arm"],
            timings_ms=body["timings_ms"],
            did_you_mean={word: tuple(known) for word, known in body.get("did_you_mean", {}).items()},
            notes=tuple(body.get("notes", ())),
        )


def _hit(hit: Hit) -> dict[str, JsonValue]:
    document = {"id": hit.document_id, "title": hit.title, "url": hit.url, "metadata": dict(hit.metadata)}
    return {
        "rank": hit.rank,
        "score": hit.score,
        "document": document,
        "legs": _legs(hit.legs),
        "passages": [_passage(passage) for passage in hit.passages],
    }


def _passage(passage: Passage) -> dict[str, JsonValue]:
    return {
        "chunk_id": passage.chunk_id,
        "headings": list(passage.headings),
        "text": passage.text,
        "highlights": passage.highlights,
        "score": passage.score,
        "legs": _legs(passage.legs),
    }


def _legs(legs: Mapping[str, LegScore]) -> dict[str, JsonValue]:
    return {name: {"rank": leg.rank, "score": leg.score} for name, leg in legs.items()}


def _read_hit(hit: Mapping[str, JsonValue]) -> Hit:
    document = hit["document"]
    return Hit(
        rank=hit["rank"],
        score=hit["score"],
        document_id=document["id"],
        title=document["title"],
        url=document["url"],
        metadata=document["metadata"],
        passages=_read_passages(hit["passages"]),
        legs=_read_legs(hit["legs"]),
    )


def _read_passages(passages: Sequence[Mapping[str, JsonValue]]) -> tuple[Passage, ...]:
    return tuple(
        Passage(p["chunk_id"], tuple(p["headings"]), p["text"], p["highlights"], p["score"], _read_legs(p["legs"]))
        for p in passages
    )


def _read_legs(legs: Mapping[str, JsonValue]) -> dict[str, LegScore]:
    return {name: LegScore(leg["rank"], leg["score"]) for name, leg in legs.items()}
