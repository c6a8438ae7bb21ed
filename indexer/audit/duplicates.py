"""Find documents that are copies of another, or nearly so."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from indexer.audit.reading import normalised
from indexer.audit.report import MAX_EXAMPLES, AuditedDocument, Example, Finding, Severity, plural
from indexer.audit.shingles import SIMILAR, linked_groups


def exact_groups(documents: Iterable[AuditedDocument]) -> list[list[AuditedDocument]]:
    """Return the documents grouped by text, letter case and blank space aside; those without text are left out."""
    groups: dict[str, list[AuditedDocument]] = defaultdict(list)
    for document in documents:
        text = normalised(document.text)
        if text:
            groups[text].append(document)
    return list(groups.values())


def exact_duplicates(groups: Sequence[Sequence[AuditedDocument]]) -> list[Finding]:
    """Return one finding that counts the copies beyond the first of each group."""
    copied = sorted((group for group in groups if len(group) > 1), key=lambda group: (-len(group), group[0].id))
    count = sum(len(group) - 1 for group in copied)
    if not count:
        return []
    examples = tuple(Example(_ids(group), f"{len(group):,} copies") for group in copied)
    return [
        Finding(
            "exact-duplicates",
            Severity.HIGH,
            count,
            f"{plural(count, 'document')} with the same text as another.",
            "Keep one of each group: copies crowd other documents out of the first ten hits and leak between splits.",
            examples[:MAX_EXAMPLES],
        )
    ]


def near_duplicates(documents: Sequence[AuditedDocument]) -> list[Finding]:
    """Return one finding that counts the documents beyond the first of each group of similar ones.

    Give each text once. Two documents are similar where their sets of five-word runs have a Jaccard similarity of at
    least 0.8; a group is what such links connect (MinHash and LSH find the candidates, the exact sets decide).
    """
    groups = linked_groups([document.text for document in documents])
    count = sum(len(group.members) - 1 for group in groups)
    if not count:
        return []
    examples = [
        Example(
            _ids([documents[i] for i in group.members]),
            f"{plural(len(group.members), 'document')}, similarity from {group.least:.2f}",
        )
        for group in groups[:MAX_EXAMPLES]
    ]
    return [
        Finding(
            "near-duplicates",
            Severity.MEDIUM,
            count,
            f"{plural(count, 'document')} nearly the same as another: {100 * SIMILAR:.0f} % of five-word runs shared.",
            "Keep one of each group, or make sure that readers want all of them: versions, translations, templates.",
            tuple(examples),
        )
    ]


def _ids(documents: Sequence[AuditedDocument]) -> tuple[str, ...]:
    return tuple(document.id for document in documents[:MAX_EXAMPLES])
