"""How long the rest will take, from what is left to compute and how fast it went so far."""

from dataclasses import dataclass, field
from enum import StrEnum

TRAINING_COST = 3.0
"""A training step computes forward once and backward about twice that (Kaplan et al. 2020, section 2.1)."""
MEMORY = 0.9
"""What earlier measurements weigh beside the newest: the first steps are slow, and other work comes and goes."""


class Work(StrEnum):
    """What is computed."""

    TRAINING = "training"
    RANKING = "ranking"


@dataclass(slots=True)
class Pace:
    """Tokens left to compute of each kind of work, and the measured speed of each."""

    left: dict[Work, float] = field(default_factory=dict)
    _spent: dict[Work, tuple[float, float]] = field(default_factory=dict)

    def done(self, work: Work, tokens: float, seconds: float) -> None:
        """Take note of tokens computed in that time."""
        self.left[work] = max(0.0, self.left.get(work, 0.0) - tokens)
        before, spent = self._spent.get(work, (0.0, 0.0))
        self._spent[work] = (MEMORY * before + tokens, MEMORY * spent + seconds)

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None before anything was computed."""
        if not self._spent:
            return None
        return sum(tokens * self._seconds_per_token(work) for work, tokens in self.left.items())

    def _seconds_per_token(self, work: Work) -> float:
        if work in self._spent:
            tokens, seconds = self._spent[work]
            return seconds / max(tokens, 1.0)
        factor = TRAINING_COST if work is Work.TRAINING else 1 / TRAINING_COST
        (other,) = self._spent
        return factor * self._seconds_per_token(other)
