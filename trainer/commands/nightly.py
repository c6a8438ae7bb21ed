"""tandem nightly"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.commands.ingest import bring_in, planned
from indexer.ingest import Summary
from indexer.plan import Plans
from indexer.sources import Source, SourceOptions
from retrieval.catalog.sources import KeptSource
from retrieval.console import DEFAULT, CollectionOption, HomeOption, JsonOption, opened, print_json, print_line
from retrieval.errors import TandemError
from retrieval.home import Home
from retrieval.status_line import StatusLine
from trainer.commands.asked import JudgmentsOption
from trainer.commands.train import check_canary
from trainer.commands.training_options import (
    BUDGET_MINUTES,
    NO_JUDGMENTS,
    BatchOption,
    BudgetOption,
    CanaryOption,
    CurveOption,
    EpochsOption,
    HowToTrain,
    Limits,
    MatryoshkaOption,
    MaxPairsOption,
    MethodOption,
    MinimumEffectOption,
    NegativesOption,
    RateOption,
    SeedOption,
    TemperatureOption,
    judged_by,
)
from trainer.commands.training_progress import ended_by_sigterm, told
from trainer.findings import MINIMUM_EFFECT

if TYPE_CHECKING:
    from trainer.nightly.night import Asked
    from trainer.nightly.outcome import Night

MIN_NEW = 100
"""Fewer documents change a model that was tuned on thousands of pairs by less than a verdict can see, and each training
is one more draw at the same judgments."""


class NightFailed(TandemError):
    """Something of a night's work failed; the rest was done."""


def nightly(
    context: typer.Context,
    min_new: Annotated[
        int, typer.Option(min=1, help="Train where so many documents and brought pairs are new or changed.")
    ] = MIN_NEW,
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Promote the tuned model if its verdict allows.")
    ] = True,
    method: MethodOption = "full",
    judgments: JudgmentsOption = None,
    pair_sources: Annotated[
        str | None, typer.Option(metavar="SOURCE,...", help="Only pairs of these sources, such as human,mined:title.")
    ] = None,
    max_pairs: MaxPairsOption = None,
    budget: BudgetOption = BUDGET_MINUTES,
    curve: CurveOption = False,
    epochs: EpochsOption = None,
    learning_rate: RateOption = None,
    batch_size: BatchOption = None,
    negatives: NegativesOption = None,
    temperature: TemperatureOption = None,
    matryoshka: MatryoshkaOption = "",
    seed: SeedOption = 0,
    canary: CanaryOption = "",
    minimum_effect: MinimumEffectOption = MINIMUM_EFFECT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    job: Annotated[str, typer.Option("--job", hidden=True, help="The job that this is done for.")] = "",
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Ingest a collection's sources again, train if enough is new, and promote what proves better.

    Where nothing is new, nothing is done; a source that fails does not cost the others.
    """
    from trainer.nightly.night import Asked
    from trainer.nightly.report import night_json

    how = HowToTrain(
        method, pair_sources, max_pairs, epochs, learning_rate, batch_size, negatives, temperature, matryoshka, seed
    )
    how.settings()
    limits = Limits(budget, canary, minimum_effect, curve=curve)
    with opened(context, home) as opened_home, ended_by_sigterm():
        judged = _checked(opened_home, collection, how, limits, judgments)
        asked = Asked(
            plan=lambda target: how.plan(opened_home, target, judged, limits),
            min_new=min_new,
            missing="" if judged else NO_JUDGMENTS.format(name=collection),
            may_promote=promote,
            job=job,
        )
        night = (_foreseen if dry_run else _carried_out)(opened_home, collection, asked)
    if as_json:
        print_json(night_json(night))
    else:
        _print(night)
    if night.failure:
        raise NightFailed(night.failure)


def _checked(home: Home, name: str, how: HowToTrain, limits: Limits, judgments: str | None) -> str:
    """Return the name of the judgment set, "" where there is none; raises what is wrong with what was asked for."""
    collection = home.catalog.collections.get(name)
    check_canary(home, collection, limits.canary)
    if judgments is None and not home.catalog.judgments.list(collection):
        return ""
    _, judged = judged_by(home, collection, judgments)
    if collection.config.model:
        how.plan(home, collection, judged, limits)
    return judged


def _carried_out(home: Home, name: str, asked: "Asked") -> "Night":
    from trainer.nightly.night import carry_out

    def ingest(source: KeptSource, opened: Sequence[Source], options: SourceOptions) -> Summary:
        StatusLine().step(f"Ingesting {source.location}")
        return bring_in(home, name, {source.location: opened}, options, prune=source.options.prune)

    with told() as telling:
        return carry_out(home, name, asked, ingest, telling)


def _foreseen(home: Home, name: str, asked: "Asked") -> "Night":
    from trainer.nightly.night import foresee

    def look(opened: Sequence[Source], options: SourceOptions) -> Plans:
        return planned(home, name, opened, options)

    return foresee(home, name, asked, look)


def _print(night: "Night") -> None:
    from trainer.nightly.report import headline, lines

    print_line(f"{night.collection}: {headline(night)}.")
    for line in lines(night):
        print_line(f"- {line}")
