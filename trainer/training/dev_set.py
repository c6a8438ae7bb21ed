"""What dev queries are searched in: the passages that answer them, among others drawn by chance.

By chance, and not among what the base likes: passages that the base takes for answers speak against the base, and none
that only the tuned model would take for one speaks against that; dev would like whatever differs from the base. A
collection that is small enough is searched whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from retrieval.catalog import ChunkText
from retrieval.catalog.pairs import Pair
from trainer.pairs.corpus import Corpus
from trainer.pairs.legs import Legs
from trainer.pairs.offers import PairSource
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

    What answers is a document, by whichever of its passages: a mined pair names one, and the others stay out. A brought
    pair, or one of clicks, names a document: its other passages are there as well, as long as these are no more than
    half of `most`; to take the one that the base likes best would speak for the base. Whatever gives one of a
    document's queries away is hidden in all of its passages, as where it is evaluated.
    """
    corpus, found = legs.corpus, _Passages()
    hidden = _hidden(pairs)
    further = _further(corpus, pairs, seed=seed, most=most // 2)
    by_query: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_query.setdefault(pair.query, []).append(pair)
    queries: list[DevQuery] = []
    for query, own in by_query.items():
        relevant: dict[int, None] = {}
        for pair in own:
            named = corpus.rows[pair.document, pair.position]
            for row in (named, *further.get(pair.document, ())):
                masked = passage_of(corpus.texts[row], hidden.get(pair.document, ()))
                relevant[found.add(pair.document, masked.text)] = None
        queries.append(DevQuery(query, tuple(relevant), own[0].source, own[0].group))
    answering = {int(corpus.groups[corpus.rows[pair.document, pair.position]]) for pair in pairs}
    others = [corpus.texts[row] for row in np.flatnonzero(~np.isin(corpus.groups, list(answering))).tolist()]
    for text in sorted(others, key=lambda other: _chance(other, seed))[: max(0, most - len(found.places))]:
        found.add(text.document_id, text.chunk.embedding_text(text.title))
    return DevSet(queries, list(found.places), found.documents)


def _hidden(pairs: Sequence[Pair]) -> Mapping[str, Sequence[str]]:
    """Return by document what gives any of its queries away."""
    hidden: dict[str, dict[str, None]] = {}
    for pair in pairs:
        hidden.setdefault(pair.document, {}).update(dict.fromkeys(pair.strings))
    return {document: tuple(strings) for document, strings in hidden.items()}


def _further(corpus: Corpus, pairs: Sequence[Pair], *, seed: int, most: int) -> Mapping[str, Sequence[int]]:
    """Return at most `most` rows of passages beside the named ones, by document, of documents that a pair names."""
    documents = {pair.document for pair in pairs if not pair.is_mined or pair.source == PairSource.CLICKS}
    rows = [row for row, text in enumerate(corpus.texts) if text.document_id in documents]
    further: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda one: _chance(corpus.texts[one], seed))[:most]:
        further.setdefault(corpus.texts[row].document_id, []).append(row)
    return {document: sorted(found) for document, found in further.items()}


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


def _chance(text: ChunkText, seed: int) -> bytes:
    written = f"{seed}\0{text.document_id}\0{text.chunk.position}".encode("utf-8", "surrogatepass")
    return blake2b(written, digest_size=8).digest()
