"""What dev queries are searched in: the passages that answer them, among others drawn by chance.

By chance, and not among what the base likes: passages that the base takes for answers speak against the base, and none
that only the tuned model would take for one speaks against that; dev would like whatever differs from the base. A
collection that is small enough is searched whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from retrieval.catalog import ChunkText
from retrieval.catalog.pairs import Pair
from trainer.pairs.legs import Legs
from trainer.pairs.passages import passage_of
from trainer.training_set import DevQuery

LEAST_PASSAGES, MOST_PASSAGES, PASSAGES_A_PAIR = 200, 800, 8
"""They are encoded at every evaluation, which should not take longer than training does."""


@dataclass(frozen=True, slots=True)
class DevSet:
    """Queries, the texts of the passages that they are searched in, and the number of each one's document."""

    queries: Sequence[DevQuery]
    passages: Sequence[str]
    documents: Sequence[int]


def passages_for(pairs: int) -> int:
    """Return in how many passages dev is searched when so many pairs are trained on."""
    return max(LEAST_PASSAGES, min(MOST_PASSAGES, PASSAGES_A_PAIR * pairs))


def dev_set(legs: Legs, pairs: Sequence[Pair], *, seed: int, most: int = MOST_PASSAGES) -> DevSet:
    """Return the queries of pairs with what they are searched in: their answers, and others up to `most` passages.

    What answers is a document, by whichever of its passages: a mined pair names one, and the others stay out, for
    unmasked they would give answers away. A brought pair names a document, of which all passages are there; to take
    the one that the base likes best would speak for the base.
    """
    corpus, found = legs.corpus, _Passages()
    by_query: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_query.setdefault(pair.query, []).append(pair)
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(corpus.texts):
        rows.setdefault(text.document_id, []).append(row)
    queries: list[DevQuery] = []
    for query, own in by_query.items():
        relevant: dict[int, None] = {}
        for pair in own:
            named = corpus.rows[pair.document, pair.position]
            relevant[found.add(pair.document, passage_of(corpus.texts[named], pair.strings).text)] = None
            for row in [] if pair.is_mined else rows[pair.document]:
                if row != named:
                    relevant[found.add(pair.document, _written(corpus.texts[row]))] = None
        queries.append(DevQuery(query, tuple(relevant), own[0].source, own[0].group))
    answering = {int(corpus.groups[corpus.rows[pair.document, pair.position]]) for pair in pairs}
    others = [corpus.texts[row] for row in np.flatnonzero(~np.isin(corpus.groups, list(answering))).tolist()]
    for text in sorted(others, key=lambda other: _chance(other, seed))[: max(0, most - len(found.places))]:
        found.add(text.document_id, _written(text))
    return DevSet(queries, list(found.places), found.documents)


@dataclass(slots=True)
class _Passages:
    """Texts by where they stand, each once, with the number of the document that brought it."""

    places: dict[str, int] = field(default_factory=dict)
    documents: list[int] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, document: str, text: str) -> int:
        """Return where a passage stands."""
        if text not in self.places:
            self.places[text] = len(self.places)
            self.documents.append(self.numbers.setdefault(document, len(self.numbers)))
        return self.places[text]


def _written(text: ChunkText) -> str:
    return text.chunk.embedding_text(text.title)


def _chance(text: ChunkText, seed: int) -> bytes:
    written = f"{seed}\0{text.document_id}\0{text.chunk.position}".encode("utf-8", "surrogatepass")
    return blake2b(written, digest_size=8).digest()
