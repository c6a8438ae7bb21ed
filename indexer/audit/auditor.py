"""Run every check over a collection."""

from collections import Counter
from collections.abc import Iterable

from indexer.audit.boilerplate import boilerplate
from indexer.audit.contents import date_findings, encoding_findings, link_findings, size_findings, title_findings
from indexer.audit.duplicates import exact_duplicates, exact_groups, near_duplicates
from indexer.audit.languages import language_findings
from indexer.audit.reading import words_of
from indexer.audit.report import AuditedDocument, AuditReport, Bin, Severity

BIN_TOKENS = 25
_ORDER = list(Severity)


def audit(documents: Iterable[AuditedDocument]) -> AuditReport:
    """Return what to clean in these documents before thinking of models, the most harmful first."""
    audited = sorted(documents, key=lambda document: document.id)
    words = [len(words_of(document.text)) for document in audited]
    groups = exact_groups(audited)
    distinct = [group[0] for group in groups]
    languages, findings = language_findings(audited)
    findings += [
        *exact_duplicates(groups),
        *near_duplicates(distinct),
        *boilerplate(distinct),
        *size_findings(audited, words),
        *title_findings(audited),
        *date_findings(audited),
        *encoding_findings(audited),
        *link_findings(audited),
    ]
    return AuditReport(
        documents=len(audited),
        words=sum(words),
        characters=sum(len(document.text) for document in audited),
        languages=languages,
        chunk_lengths=chunk_lengths(audited),
        findings=tuple(sorted(findings, key=lambda finding: (_ORDER.index(finding.severity), finding.name))),
    )


def chunk_lengths(documents: Iterable[AuditedDocument]) -> tuple[Bin, ...]:
    """Return the histogram of the chunks' tokens in bins of 25, from 0 to the longest chunk's, empty bins included."""
    counts = Counter(tokens // BIN_TOKENS for document in documents for tokens in document.chunk_tokens)
    bins = range(max(counts, default=-1) + 1)
    return tuple(Bin(i * BIN_TOKENS, (i + 1) * BIN_TOKENS - 1, counts[i]) for i in bins)
