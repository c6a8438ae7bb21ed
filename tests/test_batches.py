"""Batches: whose pairs meet, how large they are, and that the same seed gives the same ones."""

from collections import Counter

import numpy as np
import pytest

from trainer.finetuning.batches import BatchPlan, Schedule, clusters_of, evenly
from trainer.training_set import TrainingPair


def plan_of(sizes: list[int], *, batch_size: int = 4, seed: int = 0) -> BatchPlan:
    """A plan of clusters of these sizes, with lengths that tell nothing of the clusters."""
    clusters = [cluster for cluster, size in enumerate(sizes) for _ in range(size)]
    lengths = np.random.default_rng(7).integers(5, 200, len(clusters)).tolist()
    return BatchPlan(clusters, lengths, batch_size, seed)


@pytest.mark.parametrize("sizes", [[1] * 30, [2] * 20, [3, 3, 3, 2, 1, 1, 5], [8, 8, 8, 8], [1, 2] * 300])
def test_every_pair_is_in_one_batch_and_clusters_never_meet(sizes: list[int]) -> None:
    plan = plan_of(sizes)
    for number in range(3):
        batches = plan.epoch(number)
        assert sorted(row for batch in batches for row in batch) == list(range(sum(sizes)))
        assert len(batches) == plan.batches == -(-sum(sizes) // 4)
        assert all(len({plan.clusters[row] for row in batch}) == len(batch) for batch in batches)
        assert max(map(len, batches)) - min(map(len, batches)) <= 1


def test_a_group_with_more_pairs_than_batches_takes_turns() -> None:
    plan = plan_of([10, 1, 1])
    seen: Counter[int] = Counter()
    for number in range(10):
        batches = plan.epoch(number)
        assert len(batches) == 3
        assert sum(plan.clusters[row] == 0 for batch in batches for row in batch) == 3
        seen.update(row for batch in batches for row in batch)
    assert {seen[row] for row in range(10)} == {3}
    assert (seen[10], seen[11]) == (10, 10)


def test_batches_follow_from_seed_and_epoch() -> None:
    plan = plan_of([1, 2, 3] * 10)
    assert plan.epoch(1) == plan_of([1, 2, 3] * 10).epoch(1)
    assert plan.epoch(0) != plan.epoch(1)
    assert plan.epoch(0) != plan_of([1, 2, 3] * 10, seed=1).epoch(0)


def test_pairs_of_like_length_are_together() -> None:
    plan = plan_of([1, 1, 2] * 80, batch_size=8)

    def padded(batches: list[list[int]]) -> int:
        return sum(len(batch) * max(plan.lengths[row] for row in batch) for batch in batches)

    chance = padded([list(range(start, start + 8)) for start in range(0, 320, 8)])
    assert padded(plan.epoch(0)) < 0.7 * chance
    assert sum(plan.lengths) <= padded(plan.epoch(0))


def test_a_window_that_cannot_be_sorted_stays_as_it_was() -> None:
    plan = BatchPlan([0, 0, 1, 1], [9, 8, 2, 1], 2, 0)
    for number in range(5):
        assert all({plan.clusters[row] for row in batch} == {0, 1} for batch in plan.epoch(number))


def test_pairs_meet_neither_their_group_nor_their_own_positive() -> None:
    pairs = [
        TrainingPair("a", "same", group="1"),
        TrainingPair("b", "other", group="1"),
        TrainingPair("c", "same", group="2"),
        TrainingPair("d", "third", group="2"),
        TrainingPair("e", "fourth", group=""),
        TrainingPair("f", "fifth", group=""),
    ]
    assert clusters_of(pairs) == [0, 0, 0, 0, 4, 5]


def test_a_schedule_counts_what_is_computed_with_its_padding() -> None:
    plan = BatchPlan([0, 1, 2, 3], [10, 20, 30, 40], 2, 0)
    schedule = Schedule.of(plan, [1, 2, 3, 4], 3, epochs=2, evaluations=2)
    assert [list(batch) for batch in schedule.epoch(1)] == plan.epoch(1)
    # The two longest lie together: 2 * (4 + 3 * 40), and the two others: 2 * (2 + 3 * 20).
    assert sorted(schedule.tokens.tolist()) == [124, 124, 248, 248]
    assert schedule.evaluations == [2, 4]


@pytest.mark.parametrize(
    ("steps", "parts", "last"), [(10, 4, [2, 5, 8, 10]), (3, 6, [1, 2, 3]), (1, 3, [1]), (90, 3, [30, 60, 90])]
)
def test_evaluations_are_spread_evenly_and_the_last_step_is_one(steps: int, parts: int, last: list[int]) -> None:
    assert evenly(steps, parts) == last
