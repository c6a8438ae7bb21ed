"""Find lines that stand in many documents: menus, footers, licences, calls to subscribe."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from indexer.audit.reading import prose_lines
from indexer.audit.report import MAX_EXAMPLES, AuditedDocument, Example, Finding, Severity, plural, share

LEAST_DOCUMENTS = 5
LEAST_SHARE = 0.05
LEAST_CHARACTERS = 20
"""A shorter line (a brace, "Usage") repeats without being boilerplate."""
LARGE_SHARE = 0.05
"""Of all characters: boilerplate that takes more distorts every score."""
SHOWN_CHARACTERS = 100


def boilerplate(documents: Sequence[AuditedDocument]) -> list[Finding]:
    """Return the lines that at least 5 documents and 5 % of them repeat, with the share of the text they take.

    Give each document once: copies of one document are another finding. Code is left out.
    """
    occurrences: Counter[str] = Counter()
    holders: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        lines = Counter(line for line in prose_lines(document.text) if len(line) >= LEAST_CHARACTERS)
        occurrences.update(lines)
        for line in lines:
            holders[line].append(document.id)
    least = max(LEAST_DOCUMENTS, LEAST_SHARE * len(documents))
    repeated = {line: ids for line, ids in holders.items() if len(ids) >= least}
    if not repeated:
        return []
    taken = sum(occurrences[line] * len(line) for line in repeated)
    return [_finding(repeated, taken, sum(len(document.text) for document in documents))]


def _finding(repeated: Mapping[str, Sequence[str]], taken: int, characters: int) -> Finding:
    widest = sorted(repeated, key=lambda line: (-len(repeated[line]), line))[:MAX_EXAMPLES]
    return Finding(
        "boilerplate",
        Severity.HIGH if taken >= LARGE_SHARE * characters else Severity.MEDIUM,
        len(repeated),
        f"{plural(len(repeated), 'line')} repeated across documents, {share(taken, characters)} of all characters.",
        "Remove them at the source, or ingest only the main content: they make different documents look alike.",
        tuple(_example(line, repeated[line]) for line in widest),
    )


def _example(line: str, ids: Sequence[str]) -> Example:
    shown = line if len(line) <= SHOWN_CHARACTERS else line[:SHOWN_CHARACTERS] + "…"
    return Example(tuple(ids[:MAX_EXAMPLES]), f'in {plural(len(ids), "document")}: "{shown}"')
