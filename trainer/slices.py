"""Kinds of queries, judged apart, so that an arm that is better on the whole cannot hide where it is worse."""

import re
from collections import Counter
from collections.abc import Mapping

from retrieval.analysis import Analyzer
from retrieval.catalog import Catalog, Collection
from retrieval.errors import UsageError
from retrieval.leads import Leads
from retrieval.types import JsonValue
from trainer.evaluation_set import EvaluationSet
from trainer.findings import SliceResult, Verdict
from trainer.significance import Rules, contrast, verdict, with_holm

LEAST_QUERIES = 10
"""Of a smaller slice nothing can be said."""
MAX_VALUES = 8
"""Values of a metadata field that become slices, the most frequent ones."""
SHORT_WORDS, PROSE_WORDS = 2, 5

_QUESTION = re.compile(
    r"\s*(?:how|what|why|when|where|who|whom|whose|which|is|are|was|were|do|does|did|can|could|should|would|will|may"
    r"|must|has|have)\b|.*\?\s*$",
    re.IGNORECASE | re.DOTALL,
)


def slices_of(
    judged: EvaluationSet, catalog: Catalog, collection: Collection, *, field: str = ""
) -> dict[str, frozenset[str]]:
    """Return the query ids of each slice with enough queries, but for slices that are all queries.

    `field` names a metadata field whose values, in a query's best judged document, make further slices.
    """
    analyzer = Analyzer(collection.config.language)
    known = _known_words(judged, catalog, collection, analyzer)
    found: dict[str, set[str]] = {}
    for query, text in judged.queries.items():
        for name in _kinds(text, analyzer, known):
            found.setdefault(name, set()).add(query)
        found.setdefault(f"source {judged.sources.get(query, 'human')}", set()).add(query)
    for query, value in _values(judged, catalog, collection, field):
        found.setdefault(f"{field} = {value}", set()).add(query)
    total = len(judged.queries)
    return {name: frozenset(queries) for name, queries in found.items() if LEAST_QUERIES <= len(queries) < total}


def slice_results(
    slices: Mapping[str, frozenset[str]], differences: Mapping[str, float], clusters: Mapping[str, str], rules: Rules
) -> list[SliceResult]:
    """Judge each slice, corrected for their number: with many, one would seem worse by chance."""
    members = [[query for query in differences if query in queries] for queries in slices.values()]
    found = [
        contrast([differences[query] for query in within], [clusters[query] for query in within], rules=rules)
        for within in members
    ]
    return [
        SliceResult(name, one, verdict(one, minimum_effect=rules.minimum_effect) is Verdict.WORSE)
        for name, one in zip(slices, with_holm(found, rules), strict=True)
    ]


def _kinds(text: str, analyzer: Analyzer, known: Mapping[str, int]) -> list[str]:
    words = text.split()
    has_identifier = bool(Leads.of(analyzer, text).identifiers)
    is_question = bool(_QUESTION.match(text))
    kinds = {
        "identifiers": has_identifier,
        "questions": is_question,
        "short (one or two words)": len(words) <= SHORT_WORDS,
        "natural language": len(words) >= PROSE_WORDS and not has_identifier,
        "words unknown to the corpus": any(
            not any(form in known for form in (word.text, *word.parts)) for word in analyzer.typed(text)
        ),
    }
    return [name for name, holds in kinds.items() if holds]


def _known_words(
    judged: EvaluationSet, catalog: Catalog, collection: Collection, analyzer: Analyzer
) -> Mapping[str, int]:
    forms = {
        form for text in judged.queries.values() for word in analyzer.typed(text) for form in (word.text, *word.parts)
    }
    return catalog.vocabulary.counts(collection, forms)


def _values(judged: EvaluationSet, catalog: Catalog, collection: Collection, field: str) -> list[tuple[str, str]]:
    """List each query's values of a metadata field, the frequent ones only; a list has those of its elements.

    Raises UsageError for a field that no judged document has.
    """
    if not field:
        return []
    best = {query: max(grades, key=lambda document: grades[document]) for query, grades in judged.qrels.items()}
    rows = catalog.documents.rows(collection, set(best.values()))
    shown = {document.id: document.metadata for document in catalog.documents.shown(rows).values()}
    found = [(query, str(value)) for query, key in best.items() for value in _plain(shown.get(key, {}).get(field))]
    if not found:
        raise UsageError(f"No document that a query wants has the metadata field {field!r}; slice by another.")
    frequent = {value for value, _ in Counter(value for _, value in found).most_common(MAX_VALUES)}
    return [(query, value) for query, value in found if value in frequent]


def _plain(value: JsonValue) -> list[JsonValue]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, (str, int, float, bool))]
