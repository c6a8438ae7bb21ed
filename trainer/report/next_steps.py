"""What a report advises to do next, as sentences."""

from collections.abc import Iterator

from trainer.findings import Comparison, Report, Verdict
from trainer.report.figures import count, decimals, is_finite, listed, percent, queries
from trainer.report.reading import (
    HOLES,
    TOTAL,
    all_mined,
    asked,
    called,
    cost_of,
    is_vetoed,
    judged_shares,
    mined,
    regressed,
)

_WHERE = "under “Queries that changed most” in the report"


def next_steps(report: Report) -> Iterator[str]:
    """Say what to do next, the decision first."""
    if report.comparisons:
        yield from _decision(report, report.comparisons[0])
        yield from _slices(report.comparisons[0])
    else:
        yield "Compare two of the arms (`tandem compare A B`) before you change anything."
    yield from _people(report)
    yield from _pool(report)


def _decision(report: Report, main: Comparison) -> Iterator[str]:
    if main.verdict is Verdict.BETTER:
        yield (
            f"Treat {main.b} (B) as promising, and keep {main.a} (A) until queries that people asked agree."
            if all_mined(report)
            else f"Use {main.b} (B) in place of {main.a} (A), if its cost suits you."
        )
        if main.contrast.losses:
            yield f"First read the queries that became worse, {_WHERE}."
    elif main.verdict is Verdict.WORSE:
        yield f"Keep {main.a} (A)."
        yield f"Read the queries that became worse, {_WHERE}: they show what went wrong."
    elif main.verdict is Verdict.NO_DIFFERENCE:
        yield f"Keep {main.a} (A){_faster(report, main)}; more queries would not change this."
    else:
        yield _undecided(main)


def _undecided(main: Comparison) -> str:
    contrast, keep = main.contrast, f"Keep {main.a} (A)"
    if is_vetoed(main):
        return f"{keep} until B no longer loses where it loses now; more queries alone will not change that."
    if contrast.more_queries is None:
        return (
            f"{keep}, and do not wait for more judgments: no number of queries within reason would settle this. Let "
            f"the cost decide, or the queries that changed most."
        )
    if not contrast.more_queries:
        return f"{keep}; the reasons under “Effects” say what is missing, and it is not queries."
    return (
        f"{keep} for now, judge about {count(contrast.more_queries)} more queries "
        f"({count(contrast.queries + contrast.more_queries)} in all; `tandem judgments judge`), and compare again. "
        f"That number is a plan, not a promise: it takes the difference measured so far for the true one."
    )


def _faster(report: Report, main: Comparison) -> str:
    before, after = (_total_ms(report, arm) for arm in (main.a, main.b))
    if before is None or after is None or after >= before:
        return ""
    return f", or take {main.b} (B) for its speed ({decimals(after, 1)} ms a query against {decimals(before, 1)} ms)"


def _total_ms(report: Report, arm: str) -> float | None:
    cost = cost_of(report, arm)
    total = cost.query_p50_ms.get(TOTAL) if cost else None
    return total if is_finite(total) else None


def _slices(main: Comparison) -> Iterator[str]:
    if worse := [result.name for result in regressed(main)]:
        yield f"Look into the queries of {listed(worse)}, where B lost."


def _people(report: Report) -> Iterator[str]:
    total, made = asked(report), mined(report)
    if made and 2 * made >= total:
        how_many = "All queries are mined" if made == total else f"{count(made)} of {queries(total)} are mined"
        yield f"{how_many}: import and judge queries that people asked (`tandem judgments import`), and compare again."


def _pool(report: Report) -> Iterator[str]:
    low = {arm: share for arm, share in judged_shares(report).items() if share < HOLES}
    if low:
        arm = min(low, key=lambda name: low[name])
        yield (
            f"Judge more of what the arms find (`tandem judgments pool`, then `tandem judgments judge`): of the first "
            f"ten hits of {called(report, arm)}, {percent(low[arm])} have a judgment."
        )
