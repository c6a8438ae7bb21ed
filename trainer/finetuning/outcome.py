"""What a training gave, whatever was trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.types import JsonValue
from trainer.finetuning.interpolation import chosen, ranks_as_chance


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training gave. `values` are nDCG@10 of the dev queries by lambda, `curve` their means by step.

    `chance` is what these queries would have by chance.

    `write` puts the model with a lambda into a folder; `details` go into the provenance.
    """

    values: Mapping[float, Sequence[float]]
    curve: Sequence[tuple[int, float]]
    chance: float
    stopped_early: bool
    device: str
    write: Callable[[Path, float], None]
    details: Mapping[str, JsonValue]

    @property
    def means(self) -> dict[float, float]:
        """Mean nDCG@10 of the dev queries by lambda."""
        return {share: float(np.mean(values)) for share, values in self.values.items()}

    @property
    def share(self) -> float:
        """The lambda that dev chooses."""
        return chosen(self.values, chance=self.chance)

    @property
    def is_chance(self) -> bool:
        """Whether dev queries are ranked no better than by chance, so that they choose nothing."""
        return ranks_as_chance(self.values, self.chance)
