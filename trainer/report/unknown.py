"""What a report does not know, as sentences."""

from collections.abc import Iterator

from trainer.findings import Comparison, Report
from trainer.report.figures import count, counted, listed, percent
from trainer.report.reading import HOLES, SMALL_SLICE, UNEVEN, all_mined, asked, called, judged_shares, mined


def unknown(report: Report) -> Iterator[str]:
    """Say what the figures do not tell, the gravest first."""
    yield from _mined(report)
    yield from _holes(report)
    if report.comparisons:
        yield from _disadvantage(report, report.comparisons[0])
        yield from _small_slices(report.comparisons[0])
    yield (
        "How the arms serve other queries than these, or documents that the collection did not have. The intervals "
        "cover chance in which queries were asked, and no wrong judgments."
    )
    if report.costs:
        yield "What the arms cost on another machine, or with many queries at once."
    if report.concerns:
        yield f"{counted(len(report.concerns), 'concern')} about the figures, listed under “How it was measured”."


def _mined(report: Report) -> Iterator[str]:
    if made := mined(report):
        share = "All" if all_mined(report) else f"{percent(made / asked(report))} of the"
        yield (
            f"What people would ask. {share} queries are mined from the documents and borrow their words, which "
            f"may favour arms that match words."
        )


def _holes(report: Report) -> Iterator[str]:
    low = {arm: share for arm, share in judged_shares(report).items() if share < HOLES}
    if low:
        shares = listed([f"{percent(share)} for {called(report, arm)}" for arm, share in low.items()])
        yield (
            f"Whether unjudged documents are relevant. Of the first ten hits only some have a judgment ({shares}); the "
            f"others count as irrelevant, whatever they are."
        )


def _disadvantage(report: Report, main: Comparison) -> Iterator[str]:
    shares = judged_shares(report)
    if main.a not in shares or main.b not in shares or abs(shares[main.a] - shares[main.b]) < UNEVEN:
        return
    (fewer, low), (more, high) = sorted((("A", shares[main.a]), ("B", shares[main.b])), key=lambda found: found[1])
    yield (
        f"How much {fewer} is at a disadvantage: {percent(low)} of its first ten hits are judged, "
        f"{percent(high)} of those of {more}."
    )


def _small_slices(main: Comparison) -> Iterator[str]:
    small = [
        f"{result.name} ({count(result.contrast.queries)})"
        for result in main.slices
        if result.contrast.queries < SMALL_SLICE and not result.regressed
    ]
    if small:
        yield f"Whether slices with few queries became worse; only a large change shows in them: {listed(small)}."
