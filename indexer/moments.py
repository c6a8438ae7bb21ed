"""The moments of both legs over a collection, kept up to date as it changes."""

import numpy as np
from numpy.typing import NDArray

from indexer.candidates import wanted_vectors
from retrieval.catalog import Catalog, Collection, Moments, TermMoments
from retrieval.catalog.rows import in_batches
from retrieval.keyword import Bm25

_Sums = tuple[NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

ALWAYS_BELOW = 5_000
STALE_SHARE = 0.02
STALE_SHARE_WHILE_BUSY = 1.0
READ_AHEAD = 4_000


def record_moments(catalog: Catalog, collection: Collection, changed: int, *, more_to_come: bool) -> bool:
    """Recompute the moments of both legs if enough chunks changed since they were taken; tell whether.

    With `more_to_come`, enough is as many as there were. Candidates have moments of their own, so that one that is
    promoted is calibrated at once.
    """
    known = catalog.moments.get_terms(collection)
    if known and known.points and _is_fresh(known.points, changed, more_to_come=more_to_come):
        return False
    config = catalog.collections.get(collection.name).config
    average_length = catalog.collections.setting(collection, "average_length") or 1.0
    catalog.moments.put_terms(
        collection, term_moments_of(catalog, collection, Bm25(average_length, config.k1, config.b))
    )
    for fingerprint in wanted_vectors(catalog, collection):
        put_moments(catalog, collection, fingerprint)
    return True


def put_moments(catalog: Catalog, collection: Collection, fingerprint: str) -> None:
    """Record the moments of a model's vectors, if it has embedded anything."""
    if moments := moments_of(catalog, collection, fingerprint):
        catalog.moments.put(collection, fingerprint, moments)


def _is_fresh(points: int, changed: int, *, more_to_come: bool) -> bool:
    if more_to_come:
        return changed < STALE_SHARE_WHILE_BUSY * points
    return points > ALWAYS_BELOW and changed < STALE_SHARE * points


def term_moments_of(catalog: Catalog, collection: Collection, bm25: Bm25) -> TermMoments:
    """Return how each term's BM25 weights are spread over every chunk."""
    points = 0
    parts: list[_Sums] = []
    for chunks in catalog.chunks.all_stored(collection):
        points += len(chunks)
        weighed = [bm25.weights(chunk.terms) for chunk in chunks]
        terms = np.concatenate([weights.indices for weights in weighed])
        values = np.concatenate([weights.values for weights in weighed]).astype(np.float64)
        parts.append(_summed(terms, np.ones(len(terms)), values, values**2))
    if not parts:
        empty = np.zeros(0, dtype=np.float32)
        return TermMoments(0, empty.astype(np.uint32), empty.astype(np.uint32), empty, empty)
    terms, frequencies, sums, squares = _summed(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    return TermMoments(
        points, terms, frequencies.astype(np.uint32), sums.astype(np.float32), squares.astype(np.float32)
    )


def _summed(terms: NDArray[np.uint32], *values: NDArray[np.float64]) -> "_Sums":
    unique, places = np.unique(terms, return_inverse=True)
    totals = [np.bincount(places, weights=array, minlength=len(unique)).astype(np.float64) for array in values]
    counts, sums, squares = totals
    return unique, counts, sums, squares


def moments_of(catalog: Catalog, collection: Collection, fingerprint: str) -> Moments | None:
    """Return the mean (d,) and covariance (d, d) of a model's unit vectors over every chunk; None without vectors."""
    points = 0
    total = products = None
    for hashes in in_batches(catalog.chunks.text_hashes(collection), READ_AHEAD):
        found = catalog.embeddings.get(fingerprint, set(hashes))
        rows = [found[key] for key in hashes if key in found]
        if not rows:
            continue
        matrix = np.stack(rows).astype(np.float64)
        points += len(matrix)
        total = matrix.sum(axis=0) if total is None else total + matrix.sum(axis=0)
        products = matrix.T @ matrix if products is None else products + matrix.T @ matrix
    if total is None or products is None:
        return None
    mean = total / points
    covariance = products / points - np.outer(mean, mean)
    return Moments(points, mean.astype(np.float32), covariance.astype(np.float32))
