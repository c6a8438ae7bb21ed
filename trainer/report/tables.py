"""The report's tables of numbers."""

from collections.abc import Sequence

from trainer.findings import Comparison, Contrast, Cost, Report, Verdict
from trainer.report.figures import (
    MISSING,
    count,
    decimals,
    interval,
    interval_of_mean,
    measure_name,
    p_value,
    points,
    size_in_points,
    tick,
)
from trainer.report.markup import Html, foreign, hidden, joined, number, prose, table, tag, words
from trainer.report.plots import Row, small_interval
from trainer.report.reading import JUDGED, best_arms, measures_of
from trainer.report.scale import Scale

SIGNS = {Verdict.BETTER: "▲", Verdict.WORSE: "▼", Verdict.NO_DIFFERENCE: "=", Verdict.CANNOT_TELL: "?"}
_CONTRAST = (
    "Effect, points",
    "95 % interval, points",
    "p",
    "p after Holm",
    "d_z",
    "Queries",
    "Groups",
    "Better / tied / worse",
    "More queries needed",
)


def verdict(value: Verdict) -> Html:
    """Return the verdict in words, with a sign that tells it apart without colour."""
    kind = {Verdict.BETTER: "win", Verdict.WORSE: "loss"}.get(value, "even")
    return tag("span", tag("span", f"{SIGNS[value]} ", aria_hidden="true"), value.value, class_=f"verdict {kind}")


def against(comparison: Comparison) -> Html:
    """Return the two arms' names."""
    return joined([foreign(comparison.b), tag("span", " against ", class_="quiet"), foreign(comparison.a)])


def lettered(comparison: Comparison) -> Html:
    """Return the two arms' names with the letters that stand for them."""
    b, a = (tag("span", f" ({letter})", class_="quiet") for letter in "BA")
    return joined([foreign(comparison.b), b, tag("span", " against ", class_="quiet"), foreign(comparison.a), a])


def arms_table(report: Report) -> Html:
    """Return all measures of all arms, the best of each marked, and beside them how much was judged."""
    names = measures_of(report)
    shown = {name: {arm.arm: decimals(arm.measures.get(name)) for arm in report.arms} for name in names}
    best = {name: best_arms(report.arms, name, shown[name]) for name in names if name != JUDGED}
    rows = [
        (
            foreign(arm.arm),
            [
                _measure(shown[names[0]][arm.arm], arm.arm in best[names[0]]),
                number(interval_of_mean(arm.low, arm.high)),
                *(_measure(shown[name][arm.arm], arm.arm in best.get(name, ())) for name in names[1:]),
                number(count(arm.queries)),
            ],
        )
        for arm in report.arms
    ]
    caption = prose(
        "Means over the queries, from 0 to 1, and the 95 % interval of the first measure; ★ is the highest."
    )
    header = ["Arm", measure_name(names[0]), "95 % interval", *map(measure_name, names[1:]), "Queries"]
    return table("arms-table", caption, header, rows)


def _measure(shown: str, is_best: bool) -> Html:
    if not is_best:
        return number(shown)
    return tag("td", tag("span", "★ ", aria_hidden="true"), tag("strong", shown), hidden(" (highest)"), class_="n")


def contrasts_table(report: Report) -> Html:
    """Return every comparison's effect and what chance would do."""
    rows = [
        (against(comparison), [words(verdict(comparison.verdict)), *_contrast(comparison.contrast)])
        for comparison in report.comparisons
    ]
    caption = f"Differences of {measure_name(report.measure)}: the first arm's less the second's"
    return table("contrasts-table", caption, ["Comparison", " Verdict", *_CONTRAST], rows)


def _contrast(contrast: Contrast) -> list[Html]:
    tally = " / ".join(map(count, (contrast.wins, contrast.ties, contrast.losses)))
    shown = (
        points(contrast.effect),
        interval(contrast.low, contrast.high),
        p_value(contrast.p),
        p_value(contrast.adjusted_p),
        decimals(contrast.d_z, 2),
        count(contrast.queries),
        count(contrast.clusters),
        tally,
        MISSING if contrast.more_queries is None else count(contrast.more_queries),
    )
    return [number(text) for text in shown]


def slices_table(key: str, comparison: Comparison, minimum: float) -> Html:
    """Return the comparison over each slice of the queries, with its interval drawn; what regressed says so."""
    contrasts = [result.contrast for result in comparison.slices]
    edges = [edge for contrast in contrasts for edge in (contrast.low, contrast.high, contrast.effect)]
    scale = Scale.over([*edges, -1.25 * minimum, 1.25 * minimum])
    rows = []
    for place, result in enumerate(comparison.slices):
        contrast = result.contrast
        said = f"{points(contrast.effect)} points, {interval(contrast.low, contrast.high)}"
        row = Row(result.name, "", said, contrast.effect, contrast.low, contrast.high)
        flag = tag("span", " ▼ regressed", class_="verdict loss") if result.regressed else ""
        plot = tag("td", small_interval(f"{key}-{place}", row, scale, minimum), class_="plot")
        rows.append((joined([foreign(result.name), flag]), [plot, *_contrast(contrast)]))
    ends = " to ".join(tick(round(end, 2)) for end in (scale.low, scale.high))
    caption = joined(
        [
            "Difference in each slice",
            hidden(f", {comparison.b} against {comparison.a}"),
            f"; intervals are drawn from {ends} points, with the line of no difference and the band of ±",
            size_in_points(minimum),
        ]
    )
    return table(key, caption, ["Slice", " Interval", *_CONTRAST], rows)


def cost_table(costs: Sequence[Cost]) -> Html:
    """Return what the arms cost; stages that an arm does not have are n/a."""
    stages = list(dict.fromkeys(stage for cost in costs for stage in cost.query_p50_ms))
    header = [
        "Arm",
        "Encoding, s per 1,000 chunks",
        "Embedding the collection, s",
        "Bytes per chunk",
        *(f"Query p50, {stage}, ms" for stage in stages),
    ]
    rows = [
        (
            foreign(cost.arm),
            [
                number(decimals(cost.encode_s_per_1000_chunks, 1)),
                number(decimals(cost.embed_corpus_s, 1)),
                number(decimals(cost.bytes_per_chunk, 0)),
                *(number(decimals(cost.query_p50_ms.get(stage), 1)) for stage in stages),
            ],
        )
        for cost in costs
    ]
    caption = f"Costs, measured on one machine; {MISSING} where there is nothing to measure"
    return table("cost-table", caption, header, rows)
