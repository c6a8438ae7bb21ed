"""What came of a night: values, from which the report is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from retrieval.types import JsonValue


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """What became of one source: items new, changed, unchanged and gone, documents in and deleted.

    `error` says why nothing of it was ingested. `failed` documents could not be; `failures` tells the first of them.
    """

    location: str
    error: str = ""
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    documents: int = 0
    deleted: int = 0
    failed: int = 0
    failures: Sequence[str] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class News:
    """How much is new or changed since the last training, which ended at `since` ("" for none), and how much it takes.

    `expected` are items that the sources have beyond that, where nothing is ingested yet.
    """

    documents: int
    pairs: int
    needed: int
    since: str
    expected: int = 0

    @property
    def total(self) -> int:
        """How much is new: documents, pairs, and what is expected."""
        return self.documents + self.pairs + self.expected

    @property
    def is_enough(self) -> bool:
        """Whether it is worth a training."""
        return self.total >= self.needed


class State(StrEnum):
    """What became of the training."""

    NOT_NEEDED = "not needed"
    """Too little is new."""
    NO_JUDGMENTS = "no judgments"
    """Nobody could judge what is trained."""
    PLANNED = "planned"
    """It would be done, if this was not a dry run."""
    TRAINED = "trained"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Retraining:
    """What became of the training, and why; `found` is what `tandem train --json` prints of it.

    `refused` says why what the verdict allowed was not promoted nevertheless.
    """

    state: State
    why: str = ""
    found: Mapping[str, JsonValue] = field(default_factory=dict)
    refused: str = ""

    @property
    def promoted(self) -> JsonValue:
        """The promotion as it was recorded; None where nothing was promoted."""
        return self.found.get("promoted")


@dataclass(frozen=True, slots=True)
class Night:
    """A night's work. `unkept` are the roots of documents whose sources nobody recorded."""

    collection: str
    is_dry_run: bool
    sources: Sequence[SourceOutcome]
    unkept: Sequence[str]
    news: News
    training: Retraining

    @property
    def failure(self) -> str:
        """Say what failed; "" where nothing did."""
        failed = [f"{source.location}: {source.error}" for source in self.sources if source.error]
        failed += [
            f"{source.failed} of {source.location} could not be ingested, such as {source.failures[0]}"
            for source in self.sources
            if source.failed and not source.error
        ]
        failed += [f"The training failed: {self.training.why}"] if self.training.state is State.FAILED else []
        failed += [f"The promotion was refused: {self.training.refused}"] if self.training.refused else []
        return "; ".join(failed)
