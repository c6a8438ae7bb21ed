"""Judged queries as JSONL records: BEIR's `_id` and `text`, with where a query came from and what is hidden for it."""

import json
from collections.abc import Mapping
from pathlib import Path

from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import UsageError
from retrieval.types import JsonValue
from trainer.qrels import read_queries, records_of

MINED = "mined:"
"""What the source of a query mined from the collection begins with."""
MAX_SOURCE_CHARS = 64


def is_mined(source: str) -> bool:
    """Tell whether queries of this source were mined from the collection."""
    return source.startswith(MINED)


def record_of(query: JudgedQuery) -> dict[str, JsonValue]:
    """Return a query as a record; what is empty is left out."""
    record: dict[str, JsonValue] = {"_id": query.id, "text": query.text, "source": query.source}
    if query.cluster:
        record["cluster"] = query.cluster
    if query.masks:
        record["masks"] = {document: list(strings) for document, strings in query.masks.items()}
    return record


def read_judged_queries(path: Path) -> list[JudgedQuery]:
    """Read records, in the file's order, without grades; a source that is not told is "".

    Raises UsageError, naming file, query and value, for what `read_queries` refuses, a source, cluster or masks that
    are none, and a mined query without masks: every arm would find it by its own words.
    """
    texts = read_queries(path)
    return [query_of(str(path), key, texts[key], record) for key, record in records_of(path)]


def query_of(place: str, key: str, text: str, record: Mapping[str, JsonValue]) -> JudgedQuery:
    """Return the query that a record describes, without grades; `place` is what errors call where it stands.

    Raises UsageError for a source, cluster or masks that are none, and for a mined query without masks.
    """
    source, cluster, masks = record.get("source", ""), record.get("cluster", ""), record.get("masks", {})
    if not isinstance(source, str) or len(source) > MAX_SOURCE_CHARS or not source.isprintable():
        raise _refused(place, key, "source", source, f"at most {MAX_SOURCE_CHARS} printable characters")
    if not isinstance(cluster, str):
        raise _refused(place, key, "cluster", cluster, "a string")
    if not _are_masks(masks):
        raise _refused(place, key, "masks", masks, "an object of lists of strings, by document")
    if is_mined(source) and not masks:
        raise UsageError(
            f"{place}: query {key!r} is {source} and has no masks, so that every arm would find it by its own words; "
            "mine it again with `tandem judgments mine`, or export it with its masks."
        )
    return JudgedQuery(key, text, source, cluster, {document: tuple(strings) for document, strings in masks.items()})


def _are_masks(value: JsonValue) -> bool:
    return isinstance(value, dict) and all(
        isinstance(strings, list) and all(isinstance(string, str) and string for string in strings)
        for strings in value.values()
    )


def _refused(place: str, key: str, name: str, value: JsonValue, wanted: str) -> UsageError:
    return UsageError(f"{place}: query {key!r} has the {name} {json.dumps(value)[:80]}; it must be {wanted}.")
