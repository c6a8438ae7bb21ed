"""Read the pairs that people bring: JSONL with a pair a line, or an evaluation set's queries and judgments."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from retrieval.catalog.pairs import MINED
from retrieval.errors import UsageError
from retrieval.query import MAX_QUERY_CHARS
from retrieval.types import JsonValue
from trainer.qrels import read_qrels, read_queries
from trainer.query_records import MAX_SOURCE_CHARS, is_mined

DEFAULT_SOURCE: Final = "human"
MAX_WEIGHT: Final = 100.0
_NOT_IN_TEXT = re.compile("[\x00\ud800-\udfff]")
_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Brought:
    """A query, the id of the document that answers it, where the two come from, and what the pair counts."""

    query: str
    document: str
    source: str = DEFAULT_SOURCE
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ReadPairs:
    """Pairs in the order of their file, and why some lines of it are none."""

    pairs: Sequence[Brought]
    refused: Sequence[str] = ()


def checked_source(source: str) -> str:
    """Return what pairs that do not say where they come from are given; raises UsageError for what cannot name it."""
    if problem := _source_problem(source):
        raise UsageError(f"The source {source!r} {problem}")
    return source


def read_jsonl(path: Path, *, source: str = DEFAULT_SOURCE) -> ReadPairs:
    """Read a line a pair, {"query", "document"} and perhaps "source" and "weight"; `source` is for those without one.

    A line that is no pair is told, with its number and why, and left out. Raises UsageError for a file that cannot be
    read or has no pair at all.
    """
    pairs: dict[tuple[str, str], Brought] = {}
    refused: list[str] = []
    for number, line in _lines(path):
        try:
            pair = _pair(line, source)
        except ValueError as error:
            refused.append(f"{path}, line {number} {error}")
        else:
            pairs[pair.query, pair.document] = pair
    if not pairs:
        hint = f"; {refused[0]}" if refused else ""
        raise UsageError(f'{path} has no pair in it{hint}. Write a line a pair: {{"query": "...", "document": "id"}}.')
    return ReadPairs(tuple(pairs.values()), tuple(refused))


def read_judged(queries: Path, qrels: Path, *, source: str = DEFAULT_SOURCE) -> ReadPairs:
    """Read a pair for each document that is judged above 0 for a query.

    Raises UsageError, naming file and line, for malformed files, and where no judged query has a text.
    """
    texts, judged = read_queries(queries), read_qrels(qrels)
    pairs = [
        Brought(texts[query].strip(), document, source)
        for query, grades in judged.items()
        if query in texts
        for document, grade in grades.items()
        if grade > 0
    ]
    if not pairs:
        raise UsageError(
            f"No query of {queries} has a document judged above 0 in {qrels}; give the two files of one evaluation set."
        )
    refused = [f"{qrels} judges the query {_shown(query)}, which {queries} has not" for query in judged.keys() - texts]
    return ReadPairs(tuple(pairs), tuple(sorted(refused)))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text.strip():
                    yield number, text
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give the path of a file.") from None


def _pair(line: bytes, source: str) -> Brought:
    """Return the pair of a line; raises ValueError saying what is wrong with it."""
    try:
        record = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON in UTF-8 ({error}): {_shown(line.decode('utf-8', 'replace'))}") from None
    if not isinstance(record, dict):
        raise ValueError(f'is no object with "query" and "document" but {_shown(record)}')  # noqa: TRY004
    query, document = _text(record, "query"), _text(record, "document")
    if len(query) > MAX_QUERY_CHARS:
        raise ValueError(f"has a query of {len(query)} characters; a search takes at most {MAX_QUERY_CHARS}")
    named = record.get("source", source)
    if problem := _source_problem(named):
        raise ValueError(f"has the source {_shown(named)}, which {problem}")
    return Brought(query, document, named, _weight(record))


def _text(record: Mapping[str, JsonValue], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value.strip() or _NOT_IN_TEXT.search(value):
        raise ValueError(f"has the {name} {_shown(value)}; it must be a text that is not blank")
    return value.strip() if name == "query" else value


def _weight(record: Mapping[str, JsonValue]) -> float:
    value = record.get("weight", 1.0)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not 0 < value <= MAX_WEIGHT:
        raise ValueError(f"has the weight {_shown(value)}; it must be a number above 0 and at most {MAX_WEIGHT:g}")
    return float(value)


def _source_problem(source: JsonValue) -> str:
    if not isinstance(source, str) or not source.strip() or not source.isprintable() or len(source) > MAX_SOURCE_CHARS:
        return f"cannot name one; use 1 to {MAX_SOURCE_CHARS} characters, such as human, click or log."
    if "," in source or source != source.strip():
        return "cannot name one: commas separate sources where they are chosen; use a name such as human, click or log."
    if is_mined(source):
        return f"is for pairs that `tandem pairs mine` makes; one that was brought cannot be {MINED}something."
    return ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."
