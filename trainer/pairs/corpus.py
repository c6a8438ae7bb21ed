"""All chunks of a collection as both legs score them, for thousands of queries at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import Analyzer
from retrieval.catalog import Catalog, ChunkText, Collection, StoredChunk
from retrieval.keyword import Bm25, sparse
from retrieval.types import FloatArray, SparseVector
from trainer.pairs.vectors import PassageVectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # SciPy has no types

_CELLS_AT_ONCE = 1 << 22
"""Scores of one leg held at a time: 16 MB of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of queries `start` to `start + b` by every chunk, a leg each, of shape (b, n)."""

    start: int
    embedding: FloatArray
    keyword: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Queries as both legs take them: unit vectors of shape (q, d), and term weights of shape (q, t)."""

    vectors: FloatArray
    terms: "csr_matrix"


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Chunks by id: their texts, their groups as numbers, unit vectors (n, d), and BM25 weights with IDF (n, t)."""

    texts: Sequence[ChunkText]
    rows: Mapping[tuple[str, int], int]
    """Where the chunk at a position of a document is, by document id and position."""
    groups: NDArray[np.int64]
    vectors: FloatArray
    keywords: "csr_matrix"
    vocabulary: NDArray[np.uint32]
    idf: FloatArray
    bm25: Bm25
    analyzer: Analyzer

    @classmethod
    def read(
        cls, catalog: Catalog, collection: Collection, vectors: PassageVectors, groups: Mapping[str, str]
    ) -> "Corpus":
        """Read every chunk; `groups` names, by document id, each document and its near copies."""
        stored = [chunk for batch in catalog.chunks.all_stored(collection) for chunk in batch]
        texts = [text for batch in catalog.chunks.all_texts(collection) for text in batch]
        stored, texts = _in_both(stored, texts)
        config = collection.config
        bm25 = Bm25(catalog.chunks.lengths(collection)[1], config.k1, config.b)
        terms = [chunk.terms for chunk in stored]
        vocabulary, holders = np.unique(_joined([one.indices for one in terms], np.uint32), return_counts=True)
        idf = np.log1p((len(terms) - holders + 0.5) / (holders + 0.5)).astype(np.float32)
        return cls(
            texts=texts,
            rows={(text.document_id, text.chunk.position): row for row, text in enumerate(texts)},
            groups=_numbered([groups.get(text.document_id, text.document_id) for text in texts]),
            vectors=vectors.of([text.chunk.embedding_text(text.title) for text in texts]),
            keywords=_matrix([bm25.weights(one) for one in terms], vocabulary, idf),
            vocabulary=vocabulary,
            idf=idf,
            bm25=bm25,
            analyzer=Analyzer(config.language),
        )

    def asked_terms(self, queries: Sequence[str]) -> "csr_matrix":
        """Return the weights of the queries' terms, shape (q, t)."""
        terms = [sparse(self.analyzer.query_terms(query)) for query in queries]
        return _matrix(terms, self.vocabulary, np.ones_like(self.idf))

    def weighed(self, frequencies: Sequence[SparseVector]) -> "csr_matrix":
        """Return the BM25 weights with IDF of passages that are none of the chunks, of shape (m, t)."""
        return _matrix([self.bm25.weights(one) for one in frequencies], self.vocabulary, self.idf)

    def scores(self, asked: Asked) -> Iterator[Scores]:
        """Score every chunk for all queries, a block of queries at a time."""
        at_once = max(1, _CELLS_AT_ONCE // max(1, len(self.texts)))
        by_term = self.keywords.T.tocsc()
        for start in range(0, len(asked.vectors), at_once):
            rows = slice(start, start + at_once)
            yield Scores(start, asked.vectors[rows] @ self.vectors.T, (asked.terms[rows] @ by_term).toarray())

    def idf_of(self, text: str) -> float:
        """Return the IDF of the rarest term of a text that the corpus has; 0 where it has none of them."""
        ids = sparse(self.analyzer.query_terms(text)).indices
        places = np.minimum(np.searchsorted(self.vocabulary, ids), max(len(self.vocabulary) - 1, 0))
        known = self.vocabulary[places] == ids if len(self.vocabulary) else np.zeros(len(ids), bool)
        return float(self.idf[places[known]].max(initial=0.0))


def _in_both(stored: Sequence[StoredChunk], texts: Sequence[ChunkText]) -> tuple[list[StoredChunk], list[ChunkText]]:
    """Leave out chunks that came or went between the two readings."""
    common = {chunk.id for chunk in stored} & {text.id for text in texts}
    return [chunk for chunk in stored if chunk.id in common], [text for text in texts if text.id in common]


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def _joined(arrays: Sequence[NDArray[np.generic]], kind: type[np.generic]) -> NDArray[np.generic]:
    return np.concatenate(arrays) if arrays else np.zeros(0, kind)


def _matrix(vectors: Sequence[SparseVector], vocabulary: NDArray[np.uint32], factors: FloatArray) -> "csr_matrix":
    """Return sparse vectors as rows, each term's weight times its factor; terms outside the vocabulary are left out."""
    from scipy.sparse import csr_matrix

    terms = _joined([vector.indices for vector in vectors], np.uint32)
    weights = _joined([vector.values for vector in vectors], np.float32)
    rows = np.repeat(np.arange(len(vectors)), [len(vector.indices) for vector in vectors])
    columns = np.minimum(np.searchsorted(vocabulary, terms), max(len(vocabulary) - 1, 0))
    known = vocabulary[columns] == terms if len(vocabulary) else np.zeros(len(terms), bool)
    rows, columns, weights = rows[known], columns[known], weights[known]
    return csr_matrix((weights * factors[columns], (rows, columns)), shape=(len(vectors), len(vocabulary)))
