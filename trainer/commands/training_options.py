"""What `tandem train` and `tandem pairs export` are told alike: how to train, on which pairs, judged by what."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.catalog import Collection
from retrieval.console import finite
from retrieval.errors import NotFound, UsageError
from retrieval.home import Home
from trainer.commands.asked import asked
from trainer.findings import MINIMUM_EFFECT

if TYPE_CHECKING:
    from trainer.evaluation_set import EvaluationSet
    from trainer.training.plan import Plan
    from trainer.training_set import TrainingSettings

MethodOption = Annotated[
    str,
    typer.Option(
        "--method", help="full: every weight; lora: changes of low rank; adapter: a map of the queries, the quickest."
    ),
]
SourcesOption = Annotated[
    str | None,
    typer.Option("--sources", metavar="SOURCE,...", help="Only pairs of these sources, such as human,mined:title."),
]
MaxPairsOption = Annotated[int | None, typer.Option("--max-pairs", min=1, help="At most so many pairs.")]
EpochsOption = Annotated[int | None, typer.Option("--epochs", min=1, help="How often every pair is seen.")]
RateOption = Annotated[float | None, typer.Option("--learning-rate", callback=finite, help="By default the method's.")]
BatchOption = Annotated[int | None, typer.Option("--batch-size", min=2, help="Pairs told apart at once.")]
NegativesOption = Annotated[
    int | None, typer.Option("--negatives", min=0, help="Passages a pair beside its answer, of those both legs find.")
]
TemperatureOption = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        min=0,
        callback=finite,
        help="How evenly a query is shared out among these, as both legs have it; 0: not at all.",
    ),
]
MatryoshkaOption = Annotated[
    str,
    typer.Option("--matryoshka", metavar="SIZE,...", help="Let the first so many dimensions serve by themselves too."),
]
BudgetOption = Annotated[
    float,
    typer.Option(
        "--budget",
        min=0,
        callback=finite,
        metavar="MINUTES",
        help="Take only so many pairs that tuning ends within; 0: all.",
    ),
]
CurveOption = Annotated[
    bool, typer.Option("--curve/--no-curve", help="Tune on a quarter and on half of the pairs too.")
]
CanaryOption = Annotated[
    str,
    typer.Option(
        "--canary",
        metavar="[COLLECTION/]NAME",
        help="A judgment set of general queries; none asks nothing. [queries mined from Python's documentation]",
    ),
]
MinimumEffectOption = Annotated[
    float,
    typer.Option(
        "--minimum-effect", min=0.0, max=0.5, callback=finite, help="The least difference of nDCG@10 worth having."
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Decides splits, batches and samples.")]

BUDGET_MINUTES = 60.0
NO_JUDGMENTS = (
    "Collection {name!r} has no judged queries, and nothing is trained that nobody could judge. Bring queries with the "
    "documents that answer them: `tandem judgments import --queries FILE --qrels FILE -c {name}`; or make some of the "
    "documents: `tandem judgments mine -c {name}`."
)


@dataclass(frozen=True, slots=True)
class HowToTrain:
    """The options' values; None leaves a setting at its default."""

    method: str
    sources: str | None
    max_pairs: int | None
    epochs: int | None
    learning_rate: float | None
    batch_size: int | None
    negatives: int | None
    temperature: float | None
    matryoshka: str
    seed: int

    def settings(self) -> "TrainingSettings":
        """Return the settings; raises UsageError for a value that nothing can be trained with."""
        from trainer.training_set import Method, TrainingSettings

        if self.method not in list(Method):
            raise UsageError(f"--method {self.method!r} is unknown; choose one of {', '.join(Method)}.")
        steps = ("epochs", "learning_rate", "batch_size")
        if self.method == Method.ADAPTER and (given := [name for name in steps if getattr(self, name) is not None]):
            named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise UsageError(f"An adapter finds its own steps; leave {named} out, or train with another --method.")
        chosen: dict[str, Any] = {
            name: value
            for name in ("epochs", "learning_rate", "batch_size", "negatives", "temperature")
            if (value := getattr(self, name)) is not None
        }
        return TrainingSettings(
            method=Method(self.method), matryoshka=_sizes(self.matryoshka), seed=self.seed, **chosen
        )

    def plan(self, home: Home, collection: Collection, judgments: str, limits: "Limits | None" = None) -> "Plan":
        """Return a plan; raises ModelError where the collection has no model."""
        from trainer.training.plan import CURVE, MAX_PAIRS, Plan, starting_point

        limits = limits or Limits()
        _check_sizes(self.settings().matryoshka, home, collection)
        return Plan(
            base=collection.config.model,
            start=starting_point(home, collection),
            judgments=judgments,
            collection_id=collection.id,
            settings=self.settings(),
            sources=self._sources(),
            max_pairs=self.max_pairs or MAX_PAIRS,
            budget_s=60 * limits.budget_minutes,
            curve=CURVE if limits.curve else (),
            canary=limits.canary,
            minimum_effect=limits.minimum_effect,
        )

    def _sources(self) -> tuple[str, ...]:
        """Return the sources to take pairs of, none for all; UsageError where the list that was given names none."""
        found = _listed(self.sources or "")
        if self.sources is not None and not found:
            raise UsageError(f"The list of sources {self.sources!r} names none; leave it out to take pairs of all.")
        return found


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a training may take, and what its verdict is held to."""

    budget_minutes: float = 0.0
    canary: str = ""
    minimum_effect: float = MINIMUM_EFFECT
    curve: bool = False


def judged_by(home: Home, collection: Collection, name: str | None) -> "tuple[EvaluationSet, str]":
    """Return the collection's judgment set and its name; UsageError says how to get one where there is none."""
    if name is None and not home.catalog.judgments.list(collection):
        raise UsageError(NO_JUDGMENTS.format(name=collection.name))
    try:
        return asked(None, home.catalog, collection, name)
    except NotFound as error:
        raise UsageError(str(error)) from None


def _check_sizes(sizes: tuple[int, ...], home: Home, collection: Collection) -> None:
    if not sizes or not collection.config.model:
        return
    dimensions = home.catalog.models.get(collection.config.model).dimensions
    if max(sizes) > dimensions:
        raise UsageError(f"--matryoshka {max(sizes)} is more than the model's {dimensions} dimensions; give fewer.")


def _listed(written: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in written.split(",") if part.strip()))


def _sizes(written: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _listed(written))
    except ValueError:
        raise UsageError(f"--matryoshka {written!r} is not a list of whole numbers; write 256,128,64.") from None
