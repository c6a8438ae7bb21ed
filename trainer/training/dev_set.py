"""What dev queries are searched in: the passages that answer them, among those that either leg takes for answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.catalog.pairs import Pair
from retrieval.types import FloatArray
from trainer.pairs.corpus import Asked, Corpus
from trainer.pairs.legs import Legs
from trainer.pairs.passages import passage_of
from trainer.training_set import DevQuery

DEPTH = 20
"""So many of each leg's first passages stand beside the answer."""
MOST_PASSAGES = 800
"""They are encoded at every evaluation; where there are more, each query has fewer of its first ones."""


@dataclass(frozen=True, slots=True)
class DevSet:
    """Queries, and the texts of the passages that they are searched in."""

    queries: Sequence[DevQuery]
    passages: Sequence[str]


def dev_set(legs: Legs, pairs: Sequence[Pair]) -> DevSet:
    """Return the queries of pairs with what they are searched in.

    Other passages of the documents that answer any of them stay out: unmasked, they would give answers away, and may
    well be some.
    """
    corpus = legs.corpus
    by_query: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_query.setdefault(pair.query, []).append(pair)
    places: dict[str, int] = {}
    queries: list[DevQuery] = []
    for query, own in by_query.items():
        texts = [passage_of(corpus.texts[corpus.rows[pair.document, pair.position]], pair.strings).text for pair in own]
        relevant = tuple(dict.fromkeys(places.setdefault(text, len(places)) for text in texts))
        queries.append(DevQuery(query, relevant, own[0].source, own[0].group))
    answering = {int(corpus.groups[corpus.rows[pair.document, pair.position]]) for pair in pairs}
    for row in _alike(corpus, legs.asked(list(by_query)), answering, MOST_PASSAGES - len(places)):
        text = corpus.texts[row]
        places.setdefault(text.chunk.embedding_text(text.title), len(places))
    return DevSet(queries, list(places))


def _alike(corpus: Corpus, asked: Asked, answering: set[int], most: int) -> list[int]:
    """Return the rows of what both legs rank first outside some groups: every query's first, then every second, ..."""
    is_open = ~np.isin(corpus.groups, list(answering))
    ranked = [
        _first(leg, is_open)
        for scores in corpus.scores(asked)
        for leg in (scores.embedding, scores.keyword)
        if len(leg)
    ]
    depth = min((found.shape[1] for found in ranked), default=0)
    in_turn = (int(row) for rank in range(depth) for found in ranked for row in found[:, rank] if row >= 0)
    return list(dict.fromkeys(in_turn))[: max(0, most)]


def _first(scores: FloatArray, is_open: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each query's first rows among those open, (b, DEPTH) at most; -1 where a keyword matches none."""
    allowed = np.where(is_open, scores, -np.inf)
    found = np.argsort(-allowed, axis=1, kind="stable")[:, :DEPTH]
    values = np.take_along_axis(allowed, found, axis=1)
    return np.where(np.isfinite(values) & (values != 0), found, -1)
