"""What a training found: the values that a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.types import JsonValue
from trainer.findings import Comparison, Report, Verdict
from trainer.training.canary import Canary
from trainer.training.learning_curve import CurvePoint

KEEP_THE_BASE = "keep the base"
"""Said instead of a verdict where no weight of the tuned model was better than the base on dev."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What dev queries chose: the weight of the tuned model, from 0 (the base) to 1, and mean nDCG@10 of each weight.

    `steps` are the mean nDCG@10 after so many steps of training, the first before any.
    """

    weight: float
    by_weight: Mapping[str, float]
    steps: Sequence[tuple[int, float]]
    queries: int
    is_chance: bool = False
    """Whether no weight ranked these queries better than chance would."""


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Training pairs by source, and why others are not among them: by mining, by the split, or as they choose."""

    sources: Mapping[str, int]
    dropped: Mapping[str, int]
    left_out: Mapping[str, int]
    held_out: str
    concerns: Sequence[str]
    choosing: int = 0

    @property
    def in_all(self) -> int:
        """How many there were before any was dropped."""
        parts = (self.sources, self.dropped, self.left_out)
        return sum(sum(counts.values()) for counts in parts) + self.choosing


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """A training from pairs to verdict.

    `report` measures the arms, and compares hybrid search with the tuned model to hybrid search with the base unless
    the base is kept; `embedding` compares the two by embedding alone, which decides nothing.
    """

    report: Report
    embedding: Comparison | None
    base: str
    version: str
    method: str
    choice: Choice
    pairs: PairCounts
    curve: Sequence[CurvePoint]
    canary: Canary | None
    seconds: Mapping[str, float]
    """By step: fine-tuning, embedding, ..."""
    pairs_per_s: float
    device: str
    settings: Mapping[str, JsonValue]
    tried: int = 1
    """How many tuned models, this one included, were compared on these judgments."""

    @property
    def keeps_base(self) -> bool:
        """Whether there is no tuned model to compare."""
        return not self.choice.weight

    @property
    def comparison(self) -> Comparison | None:
        """Hybrid search with the tuned model against hybrid search with the base."""
        return self.report.comparisons[0] if self.report.comparisons else None

    @property
    def verdict(self) -> str:
        """The comparison's, or that the base is kept."""
        return self.comparison.verdict.value if self.comparison else KEEP_THE_BASE

    @property
    def may_be_promoted(self) -> bool:
        """Whether the tuned model is better, and was asked what it forgot, which was nothing that matters."""
        is_better = self.comparison is not None and self.comparison.verdict is Verdict.BETTER
        return is_better and self.canary is not None and not self.canary.is_vetoed
