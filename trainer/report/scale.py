"""Where a number lies across a plot, in per cent of its width, so that a plot of any width has text of one size."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainer.report.figures import is_finite

_EDGE = 4.0
"""Per cent of the width kept free on either side, for what is drawn around a number."""
_NARROWEST = 0.02
"""What a scale spans at least: one around a single number would show nothing but its last decimals."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from `low` to `high`, laid from left to right."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> "Scale":
        """Return a scale that holds all the values that are finite, and is never without a width."""
        known = [value for value in values if is_finite(value)] or [0.0]
        low, high = min(known), max(known)
        missing = max(_NARROWEST - (high - low), 0)
        return cls(low - missing / 2, high + missing / 2)

    def percent(self, value: float) -> float:
        """Return where the value lies."""
        return _EDGE + (100 - 2 * _EDGE) * (value - self.low) / (self.high - self.low)

    def at(self, value: float) -> str:
        """Return where the value lies, as an SVG coordinate."""
        return f"{self.percent(value):.2f}%"

    def ticks(self, most: int = 6) -> list[float]:
        """Return round numbers on the scale, no more than so many."""
        step = nice_step((self.high - self.low) / most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(place * step, 10) for place in range(first, last + 1)]


def nice_step(least: float) -> float:
    """Return the smallest of ..., 1, 2, 5, 10, 20, ... that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
