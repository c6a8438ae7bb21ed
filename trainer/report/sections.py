"""The report's sections after its summary, each made from the values it shows."""

import math
from collections.abc import Callable, Iterator
from functools import partial

from trainer.findings import Comparison, Report
from trainer.report.changed import changed_queries
from trainer.report.figures import (
    counted,
    decimals,
    interval,
    interval_of_mean,
    measure_name,
    percent,
    points,
    queries,
    size_in_points,
    tick,
)
from trainer.report.markup import Html, escaped, foreign, joined, prose, tag
from trainer.report.method import method
from trainer.report.plots import COLUMNS, Row, difference_bars, intervals, tally_bar
from trainer.report.tables import arms_table, contrasts_table, cost_table, lettered, slices_table, verdict

_NO_COMPARISON = "Nothing was compared."


def arms(report: Report) -> Iterator[Html]:
    """Return every arm's measures."""
    yield tag(
        "p",
        f"{measure_name(report.measure)} decides; the other measures show where a difference comes from. judged@10 is "
        f"the share of the first ten hits that has a judgment: where it is low, the others mean less.",
    )
    yield arms_table(report)


def effects(report: Report) -> Iterator[Html]:
    """Return the comparisons' effects with the reasons of their verdicts, and the arms' means."""
    if report.comparisons:
        yield _effect_plot(report)
        yield contrasts_table(report)
        yield from (_reasons(comparison) for comparison in report.comparisons if comparison.reasons)
    else:
        yield tag("p", _NO_COMPARISON)
    if report.arms:
        yield tag("h3", "The arms one by one")
        yield _means_plot(report)


def _effect_plot(report: Report) -> Html:
    name, least = measure_name(report.measure), size_in_points(report.minimum_effect)
    rows = [_effect_row(place, comparison) for place, comparison in enumerate(report.comparisons)]
    title = f"Difference of each comparison in points of {name}, with its 95 % interval"
    plot = intervals("effects-plot", title, rows, axis=tick, minimum=report.minimum_effect)
    caption = (
        f"{title}. The line is no difference; the band around it, ±{least}, is what counts as too little to "
        f"matter. An interval right of the line is a gain, one left of it a loss."
    )
    return tag("figure", plot, tag("figcaption", prose(caption)))


def _means_plot(report: Report) -> Html:
    title = f"Mean {measure_name(report.measure)} of each arm, with its 95 % interval"
    rows = [
        Row(arm.arm, shown, f"{arm.arm}: {shown}", mean, arm.low, arm.high)
        for arm in report.arms
        for mean in [arm.measures.get(report.measure, math.nan)]
        for shown in [f"{decimals(mean)}, {interval_of_mean(arm.low, arm.high)}"]
    ]
    caption = (
        f"{title}. Intervals of two arms may overlap although one is better: the arms answer the same queries, so only "
        f"the difference query by query tells."
    )
    plot = intervals("means-plot", title, rows, axis=lambda value: f"{value:g}")
    return tag("figure", plot, tag("figcaption", prose(caption)))


def _effect_row(place: int, comparison: Comparison) -> Row:
    contrast = comparison.contrast
    said = (
        f"{comparison.b} against {comparison.a}: {points(contrast.effect)} points, "
        f"{interval(contrast.low, contrast.high)}, {comparison.verdict.value}"
    )
    note = f"against {comparison.a}"
    return Row(comparison.b, note, said, contrast.effect, contrast.low, contrast.high, main=place == 0)


def _reasons(comparison: Comparison) -> Html:
    return joined(
        [
            tag("h3", lettered(comparison), ": ", verdict(comparison.verdict)),
            tag("ul", *(tag("li", prose(reason)) for reason in comparison.reasons)),
        ]
    )


def _each(key: str, report: Report, draw: Callable[[str, Comparison], Html]) -> Iterator[Html]:
    if not report.comparisons:
        yield tag("p", _NO_COMPARISON)
    for place, comparison in enumerate(report.comparisons):
        yield tag("h3", lettered(comparison))
        yield draw(f"{key}-{place}", comparison)


def _differences(key: str, comparison: Comparison) -> Html:
    values = list(comparison.differences.values())
    if not values:
        return tag("p", "No query was asked.")
    said = (
        f"{queries(len(values))}, sorted by difference, from {points(max(values))} to {points(min(values))} points: B "
        f"is better above the line, worse below it."
    )
    plot = difference_bars(key, f"{comparison.b} (B) against {comparison.a} (A), query by query", said, values)
    return tag("figure", plot, tag("figcaption", f"{said} {_bars(len(values))}"))


def _bars(size: int) -> str:
    if size <= COLUMNS:
        return "Each bar is a query; where there is none, both arms do equally well."
    least, most = size // COLUMNS, -(-size // COLUMNS)
    share = f"{most}" if least == most else f"{least} or {most}"
    return f"Each bar is the mean of {share} queries; where there is none, both arms do equally well."


def _slices(key: str, comparison: Comparison, minimum_effect: float) -> Html:
    if not comparison.slices:
        return tag("p", "The queries were not sliced.")
    worse = [result.name for result in comparison.slices if result.regressed]
    said = (
        joined([f"{counted(len(worse), 'slice')} regressed: ", joined(map(foreign, worse), ", "), "."])
        if worse
        else escaped("No slice regressed.")
    )
    return joined([tag("p", said), slices_table(key, comparison, minimum_effect)])


def _tally(key: str, comparison: Comparison) -> Html:
    contrast = comparison.contrast
    title = f"Queries in which {comparison.b} (B) is better than, tied with and worse than {comparison.a} (A)"
    plot = tally_bar(key, title, contrast.wins, contrast.ties, contrast.losses)
    total = max(contrast.wins + contrast.ties + contrast.losses, 1)
    shares = [
        f"{percent(part / total)} {said}"
        for part, said in ((contrast.wins, "better with B"), (contrast.ties, "tied"), (contrast.losses, "worse"))
    ]
    return tag("figure", plot, tag("figcaption", prose(f"Of {queries(contrast.queries)}: {', '.join(shares)}.")))


def _changed(key: str, comparison: Comparison) -> Html:
    if not comparison.changed:
        return tag("p", "No query changed.")
    return changed_queries(key, comparison)


def costs(report: Report) -> Iterator[Html]:
    """Return what the arms cost."""
    if report.costs:
        yield tag(
            "p",
            "A p50 is the time within which half of the queries pass a stage, one query at a time, on the exact index "
            "in memory that the evaluation uses.",
        )
        yield cost_table(report.costs)
    else:
        yield tag("p", "No cost was measured.")


def _slices_of(report: Report) -> Iterator[Html]:
    return _each("slices", report, partial(_slices, minimum_effect=report.minimum_effect))


SECTIONS: tuple[tuple[str, str, Callable[[Report], Iterator[Html]]], ...] = (
    ("arms", "Arms", arms),
    ("effects", "Effects", effects),
    ("differences", "Query by query", partial(_each, "differences", draw=_differences)),
    ("slices", "Slices", _slices_of),
    ("tallies", "Wins, ties, losses", partial(_each, "tallies", draw=_tally)),
    ("changed", "Queries that changed most", partial(_each, "changed", draw=_changed)),
    ("costs", "Costs", costs),
    ("method", "How it was measured", method),
)
"""The sections after the summary, in order: where each is found, its title, and what it says."""
OF_COMPARISONS = frozenset({"effects", "differences", "slices", "tallies", "changed"})
"""Those that have nothing to say where nothing was compared."""
