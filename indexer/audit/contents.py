"""Look at each document for itself: its text, its title, its date, its links."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from indexer.audit.reading import normalised
from indexer.audit.report import MAX_EXAMPLES, AuditedDocument, Example, Finding, Severity, listed, plural, share
from indexer.sources.fields import humanised

TINY_WORDS = 20
LONG_WORDS = 10_000

_FILE_SUFFIX = re.compile(r"\.(?:md|mdx|markdown|rst|txt|html?|xhtml|svx|svelte|adoc|pdf)", re.IGNORECASE)
_MOJIBAKE = re.compile("\ufffd|Ã[\u0080-\u00bf]|Â[\u0080-\u00bf]|â€[\u0080-\u00bf™œž¦“”˜]")
_LEADS_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def size_findings(documents: Sequence[AuditedDocument], words: Sequence[int]) -> list[Finding]:
    """Return what is empty, tiny (under 20 words) and very long (over 10,000 words); `words` counts each document's."""
    sized = list(zip(documents, words, strict=True))
    empty = [document for document, count in sized if not count]
    tiny = [document for document, count in sized if 0 < count < TINY_WORDS]
    long = sorted(((count, document.id) for document, count in sized if count > LONG_WORDS), reverse=True)
    findings = [
        Finding(
            "empty",
            Severity.HIGH,
            len(empty),
            f"{plural(len(empty), 'document')} without a word of text.",
            "Look at their sources: an extraction that failed, a redirect, a page made by scripts.",
            listed(empty),
        ),
        Finding(
            "tiny",
            Severity.MEDIUM,
            len(tiny),
            f"{plural(len(tiny), 'document')} of under {TINY_WORDS} words.",
            "Leave out stubs, redirects and index pages: short texts rank high for whatever they mention.",
            listed(tiny),
        ),
        Finding(
            "very-long",
            Severity.LOW,
            len(long),
            f"{plural(len(long), 'document')} of over {LONG_WORDS:,} words.",
            "Split them at their chapters where you can: a reader wants the place, and a hit shows a few passages.",
            tuple(Example((document_id,), f"{count:,} words") for count, document_id in long[:MAX_EXAMPLES]),
        ),
    ]
    return [finding for finding in findings if finding.count]


def title_findings(documents: Sequence[AuditedDocument]) -> list[Finding]:
    """Return the titles that are missing or only a file's name, and those that several documents have."""
    missing = [document for document in documents if _is_missing(document)]
    holders: dict[str, list[AuditedDocument]] = defaultdict(list)
    for document in documents:
        holders[normalised(document.title)].append(document)
    shared = [group for title, group in holders.items() if title and len(group) > 1]
    shared.sort(key=lambda group: (-len(group), group[0].id))
    examples = [Example(tuple(document.id for document in group[:MAX_EXAMPLES]), group[0].title) for group in shared]
    count = sum(map(len, shared))
    findings = [
        Finding(
            "missing-titles",
            Severity.MEDIUM,
            len(missing),
            f"{plural(len(missing), 'document')} without a title, or with a file's name for one.",
            "Give them titles in their front matter or first heading: both legs read the title with each passage.",
            listed(missing),
        ),
        Finding(
            "duplicated-titles",
            Severity.LOW,
            count,
            f"{plural(count, 'document')} with a title that another has too.",
            "Say in the title what sets each apart: a reader sees a list of titles.",
            tuple(examples[:MAX_EXAMPLES]),
        ),
    ]
    return [finding for finding in findings if finding.count]


def date_findings(documents: Sequence[AuditedDocument]) -> list[Finding]:
    """Return the documents without a date of creation."""
    undated = [document for document in documents if not document.created]
    if not undated:
        return []
    summary = f"{plural(len(undated), 'document')} without a date, {share(len(undated), len(documents))} of all."
    advice = "Add dates to their front matter if readers filter or splits go by time; ignore this otherwise."
    return [Finding("missing-dates", Severity.LOW, len(undated), summary, advice, listed(undated))]


def encoding_findings(documents: Sequence[AuditedDocument]) -> list[Finding]:
    """Return the documents with replacement characters or text decoded twice, and how many such places there are."""
    places = {document.id: len(_MOJIBAKE.findall(f"{document.title}\n{document.text}")) for document in documents}
    broken = sorted((-count, document_id) for document_id, count in places.items() if count)
    if not broken:
        return []
    total = sum(places.values())
    summary = f"{plural(len(broken), 'document')} with broken characters, in {plural(total, 'place')}."
    advice = "Save their sources as UTF-8: words with a broken character are found by neither leg."
    examples = tuple(Example((document_id,), plural(-count, "place")) for count, document_id in broken[:MAX_EXAMPLES])
    return [Finding("broken-characters", Severity.MEDIUM, len(broken), summary, advice, examples)]


def link_findings(documents: Sequence[AuditedDocument]) -> list[Finding]:
    """Return the internal links whose target is no document; links with a scheme or host are not looked at."""
    known = {document.id for document in documents} | {document.url for document in documents if document.url}
    broken: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        for target in document.links:
            path = re.split("[#?]", target, maxsplit=1)[0]
            if path and not _LEADS_ELSEWHERE.match(path) and path not in known:
                broken[path].append(document.id)
    if not broken:
        return []
    count = sum(map(len, broken.values()))
    targets = sorted(broken, key=lambda target: (-len(broken[target]), target))[:MAX_EXAMPLES]
    examples = tuple(Example(tuple(broken[target][:MAX_EXAMPLES]), f"-> {target}") for target in targets)
    summary = f"{plural(count, 'link')} to {plural(len(broken), 'document')} that the collection lacks."
    advice = "Mend them, or ingest what they point to: links are training pairs."
    return [Finding("broken-links", Severity.LOW, count, summary, advice, examples)]


def _is_missing(document: AuditedDocument) -> bool:
    """Return whether the title is empty or the name of the file, which nobody wrote as a heading in it."""
    title = normalised(document.title)
    path = PurePosixPath(document.id)
    if not title or not _FILE_SUFFIX.fullmatch(path.suffix):
        return not title
    from_name = {path.name, path.stem, humanised(document.id)}  # to the letter: files are named after titles, too
    written = any(normalised(line.lstrip("# ")) == title for line in document.text.splitlines() if line.startswith("#"))
    return document.title.strip() in from_name and not written
