"""The kinds of jobs: what each is told, and the command that does it.

A job is a `tandem` command that a person could type. So whatever a command promises, its jobs promise: what it checks,
what it tells, what survives a kill.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from indexer.sources.fields import published_at
from retrieval.catalog.job import Work
from retrieval.errors import UsageError
from retrieval.types import JsonValue
from service.problems import faults

MAX_SOURCES = 100
MAX_CHARS = 2_000

Text = Annotated[str, Field(max_length=MAX_CHARS)]
Source = Annotated[str, Field(min_length=1, max_length=MAX_CHARS, pattern=r"^[^-\x00][^\x00]*$")]
Positive = Annotated[int, Field(ge=1, le=10_000_000)]


class Parameters(BaseModel):
    """What a job is told, each under the name of its command's option; every field is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def words(self) -> list[str]:
        """Return what follows the command."""
        return list(_options(self))


class NoParameters(Parameters):
    """A job that needs no more than its collection."""


class IngestParameters(Parameters):
    """What to ingest, as `tandem ingest` takes it."""

    sources: Annotated[list[Source], Field(min_length=1, max_length=MAX_SOURCES)]
    format: Text = "auto"
    prune: bool = False
    base_url: Annotated[Text | None, AfterValidator(published_at)] = None
    id_prefix: Text = ""
    metadata: Annotated[dict[Text, Text], Field(max_length=100)] = {}

    def words(self) -> list[str]:
        """Return the options, then the sources."""
        meta = [f"--meta={name}={value}" for name, value in self.metadata.items()]
        return [*_options(self, without=("sources", "metadata")), *meta, "--", *self.sources]


class EmbedParameters(Parameters):
    """The model whose vectors are computed."""

    version: Source
    searchable: bool = False

    def words(self) -> list[str]:
        """Return the option, then the version."""
        return [*_options(self, without=("version",)), "--", self.version]


class EvaluateParameters(Parameters):
    """What is measured by which judgment set."""

    judgments: Text | None = None
    arms: Text | None = None


class CompareParameters(Parameters):
    """The arm there is, the arm that must be better, and by what."""

    a: Source
    b: Source
    also: Text | None = None
    judgments: Text | None = None
    minimum_effect: Annotated[float | None, Field(ge=0, le=0.5)] = None
    slice_by: Text | None = None

    def words(self) -> list[str]:
        """Return the options, then both arms."""
        return [*_options(self, without=("a", "b")), "--", self.a, self.b]


class HowToTrain(Parameters):
    """How to train, and what judges it."""

    method: Literal["full", "lora", "adapter"] | None = None
    judgments: Text | None = None
    max_pairs: Positive | None = None
    budget: Annotated[float | None, Field(ge=0, le=100_000, description="Minutes.")] = None
    curve: bool | None = None
    epochs: Annotated[int | None, Field(ge=1, le=1_000)] = None
    learning_rate: Annotated[float | None, Field(gt=0, le=1)] = None
    batch_size: Annotated[int | None, Field(ge=2, le=65_536)] = None
    negatives: Annotated[int | None, Field(ge=0, le=16)] = None
    temperature: Annotated[float | None, Field(ge=0, le=100)] = None
    matryoshka: Text | None = None
    seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None
    canary: Text | None = None
    minimum_effect: Annotated[float | None, Field(ge=0, le=0.5)] = None


class TrainParameters(HowToTrain):
    """How to train, as `tandem train` takes it."""

    sources: Text | None = None
    promote: bool = False


class NightlyParameters(HowToTrain):
    """When and how to train, as `tandem nightly` takes it."""

    min_new: Positive | None = None
    pair_sources: Text | None = None
    promote: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job, and the command that does it."""

    name: str
    command: tuple[str, ...]
    parameters: type[Parameters]
    about: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("ingest", ("ingest",), IngestParameters, "Bring writing into a collection."),
        Kind("reindex", ("reindex",), NoParameters, "Make the index again from the catalog."),
        Kind("embed", ("models", "embed"), EmbedParameters, "Compute a model's vectors of a collection."),
        Kind("evaluate", ("evaluate",), EvaluateParameters, "Measure arms by judged queries."),
        Kind("compare", ("compare",), CompareParameters, "Say whether one arm is better than another."),
        Kind("train", ("train",), TrainParameters, "Fine-tune the model, and say if it is worth it."),
        Kind("nightly", ("nightly",), NightlyParameters, "Ingest the sources again, and train if enough is new."),
        Kind("audit", ("audit",), NoParameters, "Report what to clean in the writing."),
    )
}


def work_of(kind: str, collection: str, parameters: dict[str, Any]) -> Work:
    """Return work that is checked; raises UsageError for a kind or parameter that there is not."""
    if kind not in KINDS:
        raise UsageError(f"There is no kind of job {kind!r}; choose one of {', '.join(KINDS)}.")
    try:
        read = KINDS[kind].parameters.model_validate(parameters)
    except ValidationError as error:
        raise UsageError(
            f"A job of kind {kind!r} cannot be told this: {faults(error.errors(), 'parameters')}."
        ) from None
    told: dict[str, JsonValue] = read.model_dump(mode="json", exclude_defaults=True)
    return Work(kind, collection, told)


def collections_of(work: Work) -> list[str]:
    """Return the collections that work reads: its own, and the one that its canary's judgment set is about."""
    other, slash, _ = str(work.parameters.get("canary", "")).rpartition("/")
    return [work.collection, other] if slash else [work.collection]


def command_of(work: Work) -> list[str]:
    """Return the words of the command that does the work, its result as JSON."""
    kind = KINDS[work.kind]
    words = kind.parameters.model_validate(dict(work.parameters)).words()
    return [*kind.command, f"--collection={work.collection}", "--json", *words]


def _options(parameters: Parameters, *, without: Sequence[str] = ()) -> Iterator[str]:
    """Write every value that differs from its default as an option, in one word, so that none is taken for another."""
    for name, field in type(parameters).model_fields.items():
        value = getattr(parameters, name)
        if name in without or value is None or value == field.default:
            continue
        option = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{option}" if value else f"--no-{option}"
        else:
            yield f"--{option}={value}"
