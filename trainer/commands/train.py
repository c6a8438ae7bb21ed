"""tandem train"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.progress import duration
from retrieval.catalog import Collection
from retrieval.console import (
    DEFAULT,
    CollectionOption,
    HomeOption,
    JsonOption,
    note,
    opened,
    print_json,
    print_line,
    table,
)
from retrieval.errors import TandemError, UsageError
from retrieval.home import Home
from retrieval.types import JsonValue
from trainer.commands.asked import JudgmentsOption
from trainer.commands.reports import check_report, write_report
from trainer.commands.training_options import (
    BUDGET_MINUTES,
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
    SourcesOption,
    TemperatureOption,
    judged_by,
)
from trainer.commands.training_progress import ended_by_sigterm, told
from trainer.findings import MINIMUM_EFFECT

if TYPE_CHECKING:
    from trainer.training.findings import TrainingReport
    from trainer.training.run import TrainingRun


def train(
    context: typer.Context,
    method: MethodOption = "full",
    judgments: JudgmentsOption = None,
    sources: SourcesOption = None,
    max_pairs: MaxPairsOption = None,
    budget: BudgetOption = BUDGET_MINUTES,
    curve: CurveOption = True,
    epochs: EpochsOption = None,
    learning_rate: RateOption = None,
    batch_size: BatchOption = None,
    negatives: NegativesOption = None,
    temperature: TemperatureOption = None,
    matryoshka: MatryoshkaOption = "",
    seed: SeedOption = 0,
    canary: CanaryOption = "",
    minimum_effect: MinimumEffectOption = MINIMUM_EFFECT,
    promote: Annotated[bool, typer.Option("--promote", help="Promote the tuned model if its verdict allows.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be trained on, and how long it takes.")
    ] = False,
    job: Annotated[str, typer.Option("--job", hidden=True, help="The job that this is done for.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that was stopped last.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write the report here too, and the same as JSON.")
    ] = None,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune the embedding model on pairs of the collection, and say whether it is worth it."""
    if report is not None:
        check_report(report)
    how = HowToTrain(
        method, sources, max_pairs, epochs, learning_rate, batch_size, negatives, temperature, matryoshka, seed
    )
    if dry_run and resume:
        raise UsageError(
            "--dry-run tells of a training to begin, and --resume goes on with one; leave one of them out."
        )
    limits = Limits(budget, canary, minimum_effect, curve=curve)
    with opened(context, home) as opened_home, ended_by_sigterm():
        target = opened_home.catalog.collections.get(collection)
        if dry_run:
            _foretell(opened_home, target, how, limits, judgments, as_json=as_json)
            return
        found, page = (
            _resumed(opened_home, target) if resume else _begun(opened_home, target, how, limits, judgments, job=job)
        )
        body = _body(found, page)
        refused = _promoted(opened_home, target, body) if promote else None
    if as_json:
        print_json(body)
    else:
        _print(found, page)
    if report is not None:
        try:
            write_report(report, page.read_text(encoding="utf-8"), body)
        except UsageError as error:
            if refused is None:
                raise
            note(str(error))
    if refused is not None:
        raise refused


def _begun(
    home: Home, collection: Collection, how: HowToTrain, limits: Limits, judgments: str | None, *, job: str
) -> "tuple[TrainingReport, Path]":
    """Begin a training and carry it out; return what came of it, and where its page is."""
    from trainer.training.run import TrainingRun, alone

    _, name = judged_by(home, collection, judgments)
    plan = how.plan(home, collection, name, limits)
    check_canary(home, collection, limits.canary)
    with alone(home.settings, collection.name):
        run = TrainingRun.begin(home.settings, collection.name, plan.record(), job=job)
        return _carried_out(home, collection, run)


def _resumed(home: Home, collection: Collection) -> "tuple[TrainingReport, Path]":
    from trainer.training.run import TrainingRun, alone

    with alone(home.settings, collection.name):
        run = TrainingRun.unfinished(home.settings, collection.name)
        plan = run.plan
        note(
            f"Going on with training {run.number} as it was begun: method {plan['settings']['method']}, judged by "
            f"{plan['judgments']!r}; other options are not looked at"
        )
        return _carried_out(home, collection, run)


def check_canary(home: Home, collection: Collection, name: str) -> None:
    """Raise NotFound for a canary that is not there before anything is trained."""
    from trainer.training.canary_sets import NONE, canary_set

    if name and name != NONE:
        canary_set(home, collection, name)


def _carried_out(home: Home, collection: Collection, run: "TrainingRun") -> "tuple[TrainingReport, Path]":
    from trainer.finetuning import TrainingInterrupted
    from trainer.train import train as carry_out
    from trainer.training.run import TrainingRun

    try:
        with told() as telling:
            return carry_out(home, collection, run, telling), run.report
    except KeyboardInterrupt:
        goes_on = TrainingRun.unfinished(home.settings, collection.name)
        raise TrainingInterrupted(
            f"Training {run.number} of {collection.name!r} was interrupted; `tandem train --resume` goes on with "
            + ("it." if goes_on == run else f"training {goes_on.number}, which was begun before.")
        ) from None


def _foretell(
    home: Home, collection: Collection, how: HowToTrain, limits: Limits, judgments: str | None, *, as_json: bool
) -> None:
    """Print what would be trained on, and how long it takes."""
    from trainer.training.forecast import forecast

    judged, name = judged_by(home, collection, judgments)
    check_canary(home, collection, limits.canary)
    with told() as telling:
        found = forecast(home, collection, judged, how.plan(home, collection, name, limits), telling)
    if as_json:
        print_json(asdict(found))
        return
    table([[source, str(count)] for source, count in found.sources.items()], ["SOURCE", "PAIRS"])
    print_line(f"{found.dev_queries} queries choose, {found.test_queries} judge.")
    for reason, count in found.left_out.items():
        print_line(f"Left out {count}: {reason}")
    took = ", ".join(f"{name} {duration(seconds)}" for name, seconds in found.seconds.items())
    print_line(f"About {duration(sum(found.seconds.values()))}: {took}; the evaluation comes on top.")


def _promoted(home: Home, collection: Collection, body: dict[str, JsonValue]) -> TandemError | None:
    from trainer.training.promoting import promoted

    return promoted(home, collection, body, note)


def _body(found: "TrainingReport", page: Path) -> dict[str, JsonValue]:
    from trainer.report.training import training_json

    return {**training_json(found), "report": str(page)}


def _print(found: "TrainingReport", page: Path) -> None:
    from trainer.report.training_story import headline, how_sure, was_it_worth_it, what_it_cost, what_next

    measures = list(found.report.arms[0].measures)
    rows = [[arm.arm, *(f"{arm.measures[name]:.4f}" for name in measures)] for arm in found.report.arms]
    table(rows, ["ARM", *(name.upper() for name in measures)])
    print_line()
    print_line(headline(found))
    for title, said in (
        ("Was it worth it?", was_it_worth_it(found)),
        ("How sure is that?", how_sure(found)),
        ("What did it cost?", what_it_cost(found)),
        ("What to do next:", what_next(found)),
    ):
        print_line()
        print_line(title)
        for sentence in said:
            print_line(f"- {sentence}")
    print_line()
    print_line(f"Report: {page}")
