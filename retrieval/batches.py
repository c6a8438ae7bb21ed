"""Texts that a model takes at once: of like length, and not more tokens than a core works on quickly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

# Measured on two cores, a batch a thread: 256 to 512 tokens are encoded a twentieth faster than 1,024.
BATCH_TOKENS = 512
BATCH_ROWS = 64


@dataclass(frozen=True, slots=True)
class Batch:
    """What was encoded at once; `tokens` has the padding in it."""

    kind: Literal["query", "passage"]
    texts: int
    tokens: int


OnBatch = Callable[[Batch], None]
"""Called after each batch, from whichever thread encoded it."""


def ignore(_batch: Batch) -> None:
    """Tell nobody."""


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Row numbers, longest texts first, cut so that rows times the longest row stays near BATCH_TOKENS."""
    rows = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    start = 0
    while start < len(rows):
        size = min(BATCH_ROWS, max(1, BATCH_TOKENS // max(1, lengths[rows[start]])))
        yield rows[start : start + size]
        start += size
