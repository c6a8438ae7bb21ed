"""The report's summary in plain language, for engineers who have not studied statistics, made from values."""

from dataclasses import dataclass

from trainer.findings import Report
from trainer.report.found import findings, headline
from trainer.report.next_steps import next_steps
from trainer.report.unknown import unknown


@dataclass(frozen=True, slots=True)
class Summary:
    """What a report says at its top: plain text, a sentence or two each, the most important first."""

    headline: str
    found: tuple[str, ...]
    next_steps: tuple[str, ...]
    unknown: tuple[str, ...]


def summary(report: Report) -> Summary:
    """Return what was found, what to do next, and what the report does not know."""
    return Summary(headline(report), tuple(findings(report)), tuple(next_steps(report)), tuple(unknown(report)))
