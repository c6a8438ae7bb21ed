"""The values of an audit: what goes in, and the report that comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from retrieval.types import JsonValue

MAX_EXAMPLES = 10
SHOWN_IDS = 3
"""How many documents of an example stand in a line of text; the JSON has up to ten."""
_BAR = 40


@dataclass(frozen=True, slots=True)
class AuditedDocument:
    """What an audit needs to know of a document.

    `text` is its plain Markdown, `chunk_tokens` the tokens of each of its chunks, and `links` the targets of its
    links to other documents. A `language` that is given (its English name, in small letters) is not guessed.
    """

    id: str
    title: str
    text: str
    created: str | None = None
    url: str | None = None
    language: str | None = None
    chunk_tokens: tuple[int, ...] = ()
    links: tuple[str, ...] = ()


class Severity(StrEnum):
    """How much a finding harms search."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Example:
    """One instance of a finding: up to ten documents it concerns, and what was seen."""

    ids: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to clean. `count` says how many there are, `summary` of what, `advice` what to do."""

    name: str
    severity: Severity
    count: int
    summary: str
    advice: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """How many chunks have from `low` to `high` tokens, both included."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The state of a collection; findings are ordered from the most harmful to the least."""

    documents: int
    words: int
    characters: int
    languages: Mapping[str, int]
    chunk_lengths: tuple[Bin, ...]
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the report as JSON values."""
        return {
            "documents": self.documents,
            "words": self.words,
            "characters": self.characters,
            "languages": dict(self.languages),
            "chunk_lengths": [{"low": bin_.low, "high": bin_.high, "count": bin_.count} for bin_ in self.chunk_lengths],
            "findings": [_finding_dict(finding) for finding in self.findings],
        }

    def lines(self) -> list[str]:
        """Return the report as lines of text for a person to read."""
        languages = ", ".join(f"{language} {count:,}" for language, count in self.languages.items())
        lines = [f"{self.documents:,} documents, {self.words:,} words, {self.characters:,} characters"]
        lines += [f"Languages: {languages}"] if languages else []
        lines += _histogram(self.chunk_lengths)
        for finding in self.findings:
            lines += ["", f"[{finding.severity}] {finding.summary}", f"  {finding.advice}"]
            lines += [f"  - {_example_line(example)}" for example in finding.examples]
        return lines if self.findings else [*lines, "", "Nothing to clean."]


def share(part: int, whole: int) -> str:
    """Return "12 %" or, under one, "0.4 %"."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.1f} %"


def plural(count: int, noun: str) -> str:
    """Return "1 line" or "2,000 lines"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(documents: Sequence[AuditedDocument]) -> tuple[Example, ...]:
    """Return the first documents as examples without a detail."""
    return tuple(Example((document.id,)) for document in documents[:MAX_EXAMPLES])


def _finding_dict(finding: Finding) -> dict[str, JsonValue]:
    return {
        "name": finding.name,
        "severity": finding.severity.value,
        "count": finding.count,
        "summary": finding.summary,
        "advice": finding.advice,
        "examples": [{"ids": list(example.ids), "detail": example.detail} for example in finding.examples],
    }


def _example_line(example: Example) -> str:
    more = len(example.ids) - SHOWN_IDS
    ids = ", ".join(example.ids[:SHOWN_IDS]) + (f" and {more} more" if more > 0 else "")
    return ids + (f": {example.detail}" if example.detail else "")


def _histogram(bins: Sequence[Bin]) -> list[str]:
    if not bins:
        return []
    total, largest = sum(bin_.count for bin_ in bins), max(bin_.count for bin_ in bins)
    width = len(str(bins[-1].high))
    bars = (f"  {bin_.low:>{width}}-{bin_.high:<{width}} {'█' * round(_BAR * bin_.count / largest)}" for bin_ in bins)
    counted = (f"{bar} {bin_.count:,}" for bar, bin_ in zip(bars, bins, strict=True))
    return [f"Chunks: {total:,}, by tokens", *counted]
