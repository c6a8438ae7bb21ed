"""From what the legs found to one ranking, by document or by chunk: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from retrieval import fusion
from retrieval.fusion import LegDocuments, Rows, Scale, Scores, Sizes
from retrieval.stores.base import Candidates
from retrieval.types import LegScore, Mode

Found = Mapping[str, Candidates]
"""Candidates by leg (keyword, embedding)."""


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

    def weight(self, leg: str) -> float:
        """What a leg counts where both do."""
        return self.embedding_weight if leg == Mode.EMBEDDING else 1 - self.embedding_weight


@dataclass(frozen=True, slots=True)
class Ranking:
    """Documents (or chunks, when not grouped) with their scores, best first; `explained` tells more of some."""

    order: tuple[int, ...]
    scores: Mapping[int, float]
    found: Found
    legs: Mapping[str, LegDocuments]
    how: Fusion
    strengths: Mapping[int, int] = field(default_factory=dict)
    """How strongly each item leads that has an exact identifier of the query."""

    def explained(self, items: Sequence[int]) -> dict[int, "Explained"]:
        """Return how each leg saw some ranked items, and their passages."""
        seen: dict[int, dict[str, LegScore]] = {item: {} for item in items}
        chunks: dict[int, dict[int, dict[str, LegScore]]] = {item: {} for item in items}
        wanted = np.array(items, np.int64)
        for leg, candidates in self.found.items():
            ranks = dict(zip(items, self.legs[leg].ranks(wanted), strict=True))
            for place in np.flatnonzero((candidates.documents[:, None] == wanted).any(axis=1)).tolist():
                chunk, item, score = candidates[place]
                chunks[item].setdefault(chunk, {})[leg] = LegScore(place + 1, score)
                seen[item].setdefault(leg, LegScore(ranks[item], score))  # the first is the item's best
        return {item: Explained(seen[item], self._passages(item, chunks[item])) for item in items}

    def _passages(self, item: int, chunks: Mapping[int, Mapping[str, LegScore]]) -> list["RankedPassage"]:
        passages = [RankedPassage(chunk, item, self._fused(legs), legs) for chunk, legs in chunks.items()]
        return sorted(passages, key=lambda passage: (-passage.score, passage.id))

    def _fused(self, scores: Mapping[str, LegScore]) -> float:
        """Fuse a passage's scores as if it were a document."""
        total = 0.0
        for leg, documents in self.legs.items():
            z = self.how.scales[leg].z(scores[leg].score) if leg in scores else documents.floor
            total += (self.how.weight(leg) if len(self.legs) > 1 else 1.0) * z
        return total


@dataclass(frozen=True, slots=True)
class Explained:
    """How each leg saw an item (its rank by the aggregate, its best passage's own score), and its passages."""

    legs: Mapping[str, LegScore]
    passages: Sequence["RankedPassage"]


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
    legs = {leg: _documents(leg, candidates, how) for leg, candidates in found.items()}
    scores = fusion.ranked(*_scores(legs, how))
    return Ranking(tuple(scores), scores, found, legs, how)


def led(ranking: Ranking, strengths: Mapping[int, int]) -> Ranking:
    """Return the ranking with the items that lead before the others, the strongest first."""
    order = sorted(ranking.order, key=lambda item: -strengths.get(item, 0))
    return replace(ranking, order=tuple(order), strengths=strengths)


def _documents(leg: str, candidates: Candidates, how: Fusion) -> LegDocuments:
    if leg == Mode.KEYWORD:
        return fusion.keyword_documents(candidates, how.scales[leg], how.sizes)
    return fusion.embedding_documents(candidates, how.scales[leg], how.sizes, is_cut=leg in how.cut)


def _scores(legs: Mapping[str, LegDocuments], how: Fusion) -> tuple[Rows, Scores]:
    if len(legs) == 1:
        only = next(iter(legs.values()))
        return only.documents, only.z
    if how.method == "rrf":
        return fusion.reciprocal_rank([fusion.ranked(documents.documents, documents.z) for documents in legs.values()])
    return fusion.convex(legs[Mode.KEYWORD], legs[Mode.EMBEDDING], how.embedding_weight)
