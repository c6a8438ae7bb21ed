"""From what the legs found to one ranking, by document or by chunk: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from retrieval import fusion
from retrieval.fusion import LegDocuments, Scale
from retrieval.stores.base import Candidate
from retrieval.types import LegScore, Mode

Found = Mapping[str, Sequence[Candidate]]
"""Candidates by leg (keyword, embedding), best first."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How two legs become one: by z-scores and the embedding leg's weight, or by reciprocal ranks."""

    method: str
    embedding_weight: float
    scales: Mapping[str, Scale]
    cut: frozenset[str] = frozenset()
    """The legs that had more candidates than they returned."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Documents (or chunks, when not grouped) best first, how each leg saw them, and every passage's fused score."""

    order: tuple[int, ...]
    scores: Mapping[int, float]
    legs: Mapping[int, Mapping[str, LegScore]]
    passages: Mapping[int, Sequence["RankedPassage"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedPassage:
    """A chunk under a ranked item."""

    id: int
    document: int
    score: float
    legs: Mapping[str, LegScore]


def rank(found: Found, how: Fusion, *, group: bool) -> Ranking:
    """Rank what the legs found, by document when `group`, else by chunk."""
    if not group:
        found = {leg: [replace(c, document=c.id) for c in candidates] for leg, candidates in found.items()}
    scores = _scores(found, how)
    legs: dict[int, dict[str, LegScore]] = {}
    for leg, candidates in found.items():
        for place, (item, score) in enumerate(_leg_order(leg, candidates, how), 1):
            legs.setdefault(item, {})[leg] = LegScore(place, score)
    return Ranking(tuple(fusion.ranked(scores)), scores, legs, _passages(found, how))


def led(ranking: Ranking, strengths: Mapping[int, int]) -> Ranking:
    """Return the ranking with the items that lead before the others, the strongest first."""
    order = sorted(ranking.order, key=lambda item: -strengths.get(item, 0))
    return replace(ranking, order=tuple(order))


def _scores(found: Found, how: Fusion) -> dict[int, float]:
    if how.method == "rrf" and len(found) > 1:
        orders = [[item for item, _ in _leg_order(leg, candidates, how)] for leg, candidates in found.items()]
        return fusion.reciprocal_rank(orders)
    legs = {leg: _documents(leg, candidates, how) for leg, candidates in found.items()}
    if len(legs) == 1:
        return dict(next(iter(legs.values())).z)
    return fusion.convex(legs[Mode.KEYWORD], legs[Mode.EMBEDDING], how.embedding_weight)


def _documents(leg: str, candidates: Sequence[Candidate], how: Fusion) -> LegDocuments:
    if leg == Mode.KEYWORD:
        return fusion.keyword_documents(candidates, how.scales[leg])
    return fusion.embedding_documents(candidates, how.scales[leg], is_cut=leg in how.cut)


def _leg_order(leg: str, candidates: Sequence[Candidate], how: Fusion) -> list[tuple[int, float]]:
    """Return a leg's items, best first by the aggregate, each with its best passage's own score."""
    z = _documents(leg, candidates, how).z
    best: dict[int, float] = {}
    for candidate in candidates:
        best.setdefault(candidate.document, candidate.score)
    return [(item, best[item]) for item in fusion.ranked(z)]


def _passages(found: Found, how: Fusion) -> dict[int, list[RankedPassage]]:
    """Return the chunks under each item, best first by their own fused score."""
    chunks = {leg: [replace(c, document=c.id) for c in candidates] for leg, candidates in found.items()}
    documents = {c.id: c.document for candidates in found.values() for c in candidates}
    scores = _scores(chunks, replace(how, method="calibrated"))
    legs: dict[int, dict[str, LegScore]] = {}
    for leg, candidates in found.items():
        for place, candidate in enumerate(candidates, 1):
            legs.setdefault(candidate.id, {})[leg] = LegScore(place, candidate.score)
    grouped: dict[int, list[RankedPassage]] = {}
    for chunk in fusion.ranked(scores):
        document = documents[chunk]
        grouped.setdefault(document, []).append(RankedPassage(chunk, document, scores[chunk], legs[chunk]))
    return grouped
