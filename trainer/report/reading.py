"""What the summary and the page both ask of a report."""

from collections.abc import Sequence

from trainer.findings import ArmSummary, Comparison, Cost, Report, SliceResult, Verdict
from trainer.query_records import is_mined
from trainer.report.figures import is_finite

JUDGED = "judged@10"
TOTAL = "total"
HOLES = 0.8
"""A share of judged documents below which so much counts as irrelevant unseen that a measure means less."""
UNEVEN = 0.05
"""A difference of two arms' shares of judged documents from which one of them is at a disadvantage."""
SMALL_SLICE = 30
"""Queries below which a slice shows only a large change."""


def asked(report: Report) -> int:
    """Return the number of queries."""
    return sum(report.sources.values())


def mined(report: Report) -> int:
    """Return the number of mined queries."""
    return sum(size for source, size in report.sources.items() if is_mined(source))


def all_mined(report: Report) -> bool:
    """Say whether nobody asked any of the queries."""
    return 0 < mined(report) == asked(report)


def judged_shares(report: Report) -> dict[str, float]:
    """Return the share of each arm's first ten documents that has a grade, where it is known."""
    return {arm.arm: share for arm in report.arms if is_finite(share := arm.measures.get(JUDGED)) and share is not None}


def called(report: Report, arm: str) -> str:
    """Return what the summary calls an arm: A or B in the main comparison, else its name."""
    main = report.comparisons[0] if report.comparisons else None
    return {main.a: "A", main.b: "B"}.get(arm, arm) if main else arm


def cost_of(report: Report, arm: str) -> Cost | None:
    """Return what an arm costs, if that was measured."""
    return next((cost for cost in report.costs if cost.arm == arm), None)


def regressed(comparison: Comparison) -> list[SliceResult]:
    """Return the slices in which B is worse."""
    return [result for result in comparison.slices if result.regressed]


def is_vetoed(comparison: Comparison) -> bool:
    """Say whether B would be called better but for slices in which it is worse: settled, and yet no verdict."""
    contrast = comparison.contrast
    is_settled = contrast.more_queries == 0 and contrast.effect > 0
    return comparison.verdict is Verdict.CANNOT_TELL and is_settled and bool(regressed(comparison))


def measures_of(report: Report) -> list[str]:
    """Return the measures of all arms: first what they are compared by, last the share that is judged."""
    names = dict.fromkeys([report.measure, *(name for arm in report.arms for name in arm.measures)])
    return [*(name for name in names if name != JUDGED), *([JUDGED] if JUDGED in names else [])]


def best_arms(arms: Sequence[ArmSummary], measure: str, shown: dict[str, str]) -> set[str]:
    """Return the arms whose value of the measure reads as the highest one; none where all read the same."""
    values = {arm.arm: arm.measures[measure] for arm in arms if is_finite(arm.measures.get(measure))}
    if not values:
        return set()
    top = shown[max(values, key=lambda arm: values[arm])]
    found = {arm for arm in values if shown[arm] == top}
    return found if len(found) < len(values) else set()
