"""Pairs made ready to train on: their passages, and passages that look like answers to their queries.

Either these are denoised, so that none is one. Or they are what both legs together find first, whether it answers the
query or not, and each pair says what share of the query each has: the softmax of both legs' z-scores, combined as a
search combines them and divided by a temperature, with the answer as high as whatever is highest. A model that learns
these shares learns from keywords what it cannot know by itself, and no false negative is held against it.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.catalog.pairs import Pair
from retrieval.fusion import MIN_DEVIATION, Scale
from retrieval.types import FloatArray
from trainer.pairs.consistency import Positives
from trainer.pairs.corpus import Asked, Corpus
from trainer.pairs.legs import Legs
from trainer.pairs.passages import like, passage_of

DEEP: Final = 30
"""How many of the first chunks of each leg may become negatives."""
MARGIN: Final = 0.95
"""A chunk that the base likes more than this share of what it likes the answer may be an answer as well."""
GONE: Final = "its passage is gone"
"""Why a pair cannot be prepared: the document was deleted, or has fewer chunks than when the pair was made."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How negatives are drawn: how many of a pair at most, the seed, and what is denoised away.

    With a `temperature` above 0 none is; the embedding leg then counts `embedding_weight` beside the keyword leg.
    """

    most: int = 1
    seed: int = 0
    margin: float = MARGIN
    temperature: float = 0.0
    embedding_weight: float = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPairs:
    """Pairs with their passages and at most k negatives each, as texts and as the base's unit vectors.

    `targets` are each pair's shares, of its passage and of its negatives; empty where the passage has all.

    `query_vectors` and `passage_vectors` have shape (n, d), `negative_vectors` (n, k, d) with zeros where a pair has
    fewer than k. `left_out` counts by reason the pairs that were given and are not among these.
    """

    pairs: Sequence[Pair]
    passages: Sequence[str]
    negatives: Sequence[tuple[str, ...]]
    query_vectors: FloatArray
    passage_vectors: FloatArray
    negative_vectors: FloatArray
    targets: Sequence[tuple[float, ...]]
    left_out: Mapping[str, int]


def prepared(legs: Legs, pairs: Iterable[Pair], *, known: Iterable[Pair], drawing: Drawing) -> PreparedPairs:
    """Return pairs with the passages they want, masked, and their hard negatives; the model of the legs is the base.

    `known` are all pairs of the collection, which say what else answers a query. What has no vector yet is embedded,
    and kept so.

    A negative is of no document that a pair of this query names as its answer, nor of a near copy. The legs take turns,
    from one that the seed draws, and it draws one of the leg's first `DEEP` chunks that the base likes less than
    `margin` times the answer. Where none is left, the best one further down is taken; where there is none at all, the
    pair stays and has fewer negatives. What a passage loses by masking, its title or last heading, its negatives lose
    as well.
    """
    given = list(pairs)
    rows = legs.corpus.rows
    kept = [pair for pair in given if (pair.document, pair.position) in rows]
    drawn = _Negatives(legs, [*known, *given], drawing)
    return drawn.prepared(kept, Counter({GONE: len(given) - len(kept)} if len(kept) < len(given) else {}))


_Drawn = tuple[list[int], tuple[float, ...]]
"""The corpus' rows of a pair's negatives, and its targets."""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What both legs make of every chunk for one query, shape (n,), and of the passage that answers it."""

    embedding: FloatArray
    keyword: FloatArray
    liked: float
    matched: float

    def fused(self, embedding_weight: float) -> tuple[FloatArray, float]:
        """Return every chunk's score by both legs, shape (n,), and the answer's: z-scores over the chunks, combined."""
        e, k = _scale(self.embedding), _scale(self.keyword)
        chunks = embedding_weight * ((self.embedding - e.mean) / e.deviation) + (1 - embedding_weight) * (
            (self.keyword - k.mean) / k.deviation
        )
        return chunks, embedding_weight * e.z(self.liked) + (1 - embedding_weight) * k.z(self.matched)


def _scale(scores: FloatArray) -> Scale:
    return Scale(float(scores.mean()), max(float(scores.std()), MIN_DEVIATION))


class _Negatives:
    """Draws negatives over one collection."""

    def __init__(self, legs: Legs, known: Iterable[Pair], drawing: Drawing) -> None:
        self._legs = legs
        self._drawing = drawing
        self._answers = _answers(legs.corpus, known)

    def prepared(self, pairs: Sequence[Pair], left_out: Mapping[str, int]) -> PreparedPairs:
        corpus = self._legs.corpus
        rows = [corpus.rows[pair.document, pair.position] for pair in pairs]
        texts = [corpus.texts[row] for row in rows]
        passages = [passage_of(text, pair.strings) for text, pair in zip(texts, pairs, strict=True)]
        asked = self._legs.asked([pair.query for pair in pairs])
        positives = self._legs.positives(passages, rows)
        drawn = self._drawn(pairs, asked, positives)
        negatives = [
            tuple(like(corpus.texts[row], text, pair.strings).text for row in others)
            for (others, _), text, pair in zip(drawn, texts, pairs, strict=True)
        ]
        return PreparedPairs(
            pairs,
            positives.texts,
            negatives,
            asked.vectors,
            positives.vectors,
            self._vectors(negatives),
            [targets for _, targets in drawn],
            left_out,
        )

    def _drawn(self, pairs: Sequence[Pair], asked: Asked, positives: Positives) -> list[_Drawn]:
        if not self._drawing.most:
            return [([], ()) for _ in pairs]
        liked, matched = positives.liked(asked), positives.matched(asked)
        draw = self._graded if self._drawing.temperature else self._denoised
        return [
            draw(
                pairs[row],
                _Found(scores.embedding[at], scores.keyword[at], float(liked[row]), float(matched[row])),
            )
            for scores in self._legs.corpus.scores(asked)
            for at, row in enumerate(range(scores.start, scores.start + len(scores.embedding)))
        ]

    def _others(self, pair: Pair) -> NDArray[np.bool_]:
        return ~np.isin(self._legs.corpus.groups, list(self._answers[_key(pair.query)]))

    def _chance(self, pair: Pair) -> random.Random:
        return random.Random(f"{self._drawing.seed} {pair.query} {pair.document}")  # noqa: S311 - a sample, no secret

    def _graded(self, pair: Pair, found: _Found) -> _Drawn:
        fused, answer = found.fused(self._drawing.embedding_weight)
        first = _best(np.where(self._others(pair), fused, -np.inf))
        rows = self._chance(pair).sample(first, min(self._drawing.most, len(first)))
        scores = np.array([max(answer, *fused[first].tolist()) if first else answer, *fused[rows].tolist()])
        shares = np.exp((scores - scores.max()) / self._drawing.temperature)
        return rows, tuple((shares / shares.sum()).round(6).tolist())

    def _denoised(self, pair: Pair, found: _Found) -> _Drawn:
        embedding, keyword, liked = found.embedding, found.keyword, found.liked
        others = self._others(pair)
        is_none = embedding < liked - (1 - self._drawing.margin) * abs(liked)
        chance = self._chance(pair)
        legs = [[row for row in _first(scores, others) if is_none[row]] for scores in (embedding, keyword)]
        drawn = list(islice(by_turns(legs, chance), self._drawing.most))
        further = np.flatnonzero(others & is_none)
        while len(drawn) < self._drawing.most and len(further := further[~np.isin(further, drawn)]):
            drawn.append(int(further[np.argmax(embedding[further])]))
        return drawn, ()

    def _vectors(self, negatives: Sequence[Sequence[str]]) -> FloatArray:
        most = self._drawing.most
        vectors = np.zeros((len(negatives), most, self._legs.encoder.dimensions), np.float32)
        places = [(row, place) for row, texts in enumerate(negatives) for place in range(len(texts))]
        found = self._legs.vectors.of([negatives[row][place] for row, place in places])
        for (row, place), vector in zip(places, found, strict=True):
            vectors[row, place] = vector
        return vectors


def _answers(corpus: Corpus, pairs: Iterable[Pair]) -> Mapping[str, set[int]]:
    """Return the groups that hold an answer to each query, as the corpus numbers them."""
    numbers = {text.document_id: int(group) for text, group in zip(corpus.texts, corpus.groups, strict=True)}
    answers: dict[str, set[int]] = defaultdict(set)
    for pair in pairs:
        if pair.document in numbers:
            answers[_key(pair.query)].add(numbers[pair.document])
    return answers


def _key(query: str) -> str:
    return " ".join(query.casefold().split())


def _best(scores: FloatArray) -> list[int]:
    """Return the rows of the `DEEP` highest scores above minus infinity, best first."""
    best = np.argpartition(-scores, DEEP)[:DEEP] if len(scores) > DEEP else np.arange(len(scores))
    best = best[np.isfinite(scores[best])]
    order: list[int] = best[np.lexsort((best, -scores[best]))].tolist()
    return order


def _first(scores: FloatArray, allowed: NDArray[np.bool_]) -> list[int]:
    """Return the rows of the first chunks of a leg, best first; a chunk that a leg gives 0 or less it does not find."""
    found = np.where(allowed & (scores > 0), scores, 0)
    deep = min(DEEP, int(np.count_nonzero(found)))
    best = np.argpartition(-found, max(deep - 1, 0))[:deep] if deep < len(found) else np.flatnonzero(found)
    order: list[int] = best[np.lexsort((best, -found[best]))].tolist()
    return order


def by_turns(legs: Sequence[list[int]], chance: random.Random) -> Iterator[int]:
    """Draw from one leg and then from the other, each row once; where one has none left, from the other alone."""
    turn = chance.randrange(len(legs))
    drawn: set[int] = set()
    while any(left := [[row for row in leg if row not in drawn] for leg in legs]):
        own = left[turn % len(left)] or left[(turn + 1) % len(left)]
        row = chance.choice(own)
        drawn.add(row)
        yield row
        turn += 1
