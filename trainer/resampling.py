"""Draw clusters of queries again and again: an interval of a mean, and how often chance alone goes as far.

A cluster is a set of queries that answer together, such as those mined from one document. What is drawn or flipped is
always a whole cluster, since to treat correlated queries as if they were independent makes intervals too short and p
too small. A query that shares nothing is a cluster of one.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DECIMALS = 12
"""Values are rounded to so many decimals: what differs less is the arithmetic's doing."""
LEAST_DIFFERING = 6
"""Fewer than so many coins can all fall on one side with a probability of .05 or more."""
_CELLS = 1 << 18
"""How many draws are held at a time: 2 MB of float64, which a processor's cache holds."""
_TOLERANCE = 1e-9
"""Sums that differ less, as a share of all that is summed, are equal but for the order of addition."""


@dataclass(frozen=True, slots=True, order=True)
class Clustered:
    """The sum and the size of every cluster, sorted, so that neither the queries' order nor any name matters."""

    rows: tuple[tuple[float, int], ...]

    @classmethod
    def of(cls, values: Sequence[float], clusters: Sequence[Hashable]) -> "Clustered":
        """Group values by the cluster id at the same place; fsum rounds once, so that their order is indifferent."""
        groups: dict[Hashable, list[float]] = {}
        for value, cluster in zip(values, clusters, strict=True):
            groups.setdefault(cluster, []).append(value)
        return cls(tuple(sorted((math.fsum(group), len(group)) for group in groups.values())))

    @property
    def sums(self) -> Floats:
        """The sum of each cluster's values."""
        return np.array([total for total, _ in self.rows], np.float64)

    @property
    def sizes(self) -> Floats:
        """How many values each cluster has."""
        return np.array([size for _, size in self.rows], np.float64)

    @property
    def mean(self) -> float:
        """The mean over queries, not over clusters: sum of sums / sum of sizes."""
        return math.fsum(total for total, _ in self.rows) / sum(size for _, size in self.rows)

    @property
    def residuals(self) -> Floats:
        """What each cluster's sum has above what the mean over all queries would give it."""
        return self.sums - self.mean * self.sizes

    def differing(self) -> int:
        """Return how many clusters have another mean than the most common one."""
        means = Counter(round(total / size, DECIMALS) for total, size in self.rows)
        return len(self) - max(means.values())

    def mirrored(self) -> "Clustered":
        """Return the clusters of the negated values."""
        return Clustered(tuple(sorted((-total, size) for total, size in self.rows)))

    def __len__(self) -> int:
        return len(self.rows)


def unseen_share(clusters: int, level: float) -> float:
    """Return the largest share of clusters of another kind that may well have stayed unseen: 1 - (1 - level)^(1/n).

    About 3 / n at the level .95, the rule of three (Hanley and Lippman-Hand, JAMA 1983).
    """
    return 1 - float((1 - level) ** (1 / clusters))


def bootstrap_interval(
    clustered: Clustered, *, bounds: tuple[float, float], level: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Return the interval of the mean over queries, within the bounds of the values: a hull of two cluster bootstraps.

    The wild cluster bootstrap-t (Cameron, Gelbach and Miller, REStat 2008) covers as it should with few clusters, sizes
    that differ and many exact zeros, but is symmetric. The percentile interval of resampled clusters (Efron and
    Tibshirani 1993, ch. 13) is too short by itself, but follows a skew. On each side the wider one counts. The
    bootstrap-t of resampled clusters would do both, were it not that it covers but 90 % where most values are 0.

    Where fewer than six clusters differ from the most common answer there is no distribution to draw from: it is the
    percentile interval, widened by the rule of three as if the clusters that may have stayed unseen lay anywhere
    within the bounds. Values that are all alike so give an interval that shrinks with their number, never a point.
    """
    mirrored = clustered.mirrored()
    if clustered > mirrored:  # so that swapping the arms mirrors the interval exactly, draw by draw
        low, high = bootstrap_interval(
            mirrored, bounds=(-bounds[1], -bounds[0]), level=level, resamples=resamples, seed=seed
        )
        return 0.0 - high, 0.0 - low
    mean, rng = clustered.mean, np.random.default_rng(seed)
    below, above = _percentiles(clustered, rng, resamples, level)
    if clustered == mirrored:
        below, above = min(below, -above), max(above, -below)
    low, high = mean + min(below, 0.0), mean + max(above, 0.0)
    if clustered.differing() < LEAST_DIFFERING:
        unseen = unseen_share(len(clustered), level)
        return low + unseen * (bounds[0] - low), high + unseen * (bounds[1] - high)
    reach = _wild_reach(clustered, rng, resamples, level)
    return max(min(low, mean - reach), bounds[0]), min(max(high, mean + reach), bounds[1])


def _percentiles(clustered: Clustered, rng: np.random.Generator, resamples: int, level: float) -> tuple[float, float]:
    """Return how far the means of resampled clusters, as many as there are, lie below and above ours."""
    count, residuals, sizes, tail = len(clustered), clustered.residuals, clustered.sizes, (1 - level) / 2
    drawn = (rng.integers(0, count, size=(rows, count), dtype=np.int32) for rows in _chunks(resamples, count))
    means = np.concatenate([residuals[places].sum(axis=1) / sizes[places].sum(axis=1) for places in drawn])
    return float(np.quantile(means, tail, method="lower")), float(np.quantile(means, 1 - tail, method="higher"))


def _wild_reach(clustered: Clustered, rng: np.random.Generator, resamples: int, level: float) -> float:
    """Return half the length of the wild bootstrap-t's interval: standard error * quantile of |t|.

    A resample keeps every cluster and tosses a coin for the sign of its residual, sum - mean * size (Rademacher's
    weights). The mean over queries is a ratio of sums; its standard error is sqrt(G / (G - 1) * sum(residual^2)) /
    number of queries (Cochran 1977, ch. 6), and a resample's has the residuals from the resample's own mean.
    """
    residuals, sizes, queries = clustered.residuals, clustered.sizes, clustered.sizes.sum()
    features = np.column_stack([residuals, residuals * sizes])
    sums = np.concatenate(list(_signed_sums(features, rng, resamples)))
    squares, means = (residuals**2).sum(), sums[:, 0] / queries
    spread = squares - 2 * means * sums[:, 1] + means**2 * (sizes**2).sum()
    spread[spread <= _TOLERANCE * squares] = 0.0
    with np.errstate(divide="ignore"):
        ratios = np.abs(means) * np.sqrt(squares / spread)  # |t| * our standard error: the rest cancels
    return float(np.quantile(ratios, level, method="higher"))


def sign_flip_p(clustered: Clustered, *, permutations: int, seed: int) -> float:
    """Return how probable a mean this far from 0, or farther, is if every cluster's sign were a coin's toss.

    The two-sided paired randomization test (Fisher 1935; Smucker, Allan and Carterette, CIKM 2007), with the signs of
    whole clusters. All sign patterns are tried when there are at most `permutations`, one of each mirrored pair;
    otherwise so many random ones are, and the one observed counts too (Phipson and Smyth 2010), so that p is never 0.
    """
    unsigned = np.array(sorted(abs(total) for total, _ in clustered.rows if total))  # a zero has no sign
    observed = abs(math.fsum(clustered.sums)) - _TOLERANCE * math.fsum(unsigned)
    summed = _signed_sums(unsigned, np.random.default_rng(seed), permutations)
    as_far = sum(int(np.count_nonzero(np.abs(sums) >= observed)) for sums in summed)
    if _patterns(len(unsigned)) <= permutations:
        return as_far / _patterns(len(unsigned))
    return (1 + as_far) / (1 + permutations)


def _patterns(count: int) -> int:
    """Return how many ways there are to sign so many values, counting a pattern and its mirror image once."""
    return 1 << max(count - 1, 0)


def _signed_sums(values: Floats, rng: np.random.Generator, most: int) -> Iterator[Floats]:
    """Yield sums of the rows with a sign each: by every pattern if there are at most so many, else by random ones."""
    total = values.sum(axis=0)
    for heads in _heads(rng, len(values), most):
        yield 2 * (heads.astype(np.float64) @ values) - total


def _heads(rng: np.random.Generator, count: int, most: int) -> Iterator[NDArray[np.integer]]:
    """Yield rows of 0 and 1, a row for each pattern of signs."""
    if (patterns := _patterns(count)) <= most:
        start = 0
        for rows in _chunks(patterns, count):
            yield np.arange(start, start + rows)[:, None] >> np.arange(count) & 1
            start += rows
        return
    width = -(-count // 8)
    for rows in _chunks(most, count):
        tosses = np.frombuffer(rng.bytes(rows * width), np.uint8).reshape(rows, width)
        yield np.unpackbits(tosses, axis=1, count=count)


def _chunks(rows: int, width: int) -> Iterator[int]:
    """Split so many rows into parts that fit the memory set aside."""
    most = max(1, _CELLS // max(width, 1))
    for start in range(0, rows, most):
        yield min(most, rows - start)
