"""tandem compare"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.catalog import Catalog, Collection
from retrieval.console import (
    DEFAULT,
    CollectionOption,
    HomeOption,
    JsonOption,
    finite,
    note,
    opened,
    print_json,
    print_line,
    table,
)
from retrieval.errors import UsageError
from retrieval.home import Home
from trainer.arms import REFERENCE, Arm, parse_arms
from trainer.commands.asked import JudgmentsOption, QrelsOption, QueriesOption, asked, from_files
from trainer.commands.reports import check_report, write_report
from trainer.evaluation_set import EvaluationSet
from trainer.findings import MINIMUM_EFFECT

if TYPE_CHECKING:
    from trainer.findings import Comparison, Report
    from trainer.training.canary import Canary


def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="The arm there is: keyword, hybrid, hybrid@VERSION, ...")],
    b: Annotated[str, typer.Argument(metavar="B", help="The arm that must be better.")],
    queries: QueriesOption = None,
    qrels: QrelsOption = None,
    judgments: JudgmentsOption = None,
    against: Annotated[
        str | None, typer.Option("--also", metavar="ARM,...", help="Further arms to compare against A.")
    ] = None,
    minimum_effect: Annotated[
        float, typer.Option(min=0.0, max=0.5, callback=finite, help="The least difference of nDCG@10 worth having.")
    ] = MINIMUM_EFFECT,
    field: Annotated[
        str, typer.Option("--slice-by", metavar="FIELD", help="Look at each value of this metadata field too.")
    ] = "",
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Write a page to read, and the same as JSON beside.")
    ] = None,
    home: HomeOption = None,
    collection: CollectionOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Say whether arm B is better than arm A, worse, no different, or whether nobody can tell yet."""
    from trainer.compare import Declared
    from trainer.compare import compare as run_comparison
    from trainer.training.keeping import keep_verdict

    if report is not None:
        check_report(report)
    read = from_files(queries, qrels, judgments)
    with opened(context, home) as opened_home:
        target = opened_home.catalog.collections.get(collection)
        pairs = _pairs(a, b, against, target.config.model)
        judged, name = asked(read, opened_home.catalog, target, judgments)
        declared = Declared(pairs, (Arm(REFERENCE),), name, minimum_effect, field)
        _tell_what_is_special(judged, opened_home.catalog, declared.arms)
        found = run_comparison(opened_home, target, judged, declared, on_arm=lambda arm: note(f"Ranking with {arm}"))
        keep_verdict(opened_home.catalog, target, found, _canary(opened_home, target, found))
    if report is not None:
        from trainer.report import html, to_json

        write_report(report, html(found), to_json(found))
    if as_json:
        from trainer.report import compare_json

        print_json(compare_json(found.comparisons[0], found))
    else:
        _print(found)


def _pairs(a: str, b: str, against: str | None, active: str) -> list[tuple[Arm, Arm]]:
    first, *others = (_arm(name, active) for name in (a, b))
    others += parse_arms(against, active) if against else ()
    if first in others:
        raise UsageError(f"{first} cannot be compared with itself; give two arms.")
    return [(first, arm) for arm in dict.fromkeys(others)]


def _tell_what_is_special(judged: EvaluationSet, catalog: Catalog, arms: Sequence[Arm]) -> None:
    from trainer.trained_on import unseen

    if judged.masks:
        note(
            f"Hiding what gives {len(judged.masks)} mined queries away: their documents are embedded again without "
            "it, once for each model, which may take minutes"
        )
    kept = unseen(judged, catalog, [arm.version for arm in arms if arm.version])
    if len(kept.queries) < len(judged.queries):
        note(
            f"Leaving out {len(judged.queries) - len(kept.queries)} of {len(judged.queries)} queries: a model was "
            "trained on the documents that they want"
        )


def _canary(home: Home, collection: Collection, found: "Report") -> "Canary | None":
    """Ask what a tuned model has forgotten, if it is better and was not asked yet: a promotion wants to know."""
    from trainer.training.canary_sets import ask_canary
    from trainer.training.keeping import known_canary, version_of

    main = found.comparisons[0]
    before, after = version_of(main.a), version_of(main.b)
    if main.verdict != "better" or not (before and after and found.judgments):
        return None
    if not home.catalog.models.get(after).provenance.get("training"):
        return None
    if known_canary(home.catalog, collection, main.a, main.b):
        return None
    note("Asking the tuned model what has nothing to do with the collection")
    return ask_canary(home, collection, "", (before, after))


def _arm(written: str, active: str) -> Arm:
    arms = parse_arms(written, active)
    if len(arms) != 1:
        raise UsageError(f"{written!r} names {len(arms)} arms where one is wanted; more go after --also.")
    return arms[0]


def _print(found: "Report") -> None:
    measures = list(found.arms[0].measures)
    rows = [[arm.arm, *(f"{arm.measures[name]:.4f}" for name in measures)] for arm in found.arms]
    table(rows, ["ARM", *(name.upper() for name in measures)])
    for comparison in found.comparisons:
        print_line()
        _print_comparison(comparison)
    from trainer.report import summary

    print_line()
    print_line("What to do next:")
    for step in summary(found).next_steps:
        print_line(f"- {step}")


def _print_comparison(comparison: "Comparison") -> None:
    contrast = comparison.contrast
    print_line(f"{comparison.b} against {comparison.a}: {comparison.verdict}")
    for reason in comparison.reasons:
        print_line(f"  {reason}")
    print_line(f"  {contrast.wins} queries won, {contrast.ties} tied, {contrast.losses} lost.")
    if comparison.slices:
        rows = [
            [
                f"  {one.name}",
                str(one.contrast.queries),
                f"{one.contrast.effect:+.4f}",
                f"{one.contrast.low:+.4f} to {one.contrast.high:+.4f}",
                "worse" if one.regressed else "",
            ]
            for one in comparison.slices
        ]
        table(rows, ["  SLICE", "QUERIES", "EFFECT", "95 % INTERVAL", ""])
