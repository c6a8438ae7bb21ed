"""Read queries and judgments in the field's formats: BEIR's queries JSONL, BEIR's qrels TSV and TREC qrels."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from retrieval.errors import UsageError
from retrieval.query import MAX_QUERY_CHARS

Queries = Mapping[str, str]
"""query id -> the query's text."""

BEIR_HEADER = ("query-id", "corpus-id", "score")
MAX_GRADE = 1_000
"""trec_eval counts documents by grade in an array as long as the highest grade, so a grade has to end somewhere."""

_GRADE = re.compile(r"([0-9]{1,9})(\.0+)?")
_NOT_IN_AN_ID = re.compile("[\x00\ud800-\udfff]")
_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that is not blank, and where it stands."""

    path: Path
    number: int
    text: str

    def refused(self, why: str) -> UsageError:
        return UsageError(f"{self.path}, line {self.number} {why}")


def read_queries(path: Path) -> dict[str, str]:
    """Read a line a query, `{"_id", "text"}`, in the file's order; other fields are ignored.

    Raises UsageError, naming file, line and value, for a line that is no query or an id that comes twice.
    """
    queries: dict[str, str] = {}
    for line in _lines(path):
        record = _record(line)
        query = _query_id(line, record)
        if query in queries:
            raise line.refused(f"has the query id {_shown(query)} a second time; give each query its own.")
        queries[query] = _query_text(line, record)
    if not queries:
        raise UsageError(f'{path} has no query in it; write a line a query: {{"_id": "1", "text": "..."}}.')
    return queries


def records_of(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each query's id and its whole record, of a file that `read_queries` has read."""
    for line in _lines(path):
        record = _record(line)
        yield _query_id(line, record), record


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read BEIR's TSV, which its header `query-id corpus-id score` gives away, or TREC's `query 0 document grade`.

    Raises UsageError, naming file, line and value, for a line of neither kind, a grade that is not a whole number from
    0 to MAX_GRADE, or two grades for one document and query.
    """
    lines = _lines(path)
    first = next(lines, None)
    is_beir = first is not None and tuple(cell.strip().lower() for cell in first.text.split()) == BEIR_HEADER
    qrels: dict[str, dict[str, int]] = {}
    for line in lines if is_beir or first is None else chain([first], lines):
        query, document, written = _beir_fields(line) if is_beir else _trec_fields(line)
        grade = _grade(line, written)
        if qrels.setdefault(query, {}).setdefault(document, grade) != grade:
            known = qrels[query][document]
            raise line.refused(
                f"grades document {_shown(document)} {grade} for query {_shown(query)}, which an earlier line grades "
                f"{known}; keep one of the two."
            )
    if not qrels:
        raise UsageError(f"{path} has no judgment in it; write the header {_header()!r}, then a line a judgment.")
    return qrels


def _lines(path: Path) -> Iterator[_Line]:
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                text = _decoded(path, number, raw)
                if text.strip():
                    yield _Line(path, number, text.rstrip("\r\n"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give the path of a file.") from None


def _decoded(path: Path, number: int, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise UsageError(
            f"{path}, line {number} is not UTF-8: {_shown(raw.decode('utf-8', 'replace'))}; save the file as UTF-8."
        ) from None


def _record(line: _Line) -> Mapping[str, Any]:
    try:
        record = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        raise line.refused(f"is not JSON ({error}): {_shown(line.text)}") from None
    if not isinstance(record, dict):
        raise line.refused(f'is not an object with "_id" and "text" but {_shown(record)}')
    return record


def _query_id(line: _Line, record: Mapping[str, Any]) -> str:
    value = record.get("_id")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or _NOT_IN_AN_ID.search(value):
        raise line.refused(f'has the "_id" {_shown(value)}; an id is a string that is not empty')
    return value


def _query_text(line: _Line, record: Mapping[str, Any]) -> str:
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        raise line.refused(f'has the "text" {_shown(text)}; a query is a string that is not blank')
    if len(text) > MAX_QUERY_CHARS:
        raise line.refused(f"has a query of {len(text)} characters; a search takes at most {MAX_QUERY_CHARS}")
    return text


def _beir_fields(line: _Line) -> tuple[str, str, str]:
    fields = _cut(line, len(BEIR_HEADER))
    if len(fields) != len(BEIR_HEADER):
        raise line.refused(f"has {len(fields)} fields where its header names {len(BEIR_HEADER)}: {_shown(line.text)}")
    return _with_ids(line, fields[0], fields[1], fields[2])


def _trec_fields(line: _Line) -> tuple[str, str, str]:
    fields = _cut(line, 4)
    if len(fields) != 4:
        raise line.refused(
            f"has {len(fields)} fields: {_shown(line.text)}. TREC qrels have 4 (query, 0, document, grade); BEIR's "
            f"begin with the header {_header()!r}."
        )
    return _with_ids(line, fields[0], fields[2], fields[3])


def _cut(line: _Line, wanted: int) -> list[str]:
    """Cut at tabs, so that an id may have a space in it; at any space where that does not give the fields wanted."""
    fields = line.text.split("\t")
    return fields if len(fields) == wanted else line.text.split()


def _with_ids(line: _Line, query: str, document: str, grade: str) -> tuple[str, str, str]:
    for name, value in (("query", query), ("document", document)):
        if not value.strip() or _NOT_IN_AN_ID.search(value):
            raise line.refused(f"has the {name} id {_shown(value)}; an id is not empty")
    return query, document, grade


def _grade(line: _Line, written: str) -> int:
    found = _GRADE.fullmatch(written.strip())
    if not found or int(found[1]) > MAX_GRADE:
        raise line.refused(f"has the grade {_shown(written)}; a grade is a whole number from 0 to {MAX_GRADE}")
    return int(found[1])


def _header() -> str:
    return "\t".join(BEIR_HEADER)


def _shown(value: object) -> str:
    """Show a value seen, cut short."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."
