"""From what the legs found to one ranking, by document or by chunk: pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

from retrieval import fusion
from retrieval.fusion import LegDocuments, Rows, Scale, Scores, Sizes
from retrieval.stores.base import Candidates
from retrieval.types import LegScore, Mode

Found = Mapping[str, Candidates]
"""Candidates by leg (keyword, embedding)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fusion:
    """How two legs become one: by z-scores and the embedding leg's weight, or by reciprocal ranks."""

    method: str
    embedding_weight: float
    scales: Mapping[str, Scale]
    cut: frozenset[str] = frozenset()
    """The legs that had more candidates than they returned."""
    sizes: Sizes = field(default_factory=lambda: Sizes.of({}))
    """How many chunks each document has."""


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
        found = {leg: replace(candidates, documents=candidates.ids) for leg, candidates in found.items()}
        how = replace(how, sizes=Sizes.of({}))
    seen = _Seen(found, {leg: _documents(leg, candidates, how) for leg, candidates in found.items()}, how)
    scores = fusion.ranked(*_scores(seen))
    return Ranking(
        order=tuple(scores),
        scores=scores,
        legs=_Made(scores, seen.leg_scores),
        passages=_Made(scores, seen.passages),
    )


def led(ranking: Ranking, strengths: Mapping[int, int]) -> Ranking:
    """Return the ranking with the items that lead before the others, the strongest first."""
    order = sorted(ranking.order, key=lambda item: -strengths.get(item, 0))
    return replace(ranking, order=tuple(order))


def _documents(leg: str, candidates: Candidates, how: Fusion) -> LegDocuments:
    if leg == Mode.KEYWORD:
        return fusion.keyword_documents(candidates, how.scales[leg], how.sizes)
    return fusion.embedding_documents(candidates, how.scales[leg], how.sizes, is_cut=leg in how.cut)


def _scores(seen: "_Seen") -> tuple[Rows, Scores]:
    if len(seen.legs) == 1:
        only = next(iter(seen.legs.values()))
        return only.documents, only.z
    if seen.how.method == "rrf":
        return fusion.reciprocal_rank(list(seen.ranks.values()))
    return fusion.convex(seen.legs[Mode.KEYWORD], seen.legs[Mode.EMBEDDING], seen.how.embedding_weight)


@dataclass(frozen=True)
class _Seen:
    """What the legs saw, told of one item at a time."""

    found: Found
    legs: Mapping[str, LegDocuments]
    how: Fusion

    @cached_property
    def ranks(self) -> dict[str, dict[int, int]]:
        """Return by leg the rank of each of its items, best first."""
        orders = {leg: fusion.ranked(documents.documents, documents.z) for leg, documents in self.legs.items()}
        return {leg: {item: rank for rank, item in enumerate(order, 1)} for leg, order in orders.items()}

    def leg_scores(self, item: int) -> dict[str, LegScore]:
        """Return how each leg saw an item: its place by the aggregate, with its best passage's own score."""
        return {
            leg: LegScore(ranks[item], next(self._places[leg].of(item)).score)
            for leg, ranks in self.ranks.items()
            if item in ranks
        }

    def passages(self, item: int) -> list["RankedPassage"]:
        """Return the chunks under an item, best first by their own fused score: each as if it were a document."""
        leg_scores: dict[int, dict[str, LegScore]] = {}
        for leg, places in self._places.items():
            for place in places.of(item):
                leg_scores.setdefault(place.chunk, {})[leg] = LegScore(place.rank, place.score)
        passages = [RankedPassage(chunk, item, self._fused(legs), legs) for chunk, legs in leg_scores.items()]
        return sorted(passages, key=lambda passage: (-passage.score, passage.id))

    @cached_property
    def _places(self) -> dict[str, "_Places"]:
        return {leg: _Places(candidates) for leg, candidates in self.found.items()}

    def _fused(self, scores: Mapping[str, LegScore]) -> float:
        parts = (
            self._weights[leg] * (self.how.scales[leg].z(scores[leg].score) if leg in scores else documents.floor)
            for leg, documents in self.legs.items()
        )
        return sum(parts, 0.0)

    @cached_property
    def _weights(self) -> dict[str, float]:
        if len(self.legs) == 1:
            return dict.fromkeys(self.legs, 1.0)
        return {Mode.KEYWORD: 1 - self.how.embedding_weight, Mode.EMBEDDING: self.how.embedding_weight}


class _Place(NamedTuple):
    rank: int
    chunk: int
    score: float


class _Places:
    """Where a leg has each item's chunks: the first place of each, and of each place the next one of the same item."""

    def __init__(self, candidates: Candidates) -> None:
        self._ids, self._scores = candidates.ids.tolist(), candidates.scores.tolist()
        items = candidates.documents.tolist()
        self._first: dict[int, int] = {}
        self._next: list[int | None] = [None] * len(items)
        for place in range(len(items) - 1, -1, -1):
            item = items[place]
            self._next[place] = self._first.get(item)
            self._first[item] = place

    def of(self, item: int) -> Iterator[_Place]:
        """Yield the places of an item's chunks, best first."""
        place = self._first.get(item)
        while place is not None:
            yield _Place(place + 1, self._ids[place], self._scores[place])
            place = self._next[place]


class _Made(Mapping[int, T]):
    """Values made when they are asked for: a reader looks at ten of several hundred."""

    def __init__(self, keys: Mapping[int, object], make: Callable[[int], T]) -> None:
        self._keys = keys
        self._make = make

    def __getitem__(self, key: int) -> T:
        if key not in self._keys:
            raise KeyError(key)
        return self._make(key)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
