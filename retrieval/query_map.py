"""A linear map of queries: all that an adapter adds to a model, whose passages keep their vectors."""

from pathlib import Path

import numpy as np

from retrieval.errors import ModelError
from retrieval.types import FloatArray

QUERY_MAP = "query_map.safetensors"
TENSOR = "map"

_MAX_HEADER_BYTES = 100_000


def read_query_map(file: Path, dimensions: int) -> FloatArray:
    """Return the map, of shape (dimensions, dimensions); a query's vector q becomes map @ q, made unit.

    Raises ModelError for a file that is anything else.
    """
    from safetensors.numpy import load

    limit = 4 * dimensions * dimensions + _MAX_HEADER_BYTES
    try:
        size, tensors = file.stat().st_size, {}
        if size <= limit:
            tensors = load(file.read_bytes())
    except Exception as error:  # safetensors raises its own kind, and others for a header it cannot follow
        raise ModelError(f"{file} is not a query map ({error}); train it again.") from None
    if size > limit:
        raise ModelError(f"{file} has {size} bytes, more than a map of {dimensions} dimensions; train it again.")
    if tensors.keys() != {TENSOR}:
        raise ModelError(f"{file} holds {', '.join(sorted(tensors)[:5]) or 'nothing'}, not the one tensor {TENSOR!r}.")
    matrix = tensors[TENSOR]
    if matrix.dtype != np.float32 or matrix.shape != (dimensions, dimensions):
        raise ModelError(
            f"{file} holds {matrix.dtype} of shape {matrix.shape}; this model needs float32 of shape "
            f"({dimensions}, {dimensions}). Train it over this base."
        )
    if not np.isfinite(matrix).all():
        raise ModelError(f"{file} has a number that is not finite; train it again.")
    return np.ascontiguousarray(matrix)
