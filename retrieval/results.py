"""What a search returns, and the one JSON body it has on the command line and over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.explanation import Explanation
from retrieval.types import Hit, JsonValue, LegScore, Passage


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first, with what it took and what to tell the reader.

    `arm` names what ranked them (hybrid@VERSION, ...); `did_you_mean` maps a word the corpus does not know, as typed,
    to known ones; `notes` are sentences for people. A service gives each answer a `query_id`, for feedback, and where
    there is more to show, `next`: what to ask for it with.

    `found` is all that was ranked, as rows of documents (of chunks when not grouped); it is not part of the body.
    """

    query: str
    hits: tuple[Hit, ...]
    arm: str
    timings_ms: Mapping[str, float]
    did_you_mean: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    query_id: str | None = None
    next: str | None = None
    explanation: Explanation | None = None
    found: tuple[int, ...] = field(default=(), compare=False)

    def to_json(self, *, texts: bool = True) -> dict[str, JsonValue]:
        """Return the documented body; without `texts`, those of passages are empty."""
        explained = {"explanation": self.explanation.to_json()} if self.explanation else {}
        return {
            "query_id": self.query_id,
            "query": self.query,
            "hits": [_hit(hit, texts=texts) for hit in self.hits],
            "timings_ms": {stage: round(ms, 3) for stage, ms in self.timings_ms.items()},
            "arm": self.arm,
            "did_you_mean": {word: list(known) for word, known in self.did_you_mean.items()},
            "notes": list(self.notes),
            "next": self.next,
            **explained,
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
            query_id=body.get("query_id"),
            next=body.get("next"),
            explanation=Explanation.from_json(body["explanation"]) if "explanation" in body else None,
        )


def _hit(hit: Hit, *, texts: bool) -> dict[str, JsonValue]:
    document = {"id": hit.document_id, "title": hit.title, "url": hit.url, "metadata": dict(hit.metadata)}
    return {
        "rank": hit.rank,
        "score": hit.score,
        "document": document,
        "legs": _legs(hit.legs),
        "passages": [_passage(passage, texts=texts) for passage in hit.passages],
    }


def _passage(passage: Passage, *, texts: bool) -> dict[str, JsonValue]:
    return {
        "chunk_id": passage.chunk_id,
        "headings": list(passage.headings),
        "text": passage.text if texts else "",
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
