"""Of checkpoints that the dev queries cannot tell apart the last is taken."""

from trainer.finetuning.checkpoint_choice import chosen_step


def test_a_later_checkpoint_within_the_standard_error_of_the_best_is_taken() -> None:
    """Gains of the best: .1, .1, -.1, -.06; their mean is .01, their standard error .0526 by hand."""
    best, later = [0.9, 0.8, 0.4, 0.44], [0.8, 0.7, 0.5, 0.5]
    assert chosen_step({10: best, 20: later}) == 20


def test_a_later_checkpoint_that_is_clearly_worse_is_not() -> None:
    """Gains of the best: .1, .2, .1, .2; their mean is .15, their standard error .0289 by hand."""
    best, later = [0.9, 0.8, 0.6, 0.6], [0.8, 0.6, 0.5, 0.4]
    assert chosen_step({10: best, 20: later}) == 10


def test_what_ranks_best_is_taken_though_worse_ones_came_before() -> None:
    assert chosen_step({10: [0.1, 0.2, 0.3], 20: [0.7, 0.8, 0.9]}) == 20


def test_of_equals_the_last_is_taken() -> None:
    assert chosen_step({10: [0.5, 0.25], 20: [0.5, 0.25], 30: [0.25, 0.5]}) == 30
    assert chosen_step({10: [1.0], 20: [1.0]}) == 20


def test_with_one_dev_query_any_loss_counts() -> None:
    assert chosen_step({10: [1.0], 20: [0.9]}) == 10
