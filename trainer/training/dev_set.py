"""What dev queries are searched in: the passages that answer them, among others drawn by chance.

By chance, and not among what the base likes: passages that the base takes for answers speak against the base, and none
that only the tuned model would take for one speaks against that; dev would like whatever differs from the base. A
collection that is small enough is searched whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from retrieval.catalog import ChunkText
from retrieval.catalog.pairs import Pair
from trainer.pairs.legs import Legs
from trainer.pairs.passages import passage_of
from trainer.training_set import DevQuery

MOST_PASSAGES = 800
"""They are encoded at every evaluation."""


@dataclass(frozen=True, slots=True)
class DevSet:
    """Queries, and the texts of the passages that they are searched in."""

    queries: Sequence[DevQuery]
    passages: Sequence[str]


def dev_set(legs: Legs, pairs: Sequence[Pair], *, seed: int) -> DevSet:
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
    others = [corpus.texts[row] for row in np.flatnonzero(~np.isin(corpus.groups, list(answering))).tolist()]
    for text in sorted(others, key=lambda other: _chance(other, seed))[: max(0, MOST_PASSAGES - len(places))]:
        places.setdefault(text.chunk.embedding_text(text.title), len(places))
    return DevSet(queries, list(places))


def _chance(text: ChunkText, seed: int) -> bytes:
    written = f"{seed}\0{text.document_id}\0{text.chunk.position}".encode("utf-8", "surrogatepass")
    return blake2b(written, digest_size=8).digest()
