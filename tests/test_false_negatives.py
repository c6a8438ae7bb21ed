"""Which candidates a query is not told apart from, on vectors whose cosines are plain to see."""

import math
from collections.abc import Sequence

import numpy as np

from trainer.finetuning.false_negatives import Candidates
from trainer.training_set import BaseVectors, TrainingPair, TrainingSet, TrainingSettings


def at(*degrees: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
    """Unit vectors at these angles."""
    return np.array([[math.cos(math.radians(one)), math.sin(math.radians(one))] for one in degrees], np.float16)


def candidates(
    pairs: Sequence[TrainingPair], queries: Sequence[float], passages: Sequence[float], negatives: Sequence[float] = ()
) -> Candidates:
    """Candidates of pairs with at most one negative, by the angles of their vectors."""
    most = 1 if negatives else 0
    placed = at(*negatives).reshape(len(pairs), most, 2) if negatives else np.zeros((len(pairs), 0, 2), np.float16)
    vectors = BaseVectors(at(*queries), at(*passages), placed)
    return Candidates.of(TrainingSet("", "", TrainingSettings(negatives=most), pairs, [], [], vectors))


def test_what_the_base_puts_near_the_positive_is_no_negative() -> None:
    pairs = [TrainingPair("q0", "p0", ("n0",)), TrainingPair("q1", "p1", ("n1",)), TrainingPair("q2", "p2", ("n2",))]
    found = candidates(pairs, queries=[0, 90, 180], passages=[10, 95, 20], negatives=[15, 60, 88])
    # cos 10 = .985, so that q0 is not told apart from what lies within acos(.95 * .985) = 20.7 degrees of it:
    # its own negative at 15 and p2 at 20. q1 (at 90) has .95 * cos 5 = .946, 18.8 degrees: n2 at 88. q2 (at 180) has
    # cos 160 = -.94, and .95 * -.94 = -.89 lies below all but p0 (cos 170) and n0 (cos 165).
    assert found.excluded([0, 1, 2]).tolist() == [
        [False, False, True, True, False, False],
        [False, False, False, False, False, True],
        [False, True, False, False, True, True],
    ]


def test_candidates_are_those_of_the_batch_column_by_column() -> None:
    pairs = [TrainingPair(f"q{number}", f"p{number}", (f"n{number}",)) for number in range(3)]
    found = candidates(pairs, queries=[0, 90, 180], passages=[0, 90, 180], negatives=[1, 45, 181])
    assert found.excluded([2, 0]).tolist() == [
        [False, False, True, False],  # n2 at 181 beside q2 at 180; p0 and n0 far off
        [False, False, False, True],
    ]


def test_what_has_a_share_of_the_query_is_left_in_however_much_the_base_likes_it() -> None:
    pairs = [TrainingPair("q0", "p0", ("n0",), targets=(0.6, 0.4)), TrainingPair("q1", "p1", ("n1",))]
    found = candidates(pairs, queries=[0, 180], passages=[10, 190], negatives=[1, 181])
    assert found.excluded([0, 1]).tolist() == [[False, False, False, False], [False, False, False, True]]


def test_a_text_that_answers_the_query_elsewhere_is_no_negative() -> None:
    pairs = [
        TrainingPair("same", "p0"),
        TrainingPair("same", "p1"),
        TrainingPair("other", "p2", ("p0",)),
        TrainingPair("third", "p3", ("p3",)),
    ]
    found = candidates(pairs, queries=[0, 0, 90, 180], passages=[0, 90, 90, 180], negatives=[270, 270, 270, 270])
    by_text = found.excluded([0, 1, 2, 3])
    assert by_text[0].tolist() == [False, True, False, False, True, True, True, False]
    # The same text as its own positive, in another pair's place, however the vectors lie.
    assert by_text[3].tolist() == [False, False, False, False, True, True, False, True]


def test_a_place_without_a_negative_is_left_out_for_every_query() -> None:
    pairs = [TrainingPair("q0", "p0", ("n0",)), TrainingPair("q1", "p1")]
    found = candidates(pairs, queries=[0, 180], passages=[0, 180], negatives=[90, 90])
    assert found.excluded([0, 1]).tolist() == [[False, False, False, True], [False, False, False, True]]
    assert not found.excluded([0, 1])[:, :2].diagonal().any()
