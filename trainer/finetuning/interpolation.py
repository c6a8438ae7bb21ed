"""Between the base and what was trained lies what is adopted: weights are mixed, and dev queries choose how much.

A mixture keeps most of the gain and undoes most of the forgetting (Wortsman et al. 2022, "WiSE-FT"; Xiao et al. 2023,
"LM-Cocktail"). Lambda 0 is the base: nothing is adopted.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, Protocol, Self, TypeVar

LAMBDAS: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)
TIE = 1e-9
"""Means of dev that differ by less are equal."""


class Array(Protocol):
    """A tensor of torch, or an array of NumPy."""

    def __add__(self, other: Any, /) -> Self: ...

    def __rmul__(self, factor: float, /) -> Self: ...


_Array = TypeVar("_Array", bound=Array)


def mixed(base: Mapping[str, _Array], tuned: Mapping[str, _Array], share: float) -> dict[str, _Array]:
    """Return (1 - share) of the base and `share` of the tuned weights, name by name; the ends come out exactly."""
    if share in (0, 1):
        return dict(tuned if share else base)
    return {name: (1 - share) * base[name] + share * tuned[name] for name in base}


def chosen(values: Mapping[float, Sequence[float]], *, chance: float = 0.0) -> float:
    """Return the lambda whose dev queries, as values in the same order, rank best; the smallest of those that tie.

    It is 0 where dev speaks against every other: where the best of these falls short of the base by no less than the
    standard error of that difference, or changes nothing. A few dozen queries cannot tell a small gain from none, and
    what they let pass has still to be better by the judged queries, which are more. It is 0 as well where nothing ranks
    better than `chance`, the mean of any order: dev queries with wrong answers choose nothing.
    """
    base, share = values[0.0], _best(values)
    is_lost = fmean(base) - fmean(values[share]) >= gain_error(base, values[share])
    return 0.0 if is_lost or ranks_as_chance(values, chance) else share


def ranks_as_chance(values: Mapping[float, Sequence[float]], chance: float) -> bool:
    """Tell whether even the best lambda, 0 among them, ranks less than two standard errors above what chance gives."""
    best = max(values.values(), key=fmean)
    return fmean(best) - chance < 2 * gain_error([chance] * len(best), best)


def _best(values: Mapping[float, Sequence[float]]) -> float:
    means = {share: fmean(found) for share, found in values.items() if share}
    best = max(means.values())
    return min(share for share, mean in means.items() if mean >= best - TIE)


def gain_error(base: Sequence[float], tuned: Sequence[float]) -> float:
    """Return the standard error of the mean gain over paired queries; 0 for fewer than two."""
    gains = [after - before for before, after in zip(base, tuned, strict=True)]
    return stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
