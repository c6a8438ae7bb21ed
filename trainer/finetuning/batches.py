"""Batches in which no two pairs answer for one another: of a group of documents there is one pair at most.

All batches of an epoch are equally large, to within one pair, so that none is told apart from few. A group with more
pairs than an epoch has batches gives as many as there are batches, and others in the next epoch.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.training_set import TrainingPair

WINDOW = 8
"""Batches among which pairs are sorted by length: what is padded is computed for nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchPlan:
    """The batches of every epoch. Pairs of one cluster never share a batch; lengths are in tokens, or in anything.

    The same plan gives the same batches, whenever and wherever it is asked.
    """

    clusters: Sequence[int]
    lengths: Sequence[int]
    batch_size: int
    seed: int

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        return -(-len(self.clusters) // self.batch_size)

    def epoch(self, number: int) -> list[list[int]]:
        """Return the batches of an epoch, from 0 on, each as places of pairs."""
        rng = np.random.default_rng([self.seed, number])
        batches = self._spread(number, rng)
        windows = [batches[start : start + WINDOW] for start in range(0, len(batches), WINDOW)]
        ordered = [batch for window in windows for batch in self._sorted(window)]
        return [ordered[place] for place in rng.permutation(len(ordered))]

    def _spread(self, number: int, rng: np.random.Generator) -> list[list[int]]:
        """Put each cluster's pairs into the batches that have the fewest, one in each: these stay equally large."""
        batches: list[list[int]] = [[] for _ in range(self.batches)]
        queue = [(0, float(chance), place) for place, chance in enumerate(rng.random(len(batches)))]
        heapq.heapify(queue)
        for members in self._members(number, rng):
            emptiest = [heapq.heappop(queue) for _ in members]
            for row, (size, _, place) in zip(members, emptiest, strict=True):
                batches[place].append(row)
                heapq.heappush(queue, (size + 1, float(rng.random()), place))
        return batches

    def _members(self, number: int, rng: np.random.Generator) -> list[list[int]]:
        """Return the pairs of each cluster that take their turn in this epoch, the largest clusters first."""
        rows: dict[int, list[int]] = {}
        for row, cluster in enumerate(self.clusters):
            rows.setdefault(cluster, []).append(row)
        clusters = list(rows.values())
        shuffled = [clusters[place] for place in rng.permutation(len(clusters))]
        shuffled.sort(key=len, reverse=True)
        return [_turn(members, number, self.batches) for members in shuffled]

    def _sorted(self, window: list[list[int]]) -> list[list[int]]:
        """Return batches of the same sizes and pairs with like lengths together; the window itself if that fails."""
        filled: list[list[int]] = [[] for _ in window]
        taken: list[set[int]] = [set() for _ in window]
        for row in sorted((row for batch in window for row in batch), key=lambda row: (-self.lengths[row], row)):
            cluster = self.clusters[row]
            open_places = [place for place, batch in enumerate(filled) if len(batch) < len(window[place])]
            place = next((place for place in open_places if cluster not in taken[place]), None)
            if place is None:
                place = open_places[0]
                swap = self._swap(cluster, filled, taken, place)
                if swap is None:
                    return window
                row, cluster = self._displaced(row, filled, taken, swap)
            filled[place].append(row)
            taken[place].add(cluster)
        return filled

    def _swap(self, cluster: int, filled: list[list[int]], taken: list[set[int]], place: int) -> tuple[int, int] | None:
        """Find a batch without this cluster, and a pair in it that could be in the batch at `place` instead."""
        for other in reversed(range(len(filled))):
            if cluster not in taken[other]:
                for slot in reversed(range(len(filled[other]))):
                    if self.clusters[filled[other][slot]] not in taken[place]:
                        return other, slot
        return None

    def _displaced(
        self, row: int, filled: list[list[int]], taken: list[set[int]], swap: tuple[int, int]
    ) -> tuple[int, int]:
        """Put a pair where another is; return the other and its cluster."""
        place, slot = swap
        displaced = filled[place][slot]
        filled[place][slot] = row
        taken[place] = {self.clusters[one] for one in filled[place]}
        return displaced, self.clusters[displaced]


def clusters_of(pairs: Sequence[TrainingPair]) -> list[int]:
    """Return the number of each pair's cluster: pairs of a group, or with the same positive, whatever their groups."""
    numbers: dict[tuple[str, str], int] = {}
    parents = list(range(len(pairs)))
    for row, pair in enumerate(pairs):
        names = [("passage", pair.passage), *([("group", pair.group)] if pair.group else [])]
        for name in names:
            _unite(parents, row, numbers.setdefault(name, row))
    return [_root(parents, row) for row in range(len(pairs))]


def _unite(parents: list[int], first: int, second: int) -> None:
    low, high = sorted((_root(parents, first), _root(parents, second)))
    parents[high] = low


def _root(parents: list[int], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


def _turn(members: list[int], number: int, most: int) -> list[int]:
    """Return at most `most` of a cluster's pairs: those whose turn it is in the epoch with this number."""
    if len(members) <= most:
        return members
    start = number * most % len(members)
    return (members * 2)[start : start + most]


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """The batches of all epochs, step by step, what each costs, and the steps after which dev queries are ranked."""

    steps: Sequence[Sequence[int]]
    tokens: NDArray[np.int64]
    """Of each step, padding included."""
    evaluations: Sequence[int]
    epochs: int

    def epoch(self, number: int) -> Sequence[Sequence[int]]:
        """Return the batches of an epoch, from 0 on; every epoch has as many."""
        size = len(self.steps) // self.epochs
        return self.steps[number * size : (number + 1) * size]

    @classmethod
    def of(
        cls, plan: BatchPlan, query_lengths: Sequence[int], candidates: int, *, epochs: int, evaluations: int
    ) -> "Schedule":
        """Lay out the epochs of a plan; `candidates` is how many passages a pair has."""
        steps = [batch for number in range(epochs) for batch in plan.epoch(number)]
        tokens = [
            len(batch)
            * (max(query_lengths[row] for row in batch) + candidates * max(plan.lengths[row] for row in batch))
            for batch in steps
        ]
        return cls(steps, np.array(tokens, np.int64), evenly(len(steps), evaluations), epochs)


def evenly(steps: int, parts: int) -> list[int]:
    """Return the last step of each of at most `parts` equal parts.

    >>> evenly(10, 4)
    [2, 5, 8, 10]
    """
    return sorted({max(1, round(steps * part / parts)) for part in range(1, parts + 1)})
