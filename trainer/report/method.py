"""How the figures of a report came about: on what, by which tests, with what versions, and what to doubt."""

from collections.abc import Iterator, Mapping

from trainer.findings import Report
from trainer.report.figures import count, counted, measure_name, moment, size_in_points
from trainer.report.markup import Html, escaped, foreign, prose, tag


def method(report: Report) -> Iterator[Html]:
    """Say how it was measured; concerns come first, because they bear on all the rest."""
    yield tag("h3", "Concerns")
    yield (
        tag("ul", *(tag("li", prose(concern)) for concern in report.concerns))
        if report.concerns
        else tag("p", "None was found.")
    )
    yield tag("h3", "The documents")
    yield _facts(
        {
            "Collection": foreign(report.collection),
            "Documents": escaped(count(report.documents)),
            "Chunks": escaped(count(report.chunks)),
            "Judgment set": foreign(report.judgments or "from files"),
            "Judged documents": escaped(count(report.judged_documents)),
            "Measured": escaped(moment(report.made_at)),
        }
    )
    yield tag("h3", "Where the queries come from")
    yield _facts({source: escaped(count(size)) for source, size in report.sources.items()})
    yield tag("h3", "The tests")
    yield tag("ul", *(tag("li", prose(sentence)) for sentence in _tests(report)))
    yield tag("h3", "Versions")
    yield _facts({name: foreign(version) for name, version in report.versions.items()})


def _facts(facts: Mapping[str, Html]) -> Html:
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items()), class_="list")


def _tests(report: Report) -> Iterator[str]:
    name, least = measure_name(report.measure), size_in_points(report.minimum_effect)
    yield (
        f"Every arm answered the same queries. What is tested is the difference in {name} of each query: the "
        f"first-named arm's less the other's."
    )
    yield (
        "p is from a paired randomization test: how often a mean difference at least as large comes about when, for "
        "each group of queries, a coin decides which arm is called which."
    )
    yield (
        "The 95 % interval is from a bootstrap that draws groups of queries again. Queries that want the same "
        "document, or were mined from one, are one group, since they tend to be right or wrong together."
    )
    declared = counted(len(report.comparisons), "comparison was", "comparisons were")
    yield (
        f"{declared} declared beforehand; Holm's correction raises p for having looked more than once, and that "
        f"of slices for their number."
    )
    yield f"A difference below {least} either way counts as too little to matter; this was fixed beforehand."
    yield "d_z, Cohen's for paired samples, is the mean difference divided by the differences' standard deviation."
