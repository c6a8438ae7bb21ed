"""BM25 as sparse vectors: what a chunk stores, and what a query asks. The store applies the IDF.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), section 3.2; fields as in
Robertson, Zaragoza and Taylor, "Simple BM25 Extension to Multiple Weighted Fields" (CIKM 2004): the term frequencies
of the fields are weighted and summed *before* saturation, as if the title stood in the text twice, and the length is
the sum of the same weighted frequencies. Adding saturated field scores instead would reward a word for standing in
every field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np

from retrieval.analysis import Analyzer
from retrieval.types import SparseVector

CACHED_TERM_IDS: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class FieldWeights:
    """How much an occurrence counts by where it stands; one in the body counts 1 by convention."""

    title: float = 2.0
    headings: float = 1.5
    body: float = 1.0


@dataclass(frozen=True, slots=True)
class IndexedText:
    """The fields of a chunk that keywords match.

    `title` may hold more than the title, such as the words of a path; a heading that repeats it is not counted again.
    """

    title: str
    headings: tuple[str, ...]
    body: str


@lru_cache(maxsize=CACHED_TERM_IDS)
def term_id(term: str) -> int:
    """Return a term's 32-bit id: the first four bytes of its BLAKE2b digest, the same on every machine and run.

    Two of V terms share an id with odds of about V / 2**32 for a given term: one query term in 4,300 collides with some
    other word of a million-word vocabulary, and its score then counts both words.
    """
    digest = blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "little")


def chunk_frequencies(analyzer: Analyzer, fields: IndexedText, *, weights: FieldWeights | None = None) -> SparseVector:
    """Return a chunk's weighted term frequencies."""
    weights = weights or FieldWeights()
    totals: dict[str, float] = {}
    headings = "\n".join(heading for heading in fields.headings if heading != fields.title)
    for text, weight in ((fields.title, weights.title), (headings, weights.headings), (fields.body, weights.body)):
        for term, count in analyzer.terms(text).items():
            totals[term] = totals.get(term, 0.0) + weight * count
    return sparse(totals)


def length(frequencies: SparseVector) -> float:
    """Return a chunk's length in weighted terms: the sum of its frequencies."""
    return float(frequencies.values.sum(dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Bm25:
    """BM25's term weight, all but the IDF. `average_length` is the mean of `length` over the corpus."""

    average_length: float
    k1: float = 1.2
    b: float = 0.75

    def weights(self, frequencies: SparseVector) -> SparseVector:
        """Return tf * (k1 + 1) / (tf + k1 * (1 - b + b * dl / avgdl)) for each term of a chunk."""
        tf = frequencies.values.astype(np.float64)
        relative_length = tf.sum() / self.average_length if self.average_length > 0 else 1.0
        weights = tf * (self.k1 + 1) / (tf + self.k1 * (1 - self.b + self.b * relative_length))
        return SparseVector(frequencies.indices, weights.astype(np.float32))


def sparse(weights: Mapping[str, float]) -> SparseVector:
    """Return term weights by term id, ascending; the weights of terms that share an id are added."""
    ids = np.fromiter((term_id(term) for term in weights), dtype=np.uint32, count=len(weights))
    values = np.fromiter(weights.values(), dtype=np.float64, count=len(weights))
    indices, inverse = np.unique(ids, return_inverse=True)
    return SparseVector(indices, np.bincount(inverse, weights=values, minlength=len(indices)).astype(np.float32))
