"""What more pairs would bring: the gain on dev with a quarter, a half and all of them, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass

WORTH = 0.005
"""A gain of nDCG@10 on dev below this is no reason to look for more pairs: half of the least effect worth having."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a share of the pairs brought: the best nDCG@10 on dev over all weights, and its gain over the base.

    `error` is the standard error of the gain over dev queries, `weight` the share of the tuned model in what did best.
    """

    share: float
    pairs: int
    ndcg: float
    gain: float
    error: float
    weight: float
    seconds: float


def outlook(points: Sequence[CurvePoint]) -> str:
    """Say whether twice the pairs might help, from the gain that the last doubling brought."""
    if not points:
        return ""
    *before, last = sorted(points, key=lambda point: point.share)
    if not last.weight:
        return _useless(last, before)
    if not before:
        return ""
    earlier = before[-1]
    step = last.gain - earlier.gain
    doubt = (last.error**2 + earlier.error**2) ** 0.5
    said = (
        f"From {earlier.pairs} to {last.pairs} pairs the gain on dev went from {earlier.gain:+.3f} to {last.gain:+.3f}"
    )
    if step >= WORTH and step > doubt:
        return f"{said}: twice the pairs might bring about as much again."
    if step >= WORTH or doubt > 2 * WORTH:
        return f"{said}; that is within the noise of the dev queries, so twice the pairs might help, or might not."
    return f"{said}: more pairs of these kinds will hardly help."


def _useless(last: CurvePoint, before: Sequence[CurvePoint]) -> str:
    if any(point.weight for point in before):
        return (
            f"With all {last.pairs} pairs no weight of the tuned model was better on dev than the base, though with "
            "fewer one was: that is noise, or pairs that contradict each other. More of these pairs will not help."
        )
    if not before:
        return ""
    return (
        f"No weight of the tuned model was better on dev than the base, with {last.pairs} pairs or with fewer: more "
        "pairs of these kinds will not help."
    )
