"""Known-item queries are asked of documents that do not give them away: the strings of a query are hidden in them.

A query mined from a title would find its document by the title alone, whatever the arm. So while it is searched, the
document's chunks are replaced by what they would be without these strings: analysed again, embedded again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexer.fields import indexed_text
from retrieval.analysis import Analyzer
from retrieval.catalog import Catalog, ChunkText, Collection, text_hash
from retrieval.encoder import Encoder
from retrieval.filters import Filter
from retrieval.keyword import Bm25, chunk_frequencies
from retrieval.stores.base import Candidates, EmbeddingLeg, Leg, Point
from retrieval.stores.memory import MemoryStore
from retrieval.stores.segment import unit
from retrieval.types import SparseVector
from trainer.known_items import masked

Masks = Mapping[str, Sequence[str]]
"""document id -> the strings hidden in it."""


@dataclass(frozen=True, slots=True)
class MaskedText:
    """A chunk without what gives a query away: its point's id, what is analysed, and what is embedded."""

    id: int
    document: int
    title: str
    terms: SparseVector
    embedding_text: str


class MaskedTexts:
    """The chunks of masked documents, for all queries of a set; each is made once, however it is weighed later."""

    def __init__(self, catalog: Catalog, collection: Collection, masks: Mapping[str, Masks]) -> None:
        """Read the chunks of every document in `masks`, which are by query."""
        self._analyzer = Analyzer(collection.config.language)
        self._masks = masks
        wanted = {document for hidden in masks.values() for document in hidden}
        self._chunks: dict[str, list[ChunkText]] = {}
        for texts in catalog.chunks.all_texts(collection) if wanted else ():
            for text in texts:
                if text.document_id in wanted:
                    self._chunks.setdefault(text.document_id, []).append(text)
        self._rows = {key: row for row, key in catalog.documents.rows(collection, wanted).items()}

    @cached_property
    def by_query(self) -> dict[str, list[MaskedText]]:
        """The masked chunks of each query that hides something."""
        made = {
            query: [
                self._masked(chunk, strings)
                for document, strings in hidden.items()
                for chunk in self._chunks.get(document, ())
            ]
            for query, hidden in self._masks.items()
        }
        return {query: texts for query, texts in made.items() if texts}

    def _masked(self, text: ChunkText, strings: Sequence[str]) -> MaskedText:
        title = masked(text.title, strings)
        headings = tuple(masked(heading, strings) for heading in text.chunk.headings)
        chunk = replace(text.chunk, headings=headings, text=masked(text.chunk.text, strings))
        # Without the document's id: the words of its path are those of its title.
        terms = chunk_frequencies(self._analyzer, indexed_text("", title, chunk))
        return MaskedText(text.id, self._rows[text.document_id], title, terms, chunk.embedding_text(title))


def embed_masked(catalog: Catalog, encoder: Encoder, texts: Iterable[str]) -> None:
    """Embed the masked texts that the model has not embedded yet; they are kept as all embeddings are."""
    by_hash = {text_hash(text): text for text in texts}
    known = catalog.embeddings.known(encoder.passage_fingerprint, by_hash)
    missing = [key for key in by_hash if key not in known]
    if missing:
        vectors = encoder.encode_passages([by_hash[key] for key in missing])
        catalog.embeddings.put(encoder.passage_fingerprint, dict(zip(missing, vectors, strict=True)))


class MaskedStore(MemoryStore):
    """An exact store in which some points can be replaced for the next searches, at the price of scoring these alone.

    Document frequencies stay those of the store as it is: one document more or less changes no ranking.
    """

    def __init__(self) -> None:
        super().__init__()
        self._hidden: list[Point] = []
        self.titles: Mapping[int, str] = {}

    def hide(self, points: Sequence[Point], titles: Mapping[int, str] | None = None) -> None:
        """Search as if the store held these points in place of its own with the same ids, their documents titled so."""
        self._hidden = list(points)
        self.titles = titles or {}

    def search(self, legs: Sequence[Leg], limit: int, where: Filter | None = None) -> list[Candidates]:
        """Answer as the store with the replaced points would."""
        if not self._hidden:
            return super().search(legs, limit, where)
        ids = np.array([point.id for point in self._hidden], np.int64)
        found = super().search(legs, limit + len(ids), where)
        return [self._replaced(leg, one, ids)[:limit] for leg, one in zip(legs, found, strict=True)]

    def _replaced(self, leg: Leg, found: Candidates, ids: NDArray[np.int64]) -> Candidates:
        kept = ~np.isin(found.ids, ids)
        own = [(point, score) for point in self._hidden if (score := self._score(leg, point)) is not None]
        return Candidates.ranked(
            [*found.ids[kept].tolist(), *(point.id for point, _ in own)],
            [*found.documents[kept].tolist(), *(point.document for point, _ in own)],
            [*found.scores[kept].tolist(), *(score for _, score in own)],
        )

    def _score(self, leg: Leg, point: Point) -> float | None:
        """Score a point as the store does; None where it is no candidate."""
        if isinstance(leg, EmbeddingLeg):
            vector = point.vectors.get(leg.name)
            return None if vector is None else float(unit(leg.vector) @ vector)
        terms, mine, asked = np.intersect1d(
            point.terms.indices, leg.terms.indices, assume_unique=True, return_indices=True
        )
        if not len(terms):
            return None
        idf = np.array([self.idf(int(term)) for term in terms], np.float32)
        return float((point.terms.values[mine] * leg.terms.values[asked] * idf).sum())


def masked_points(
    catalog: Catalog, texts: Sequence[MaskedText], bm25: Bm25, fingerprints: Iterable[str]
) -> list[Point]:
    """Return the points of masked texts, whose embeddings the catalog has."""
    hashes = {text.id: text_hash(text.embedding_text) for text in texts}
    vectors = {name: catalog.embeddings.get(name, set(hashes.values())) for name in fingerprints}
    return [
        Point(
            id=text.id,
            document=text.document,
            terms=bm25.weights(text.terms),
            vectors={name: found[hashes[text.id]] for name, found in vectors.items()},
        )
        for text in texts
    ]
