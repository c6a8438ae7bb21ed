"""What a training is asked to do, in a form that survives the process."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any, Self

from retrieval.catalog import Collection
from retrieval.catalog.pairs import Pair
from retrieval.errors import ModelError, UsageError
from retrieval.home import Home
from retrieval.types import JsonValue
from trainer.findings import MINIMUM_EFFECT
from trainer.finetuning import Estimate
from trainer.training_set import Method, TrainingSettings

MAX_PAIRS = 20_000
CURVE = (0.25, 0.5)
"""Shares of the pairs that are trained on besides all of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train and what judges it.

    `base` is the version that what is tuned has to beat, and `start` the one that is tuned: the same, unless the base
    only maps queries to another one's passages. `sources` are the kinds of pairs to train on, () for all. `budget_s`
    bounds what fine-tuning takes, the learning curve included; 0 does not. `canary` names a judgment set, as NAME or
    COLLECTION/NAME; "" is Python's documentation, and "none" asks nothing.
    """

    base: str
    start: str
    judgments: str
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    sources: tuple[str, ...] = ()
    max_pairs: int = MAX_PAIRS
    budget_s: float = 0.0
    curve: tuple[float, ...] = CURVE
    canary: str = ""
    minimum_effect: float = MINIMUM_EFFECT
    collection_id: int = 0
    """The row of the collection, which another one of its name does not have."""

    def record(self) -> dict[str, JsonValue]:
        """Return the plan as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read a plan that `record` wrote."""
        settings = dict(record["settings"])
        settings |= {"method": Method(settings["method"]), "matryoshka": tuple(settings["matryoshka"])}
        lists = {name: tuple(record[name]) for name in ("sources", "curve")}
        return cls(**{**record, **lists, "settings": TrainingSettings(**settings)})

    def seconds(self, one: Estimate, share: float = 1.0) -> float:
        """Return what fine-tuning and its learning curve take on a share of the pairs; `one` is for all, once.

        Loading and ranking dev queries take the same however many pairs there are.
        """
        return one.fixed_s * (1 + len(self.curve)) + share * (one.seconds - one.fixed_s) * (1 + sum(self.curve))

    def share_within_budget(self, one: Estimate) -> float:
        """Return the share of the pairs that the budget allows to train on, at most 1."""
        if not self.budget_s:
            return 1.0
        steps_s = self.seconds(one) - self.seconds(one, 0.0)
        left_s = self.budget_s - self.seconds(one, 0.0)
        if left_s >= steps_s:
            return 1.0
        return left_s / steps_s if left_s > 0 else 0.0

    def chosen(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Return the pairs of the sources to train on; UsageError where there is none."""
        kept = [pair for pair in pairs if not self.sources or pair.source in self.sources]
        if not kept:
            known = ", ".join(sorted({pair.source for pair in pairs})) or "none"
            raise UsageError(
                f"There is no pair of {', '.join(self.sources) or 'any source'} (there are: {known}). `tandem pairs "
                "import` brings some, `tandem pairs mine` mines some."
            )
        return kept

    def drawn(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Return at most `max_pairs`: first those brought from elsewhere, then mined ones, evenly from all groups."""
        taken: Counter[str] = Counter()
        ranked: list[tuple[bool, int, bytes, int]] = []
        for place, pair in sorted(enumerate(pairs), key=lambda entry: self._chance(entry[1])):
            ranked.append((pair.is_mined, taken[pair.group], self._chance(pair), place))
            taken[pair.group] += 1
        places = sorted(place for *_, place in sorted(ranked)[: self.max_pairs])
        return [pairs[place] for place in places]

    def _chance(self, pair: Pair) -> bytes:
        written = f"{self.settings.seed}\0{pair.query}\0{pair.document}".encode("utf-8", "surrogatepass")
        return blake2b(written, digest_size=8).digest()


def starting_point(home: Home, collection: Collection) -> str:
    """Return the version whose weights are tuned: the collection's own, or the one that it maps queries for.

    Raises ModelError where the collection has no model, or where the weights of its own were deleted.
    """
    if not collection.config.model:
        raise ModelError(f"Collection {collection.name!r} has no model yet: `tandem ingest PATH` gives it one.")
    active = home.catalog.models.get(collection.config.model)
    for record in home.catalog.models.list():
        if record.fingerprint == active.passage_fingerprint:
            return record.version
    raise ModelError(
        f"{active.version!r} maps queries to the passages of a model that is not here any more; `tandem models add` "
        "brings it back."
    )
