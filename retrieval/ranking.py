"""From what the legs found to one ranking, by document or by chunk: pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from retrieval import fusion
from retrieval.fusion import LegDocuments, Scale
from retrieval.stores.base import Candidate
from retrieval.types import LegScore, Mode

Found = Mapping[str, Sequence[Candidate]]
"""Candidates by leg (keyword, embedding), best first."""

T = TypeVar("T")

_Seen = tuple[str, int, Candidate]
"""A leg, the rank it gave, and the candidate."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How two legs become one: by z-scores and the embedding leg's weight, or by reciprocal ranks."""

    method: str
    embedding_weight: float
    scales: Mapping[str, Scale]
    cut: frozenset[str] = frozenset()
    """The legs that had more candidates than they returned."""
    sizes: Mapping[int, int] = field(default_factory=dict)
    """How many chunks each document has; one that is not named has one."""


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
        how = replace(how, sizes={})
    legs = {leg: _documents(leg, candidates, how) for leg, candidates in found.items()}
    orders = {leg: fusion.ranked(documents.z) for leg, documents in legs.items()}
    scores = _scores(legs, orders, how)
    under = _seen_under(found)
    return Ranking(
        order=tuple(fusion.ranked(scores)),
        scores=scores,
        legs=_Made(scores, _leg_scores(orders, found)),
        passages=_Made(scores, lambda item: _passages(item, under[item], legs, how)),
    )


def led(ranking: Ranking, strengths: Mapping[int, int]) -> Ranking:
    """Return the ranking with the items that lead before the others, the strongest first."""
    order = sorted(ranking.order, key=lambda item: -strengths.get(item, 0))
    return replace(ranking, order=tuple(order))


def _documents(leg: str, candidates: Sequence[Candidate], how: Fusion) -> LegDocuments:
    if leg == Mode.KEYWORD:
        return fusion.keyword_documents(candidates, how.scales[leg], how.sizes)
    return fusion.embedding_documents(candidates, how.scales[leg], how.sizes, is_cut=leg in how.cut)


def _scores(legs: Mapping[str, LegDocuments], orders: Mapping[str, list[int]], how: Fusion) -> Mapping[int, float]:
    if len(legs) == 1:
        return next(iter(legs.values())).z
    if how.method == "rrf":
        return fusion.reciprocal_rank(list(orders.values()))
    return fusion.convex(legs[Mode.KEYWORD], legs[Mode.EMBEDDING], how.embedding_weight)


class _Made(Mapping[int, T]):
    """Values made when they are asked for: a reader looks at ten of several hundred."""

    def __init__(self, keys: Iterable[int], make: Callable[[int], T]) -> None:
        self._keys = dict.fromkeys(keys)
        self._make = make

    def __getitem__(self, key: int) -> T:
        if key not in self._keys:
            raise KeyError(key)
        return self._make(key)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _leg_scores(orders: Mapping[str, list[int]], found: Found) -> Callable[[int], dict[str, LegScore]]:
    """Return how each leg saw an item: its place by the aggregate, with its best passage's own score."""
    places = {leg: {item: place for place, item in enumerate(order, 1)} for leg, order in orders.items()}
    best = {leg: {c.document: c.score for c in reversed(candidates)} for leg, candidates in found.items()}

    def scores_of(item: int) -> dict[str, LegScore]:
        return {leg: LegScore(at[item], best[leg][item]) for leg, at in places.items() if item in at}

    return scores_of


def _seen_under(found: Found) -> dict[int, list[_Seen]]:
    under: dict[int, list[_Seen]] = {}
    for leg, candidates in found.items():
        for place, candidate in enumerate(candidates, 1):
            under.setdefault(candidate.document, []).append((leg, place, candidate))
    return under


def _passages(item: int, seen: Iterable[_Seen], legs: Mapping[str, LegDocuments], how: Fusion) -> list[RankedPassage]:
    """Return the chunks under an item, best first by their own fused score: each as if it were a document."""
    leg_scores: dict[int, dict[str, LegScore]] = {}
    alone: dict[str, dict[int, float]] = {leg: {} for leg in legs}
    for leg, place, candidate in seen:
        leg_scores.setdefault(candidate.id, {})[leg] = LegScore(place, candidate.score)
        alone[leg][candidate.id] = how.scales[leg].z(candidate.score)
    chunks = {leg: LegDocuments(z, legs[leg].floor) for leg, z in alone.items()}
    scores = _scores(chunks, {}, replace(how, method="calibrated"))
    return [RankedPassage(chunk, item, scores[chunk], leg_scores[chunk]) for chunk in fusion.ranked(scores)]
