"""Give each pair that people bring the chunk of its document that answers it best."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.catalog import ChunkText, Collection
from retrieval.catalog.pairs import Pair
from retrieval.home import Home
from retrieval.types import FloatArray
from trainer.known_items.masks import masked, word_count
from trainer.known_items.objections import LEAST_LEFT
from trainer.pairs.files import Brought
from trainer.pairs.legs import Legs
from trainer.pairs.material import groups_by_document
from trainer.pairs.vectors import OnProgress, silent

LEAST_HIDDEN: Final = 4
"""Words of a query that is hidden where it stands in its passage: a shorter one is a name that passages may say."""


@dataclass(frozen=True, slots=True)
class PlacedPairs:
    """Pairs with their chunks, and the documents that the collection does not have, each once."""

    pairs: Sequence[Pair]
    unknown: Sequence[str]


def placed(
    home: Home, collection: Collection, brought: Sequence[Brought], *, on_progress: OnProgress = silent
) -> PlacedPairs:
    """Return pairs whose positive is the chunk that both legs together like best, of those of the document named.

    A leg's scores count in standard deviations over all chunks, with the collection's weights of the legs. A long query
    that stands in its passage word for word is hidden there.
    """
    groups = groups_by_document(home.catalog, collection)
    legs = Legs.of(home, collection, groups, on_progress)
    return placed_by(legs, groups, brought, collection.config.embedding_weight)


def placed_by(legs: Legs, groups: Mapping[str, str], brought: Sequence[Brought], share: float) -> PlacedPairs:
    """Do the same by legs that are there already; `share` is what the embedding leg counts."""
    there = {text.document_id for text in legs.corpus.texts}
    known = [one for one in brought if one.document in there]
    best = _best(legs, known, share)
    pairs = [_pair(one, text, groups[one.document]) for one, text in zip(known, best, strict=True)]
    return PlacedPairs(pairs, tuple(dict.fromkeys(one.document for one in brought if one.document not in there)))


def _best(legs: Legs, brought: Sequence[Brought], share: float) -> list[ChunkText]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(legs.corpus.texts):
        rows[text.document_id].append(row)
    best: list[ChunkText] = []
    for scores in legs.corpus.scores(legs.asked([one.query for one in brought])):
        fused = share * _standard(scores.embedding) + (1 - share) * _standard(scores.keyword)
        for at, one in enumerate(brought[scores.start : scores.start + len(fused)]):
            own = rows[one.document]
            best.append(legs.corpus.texts[own[int(np.argmax(fused[at, own]))]])
    return best


def _standard(scores: FloatArray) -> FloatArray:
    """Return scores in standard deviations from their mean, query by query."""
    spread: NDArray[np.floating] = scores.std(axis=1, keepdims=True)
    return np.asarray((scores - scores.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6), np.float32)


def _pair(one: Brought, text: ChunkText, group: str) -> Pair:
    strings = (one.query,) if _is_said(one.query, text) else ()
    return Pair(one.query, one.document, text.chunk.position, one.source, one.weight, group, strings)


def _is_said(query: str, text: ChunkText) -> bool:
    """Tell whether a query stands in a passage whole, and the passage says more than that."""
    if word_count(query) < LEAST_HIDDEN:
        return False
    whole = text.chunk.embedding_text(text.title)
    left = masked(whole, [query])
    return left != whole and word_count(left) >= LEAST_LEFT
