"""What a report found, as sentences."""

import math
from collections.abc import Iterator

from trainer.findings import Comparison, Contrast, Report, Verdict
from trainer.query_records import is_mined
from trainer.report.figures import (
    count,
    counted,
    decimals,
    duration,
    interval,
    is_finite,
    listed,
    measure_name,
    points,
    queries,
    size_in_points,
)
from trainer.report.reading import TOTAL, asked, called, cost_of, is_vetoed, mined, regressed
from trainer.significance import is_chance

FIRST_FOR_SECOND = 1 - 1 / math.log2(3)
"""What nDCG gains when the one relevant document moves from the second place to the first."""


def headline(report: Report) -> str:
    """Return the main comparison's verdict in one line."""
    if not report.comparisons:
        return f"{counted(len(report.arms), 'arm')} measured on {report.collection}"
    main = report.comparisons[0]
    if is_vetoed(main):
        return f"{main.b} ranks better than {main.a} on the whole, but worse on some queries"
    return {
        Verdict.BETTER: f"{main.b} ranks better than {main.a}",
        Verdict.WORSE: f"{main.b} ranks worse than {main.a}",
        Verdict.NO_DIFFERENCE: f"No difference worth having between {main.b} and {main.a}",
        Verdict.CANNOT_TELL: f"Cannot tell yet whether {main.b} ranks better than {main.a}",
    }[main.verdict]


def findings(report: Report) -> Iterator[str]:
    """Say what was found, the main comparison first."""
    if not report.comparisons:
        yield "Arms were measured, but none was compared with another; a higher mean alone does not make an arm better."
        yield _questions(report)
        return
    main, *others = report.comparisons
    yield _verdict(report, main)
    yield _meaning(report, main)
    yield _tally(main)
    yield _questions(report)
    yield from _regressions(main)
    yield from _costs(report, main)
    yield from (_other(report, comparison) for comparison in others)


def _verdict(report: Report, comparison: Comparison) -> str:
    contrast = comparison.contrast
    a, b = f"{comparison.a} (A)", f"{comparison.b} (B)"
    measured = (
        f"{points(contrast.effect)} points of {measure_name(report.measure)} on average over "
        f"{queries(contrast.queries)}{_within(contrast)}"
    )
    if comparison.verdict is Verdict.BETTER:
        return f"{b} ranks better than {a}: {measured}."
    if comparison.verdict is Verdict.WORSE:
        return f"{b} ranks worse than {a}: {measured}."
    if comparison.verdict is Verdict.NO_DIFFERENCE:
        least = size_in_points(report.minimum_effect)
        return (
            f"There is no difference worth having between {b} and {a}: {measured}, and less than {least} either way "
            f"counts as too little to matter."
        )
    if is_vetoed(comparison):
        return (
            f"On the whole {b} ranks better than {a}, {measured}; but it is worse on some kinds of queries, and is "
            f"therefore not called better."
        )
    doubt = "chance alone may bring about" if is_chance(contrast) else "may be too little to matter"
    return f"It cannot be told yet whether {b} ranks better than {a}: {measured}, which {doubt}."


def _within(contrast: Contrast) -> str:
    if not (is_finite(contrast.low) and is_finite(contrast.high)):
        return ""
    return f" (95 % interval {interval(contrast.low, contrast.high)})"


def _meaning(report: Report, comparison: Comparison) -> str:
    """Say what a point is, and what so many of them, or so wide an interval, amount to."""
    point = f"A point is 0.01 of {measure_name(report.measure)}"
    if report.measure == "ndcg@10":
        point += (
            ", which is 1 for a query whose first ten hits are the best there are, in the best order, and 0 when none "
            "of them is relevant"
        )
    if comparison.verdict is Verdict.CANNOT_TELL and not is_vetoed(comparison):
        return f"{point}{_left_open(report, comparison.contrast)}."
    if comparison.verdict is Verdict.NO_DIFFERENCE:
        return f"{point}."
    return f"{point}{_as_moves(report, comparison.contrast)}."


def _as_moves(report: Report, contrast: Contrast) -> str:
    share = abs(contrast.effect) / FIRST_FOR_SECOND
    if report.measure != "ndcg@10" or not is_finite(share) or not 0.001 <= share <= 1:
        return ""
    how_often = f"{round(100 * share)} of 100 queries" if share > 0.1 else f"one query in {count(round(1 / share))}"
    where = "from second place to first" if contrast.effect > 0 else "from first place to second"
    return f"; this difference is what moving the one right document {where} would do in {how_often}"


def _left_open(report: Report, contrast: Contrast) -> str:
    least, low, high = report.minimum_effect, contrast.low, contrast.high
    if not (is_finite(low) and is_finite(high)):
        return ""
    still = [
        said
        for said, possible in (
            ("worse", low < -least),
            ("much the same", low < least and high > -least),
            ("better", high > least),
        )
        if possible
    ]
    return f"; after these queries B may truly be {listed(still, 'or')}" if len(still) > 1 else ""


def _tally(comparison: Comparison) -> str:
    contrast = comparison.contrast
    return (
        f"B is better on {queries(contrast.wins)}, worse on {count(contrast.losses)}, and as good as A on "
        f"{count(contrast.ties)}."
    )


def _questions(report: Report) -> str:
    total, made = asked(report), mined(report)
    asked_for = [f"{count(size)} {source}" for source, size in report.sources.items() if not is_mined(source)]
    made_from = [f"{count(size)} {source}" for source, size in report.sources.items() if is_mined(source)]
    if not made:
        return f"Of the {queries(total)}, none is mined ({listed(asked_for)})." if total else "No query was asked."
    if made == total:
        all_of_them = "The only query is" if total == 1 else f"All {queries(total)} are"
        return f"{all_of_them} mined: made from the documents, asked by nobody ({listed(made_from)})."
    return (
        f"Of the {queries(total)}, {count(made)} are mined: made from the documents, asked by nobody "
        f"({listed(made_from)}); the rest: {listed(asked_for)}."
    )


def _regressions(comparison: Comparison) -> Iterator[str]:
    worse = [
        f"{result.name} ({points(result.contrast.effect)} points, {queries(result.contrast.queries)})"
        for result in regressed(comparison)
    ]
    if worse:
        yield f"B is worse than A on {counted(len(worse), 'slice')}: {listed(worse)}."


def _costs(report: Report, comparison: Comparison) -> Iterator[str]:
    a, b = cost_of(report, comparison.a), cost_of(report, comparison.b)
    if a is None or b is None:
        return
    times = a.query_p50_ms.get(TOTAL), b.query_p50_ms.get(TOTAL)
    if all(is_finite(time) for time in times):
        yield (f"B answers half of the queries within {decimals(times[1], 1)} ms, A within {decimals(times[0], 1)} ms.")
    embedding = [
        f"{duration(cost.embed_corpus_s)} for {called(report, cost.arm)}"
        for cost in (b, a)
        if cost.embed_corpus_s is not None and is_finite(cost.embed_corpus_s)
    ]
    if embedding:
        yield f"Embedding the whole collection takes {listed(embedding)}."


def _other(report: Report, comparison: Comparison) -> str:
    return (
        f"{comparison.b} against {comparison.a}: {comparison.verdict.value}, {points(comparison.contrast.effect)} "
        f"points of {measure_name(report.measure)}{_within(comparison.contrast)}."
    )
