"""Pairs made ready to train on: their passages, and passages that look like answers to their queries and are none."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.catalog.pairs import Pair
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
    """How negatives are drawn: how many of a pair at most, what is denoised away, and the seed."""

    most: int = 1
    seed: int = 0
    margin: float = MARGIN


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPairs:
    """Pairs with their passages and at most k negatives each, as texts and as the base's unit vectors.

    `query_vectors` and `passage_vectors` have shape (n, d), `negative_vectors` (n, k, d) with zeros where a pair has
    fewer than k. `left_out` counts by reason the pairs that were given and are not among these.
    """

    pairs: Sequence[Pair]
    passages: Sequence[str]
    negatives: Sequence[tuple[str, ...]]
    query_vectors: FloatArray
    passage_vectors: FloatArray
    negative_vectors: FloatArray
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
            for others, text, pair in zip(drawn, texts, pairs, strict=True)
        ]
        return PreparedPairs(
            pairs,
            positives.texts,
            negatives,
            asked.vectors,
            positives.vectors,
            self._vectors(negatives),
            left_out,
        )

    def _drawn(self, pairs: Sequence[Pair], asked: Asked, positives: Positives) -> list[list[int]]:
        """Return the corpus' rows of each pair's negatives."""
        if not self._drawing.most:
            return [[] for _ in pairs]
        liked = positives.liked(asked)
        return [
            self._of(
                pairs[scores.start + at], scores.embedding[at], scores.keyword[at], float(liked[scores.start + at])
            )
            for scores in self._legs.corpus.scores(asked)
            for at in range(len(scores.embedding))
        ]

    def _of(self, pair: Pair, embedding: FloatArray, keyword: FloatArray, liked: float) -> list[int]:
        others = ~np.isin(self._legs.corpus.groups, list(self._answers[_key(pair.query)]))
        is_none = embedding < liked - (1 - self._drawing.margin) * abs(liked)
        chance = random.Random(f"{self._drawing.seed} {pair.query} {pair.document}")  # noqa: S311 - a sample, no secret
        legs = [[row for row in _first(scores, others) if is_none[row]] for scores in (embedding, keyword)]
        drawn = list(islice(by_turns(legs, chance), self._drawing.most))
        further = np.flatnonzero(others & is_none)
        while len(drawn) < self._drawing.most and len(further := further[~np.isin(further, drawn)]):
            drawn.append(int(further[np.argmax(embedding[further])]))
        return drawn

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
