"""Which checkpoint of a training is taken: the last that the dev queries cannot tell from the best."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from trainer.finetuning.interpolation import TIE, gain_error


def chosen_step(ranked: Mapping[int, Sequence[float]]) -> int:
    """Return the last step that dev cannot tell from the best: short of it by no more than that difference's error.

    The rate falls towards the end, so that of two checkpoints which rank alike the later one has learned more. A few
    dozen queries rank the early ones first by chance often enough (the one-standard-error rule: Breiman et al. 1984,
    "Classification and Regression Trees"; Hastie et al., "The Elements of Statistical Learning", 7.10).
    """
    best = max(ranked, key=lambda step: (fmean(ranked[step]), step))
    return max(
        step
        for step, values in ranked.items()
        if fmean(ranked[best]) - fmean(values) <= gain_error(ranked[best], values) + TIE
    )
