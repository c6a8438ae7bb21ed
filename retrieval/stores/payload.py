"""What a Qdrant point carries beside its vectors, in a form where an engine's filters can mean only one thing.

Metadata is hostile: keys with dots, quotes and brackets are syntax in an engine's field paths, and engines differ in
what they make of huge integers, mixed lists and dates. So a field is named by a digest of its key, and its values
are written as what the engine only has to compare:

    d            the document's row        lead   "1" on one chunk a document (Edge 0.9 cannot match booleans)
    m            the metadata as JSON text, for reading back
    e            digests of the keys that are present
    k_DIGEST     values as JSON text, for equality and facets
    n_DIGEST     numbers as float64        t_DIGEST   dates as seconds since 1970 UTC
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

from retrieval.filters import Scalar, instant, is_present, number, values
from retrieval.stores.base import Point
from retrieval.types import JsonValue, Metadata, SparseVector

DOCUMENT, LEAD, METADATA, PRESENT = "d", "lead", "m", "e"
IS_LEAD = "1"


# A point whose sparse vector is empty is not counted in N; this term, which no query has, keeps it counted.
_NO_TERMS = SparseVector(np.array([2**32 - 1], np.uint32), np.array([1.0], np.float32))


def stored_terms(terms: SparseVector) -> SparseVector:
    """Return the terms to store: never none."""
    return terms if terms.indices.size else _NO_TERMS


def read_terms(indices: Sequence[int], values: Sequence[float]) -> SparseVector:
    """Return stored terms as they were given."""
    read = SparseVector(np.asarray(indices, np.uint32), np.asarray(values, np.float32))
    return SparseVector(read.indices[:0], read.values[:0]) if np.array_equal(read.indices, _NO_TERMS.indices) else read


def point_payloads(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return the payload of each point."""
    # The chunks of a document usually share one metadata object; write it once.
    written: dict[int, dict[str, Any]] = {}
    payloads = []
    for point in points:
        fields = written.get(id(point.metadata))
        if fields is None:
            fields = written[id(point.metadata)] = metadata_payload(point.metadata) if point.metadata else {}
        payloads.append({DOCUMENT: point.document, **({LEAD: IS_LEAD} if point.lead else {}), **fields})
    return payloads


def metadata_payload(metadata: Metadata) -> dict[str, Any]:
    """Return the part of a payload that stands for the metadata; only ASCII strings and finite floats."""
    fields: dict[str, Any] = {METADATA: json.dumps(dict(metadata), separators=(",", ":"))}
    present = [digest(key) for key, value in metadata.items() if is_present(value)]
    if present:
        fields[PRESENT] = present
    for key, value in metadata.items():
        found = list(values(value))
        if not found:
            continue
        fields[equality_field(key)] = list(dict.fromkeys(token(value) for value in found))
        numbers = [as_float for value in found if (as_float := number(value)) is not None]
        instants = [moment for value in found if (moment := instant(value)) is not None]
        fields |= {number_field(key): numbers} if numbers else {}
        fields |= {instant_field(key): instants} if instants else {}
    return fields


def read_metadata(payload: Mapping[str, Any]) -> Metadata:
    """Return the metadata as it was given."""
    metadata: Metadata = json.loads(payload.get(METADATA, "{}"))
    return metadata


def token(value: Scalar) -> str:
    """Write a value so that two are equal exactly when their tokens are: JSON, with 1.0 as 1."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def read_token(text: str) -> JsonValue:
    """Return the value of a token."""
    return json.loads(text)


@lru_cache(maxsize=4096)
def digest(key: str) -> str:
    """Name a metadata key in letters that mean nothing to any path syntax."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def equality_field(key: str) -> str:
    """Name the payload field that holds a key's values as tokens."""
    return f"k_{digest(key)}"


def number_field(key: str) -> str:
    """Name the payload field that holds a key's numbers."""
    return f"n_{digest(key)}"


def instant_field(key: str) -> str:
    """Name the payload field that holds a key's dates."""
    return f"t_{digest(key)}"
