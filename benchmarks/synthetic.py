"""A made-up body of writing of any size: words by Zipf's law, vectors scattered around those of real texts.

Drawing takes nothing away that search would meet in a real corpus: it sees a catalog like any other.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.apply import IndexOwner
from retrieval.analysis import Analyzer
from retrieval.catalog import Batch, Catalog, Collection, DocumentRecord, IndexedChunk, text_hash
from retrieval.catalog.rows import in_batches
from retrieval.encoder import Encoder
from retrieval.keyword import IndexedText, chunk_frequencies, length
from retrieval.types import Block, BlockKind, Chunk, Document, FloatArray

WORDS: Final = 50_000
WORDS_A_CHUNK: Final = 60
CHUNKS_A_DOCUMENT: Final = 5
CENTRES: Final = 256
SCATTER: Final = 0.7
"""Length of the noise added to a centre of length 1: neighbours then have cosines of about .67."""
DOCUMENTS_A_BATCH: Final = 200


class Writing:
    """Draws words, texts and vectors; the same seed gives the same writing."""

    def __init__(self, encoder: Encoder, seed: int = 7) -> None:
        """Encodes CENTRES texts, which takes some seconds with a real model."""
        self._random = np.random.default_rng(seed)
        self._encoder = encoder
        syllables = ["".join(pair) for pair in product("bdfgklmnprstvz", "aeiou")]
        picked = self._random.permutation(len(syllables) ** 3)[:WORDS]
        self.words = [_word(int(number), syllables) for number in picked]
        shares = 1 / np.arange(1, WORDS + 1)
        self._shares: NDArray[np.float64] = shares / shares.sum()
        self._centres = encoder.encode_passages([self._text() for _ in range(CENTRES)])

    def _text(self, words: int = WORDS_A_CHUNK) -> str:
        return " ".join(self.words[place] for place in self._random.choice(WORDS, words, p=self._shares))

    def query(self) -> str:
        """Return two to five different words, rare ones among them."""
        places = self._random.choice(WORDS, int(self._random.integers(2, 6)), p=self._shares)
        return " ".join(dict.fromkeys(self.words[place] for place in places))

    def vectors(self, count: int) -> FloatArray:
        """Return unit vectors of shape (count, d)."""
        centres = self._centres[self._random.integers(0, CENTRES, count)]
        noise = self._random.normal(size=centres.shape)
        scattered = centres + SCATTER * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        unit: FloatArray = (scattered / np.linalg.norm(scattered, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def documents(self, first: int, last: int) -> Iterator[DocumentRecord]:
        """Yield documents number `first` to `last` - 1."""
        analyzer = Analyzer()
        for number in range(first, last):
            title = self._text(4)
            texts = [self._text() for _ in range(CHUNKS_A_DOCUMENT)]
            blocks = tuple(Block(BlockKind.PARAGRAPH, text) for text in texts)
            chunks = tuple(_chunk(analyzer, title, place, text) for place, text in enumerate(texts))
            yield DocumentRecord(Document(f"doc-{number}", title, blocks), f"doc-{number}", chunks)


def _word(number: int, syllables: list[str]) -> str:
    size = len(syllables)
    return syllables[number % size] + syllables[number // size % size] + syllables[number // size**2]


def _chunk(analyzer: Analyzer, title: str, position: int, text: str) -> IndexedChunk:
    chunk = Chunk(position, (), text, 3 * WORDS_A_CHUNK)
    terms = chunk_frequencies(analyzer, IndexedText(title, (), text))
    return IndexedChunk(chunk, text_hash(chunk.embedding_text(title)), terms, length(terms))


def grow(index: IndexOwner, writing: Writing, fingerprint: str, chunks: int) -> None:
    """Write documents into the catalog until it has this many chunks, and apply them to the index."""
    catalog, collection = index.catalog, index.collection
    present = catalog.documents.count(collection)
    for records in in_batches(writing.documents(present, chunks // CHUNKS_A_DOCUMENT), DOCUMENTS_A_BATCH):
        _put(catalog, collection, fingerprint, records, writing)
        index.apply_pending()


def _put(
    catalog: Catalog, collection: Collection, fingerprint: str, records: list[DocumentRecord], writing: Writing
) -> None:
    hashes = [chunk.text_hash for record in records for chunk in record.chunks]
    catalog.embeddings.put(fingerprint, dict(zip(hashes, writing.vectors(len(hashes)), strict=True)))
    catalog.documents.put(collection, Batch("synthetic", records), Analyzer().words)
