"""What every store refuses alike, before an engine sees it: an engine may half apply a batch that it then rejects."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from retrieval.errors import StoreError
from retrieval.stores.base import EmbeddingLeg, Leg, Point
from retrieval.types import FloatArray, SparseVector

KEYWORD = "keyword"
"""The name of the sparse vector; no dense vector may take it."""

MAX_ID = 2**63 - 1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")


def check_vector_name(name: str, size: int) -> None:
    """Raise StoreError for a dense vector's name or size that some store could not hold."""
    if not _NAME.fullmatch(name) or name == KEYWORD:
        raise StoreError(f"Vector name {name!r} is not usable; use a model's fingerprint (letters, digits, . _ @ -).")
    if not 1 <= size <= 65_535:
        raise StoreError(f"Vector {name!r} has {size} dimensions; 1 to 65535 are possible.")


def check_resize(name: str, size: int, sizes: Mapping[str, int]) -> bool:
    """Return whether the vector is new. Raises StoreError if it exists with another size, or cannot exist."""
    check_vector_name(name, size)
    if sizes.get(name, size) != size:
        raise StoreError(f"Vector {name!r} has {sizes[name]} dimensions, not {size}; drop it first.")
    return name not in sizes


def check_points(points: Sequence[Point], sizes: Mapping[str, int]) -> list[Point]:
    """Return the points, the last of each id. Raises StoreError for one that cannot be stored; then none may be."""
    for point in points:
        if not (0 <= point.id <= MAX_ID and 0 <= point.document <= MAX_ID):
            raise StoreError(f"Point {point.id} of document {point.document}: ids are whole numbers from 0 to 2^63-1.")
        check_terms(point.terms, f"point {point.id}")
    for name in {name for point in points for name in point.vectors}:
        owned = [point.vectors[name] for point in points if name in point.vectors]
        check_vectors(name, owned, sizes)
    return list({point.id: point for point in points}.values())


def check_terms(terms: SparseVector, place: str) -> None:
    """Raise StoreError unless term ids ascend and weights are finite and as many."""
    indices, values = terms.indices, terms.values
    if indices.shape != values.shape or indices.ndim != 1:
        raise StoreError(f"The terms of {place} have shapes {indices.shape} and {values.shape}; they must be equal.")
    if indices.size and not (np.isfinite(values).all() and (indices[1:] > indices[:-1]).all()):
        raise StoreError(f"The terms of {place} must have ascending ids and finite weights.")


def check_vectors(name: str, vectors: Iterable[FloatArray], sizes: Mapping[str, int]) -> None:
    """Raise StoreError unless the vector exists and all have its size and finite numbers."""
    if name not in sizes:
        known = ", ".join(sorted(sizes)) or "none"
        raise StoreError(f"The index has no vector {name!r} (it has: {known}); add it, or run `tandem reindex`.")
    for vector in vectors:
        if vector.shape != (sizes[name],):
            raise StoreError(f"A vector for {name!r} has shape {vector.shape}; the index holds ({sizes[name]},).")
        if not np.isfinite(vector).all():
            raise StoreError(f"A vector for {name!r} has a number that is not finite; embed its text again.")


def check_legs(legs: Sequence[Leg], sizes: Mapping[str, int]) -> None:
    """Raise StoreError for a leg that the index cannot answer."""
    for leg in legs:
        if isinstance(leg, EmbeddingLeg):
            check_vectors(leg.name, [leg.vector], sizes)
        else:
            check_terms(leg.terms, "the query")
