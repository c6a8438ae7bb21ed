"""Cut a sequence into the fewest runs within a limit, of sizes as equal as they can be."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.chunking.counting import fits

EXACT_UP_TO = 2000
"""Longer sequences are first joined into runs of a sixteenth of the limit, which bounds the work."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Something not to be cut: its size, and how bad a place its beginning is for a cut (0 good, 1 poor, 2 worse)."""

    tokens: int
    characters: int
    tie: int = 0


def balanced(units: Sequence[Unit], limit: int, *, joint: int = 0) -> list[range]:
    """Return the runs of unit indices, in order, that make the fewest texts of at most `limit` tokens.

    Among those, the sum of squared sizes plus the squared cost of cutting at a tie is least; `joint` tokens are added
    between two units. A unit over the limit stands alone.
    """
    spans = _spans(units, limit if len(units) > EXACT_UP_TO else 0)
    sizes = [_joined([units[i] for i in span], joint) for span in spans]
    cuts = _cuts(sizes, limit, joint)
    return [range(spans[start].start, spans[end - 1].stop) for start, end in zip([0, *cuts], cuts, strict=False)]


def _cuts(sizes: Sequence[Unit], limit: int, joint: int) -> list[int]:
    """Return the ends of the runs by dynamic programming over (number of runs, cost)."""
    best: list[tuple[int, int]] = [(0, 0)]
    came_from = [0]
    for end in range(1, len(sizes) + 1):
        best.append((len(sizes) + 1, 0))
        came_from.append(end - 1)
        tokens = characters = 0
        for start in range(end - 1, -1, -1):
            tokens += sizes[start].tokens + (joint if start < end - 1 else 0)
            characters += sizes[start].characters
            if start < end - 1 and not fits(tokens, characters, limit):
                break
            runs, cost = best[start]
            tie = sizes[start].tie * limit // 4 if start else 0
            candidate = (runs + 1, cost + tokens * tokens + tie * tie)
            if candidate < best[end]:
                best[end], came_from[end] = candidate, start
    return _walked_back(came_from)


def _walked_back(came_from: Sequence[int]) -> list[int]:
    cuts: list[int] = []
    end = len(came_from) - 1
    while end > 0:
        cuts.append(end)
        end = came_from[end]
    return cuts[::-1]


def _spans(units: Sequence[Unit], limit: int) -> list[range]:
    """Return runs of units that together stay within a sixteenth of `limit`: single units for a limit of 0."""
    spans: list[range] = []
    tokens = characters = start = 0
    for index, unit in enumerate(units):
        tokens, characters = tokens + unit.tokens, characters + unit.characters
        if index > start and not fits(tokens * 16, characters * 16, limit):
            spans.append(range(start, index))
            start, tokens, characters = index, unit.tokens, unit.characters
    return [*spans, range(start, len(units))] if units else []


def _joined(units: Sequence[Unit], joint: int) -> Unit:
    tokens = sum(unit.tokens for unit in units) + joint * (len(units) - 1)
    return Unit(tokens, sum(unit.characters for unit in units), units[0].tie)
