"""What came of a job, in lines that people read: its result is what the command prints as JSON."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from retrieval.types import JsonValue

SHOWN = 20
"""Findings, arms and problems that are told; the result has all."""
_MEASURES = (("ndcg@10", "nDCG@10"), ("mrr@10", "MRR@10"), ("recall@10", "recall@10"))

Told = Mapping[str, Any]


def lines_of(kind: str, result: JsonValue) -> list[str]:
    """Return what a job of a kind gave, in a few sentences; none for a result of another form."""
    if not isinstance(result, Mapping):
        return []
    try:
        return list(_TELLERS.get(kind, _scalars)(result))
    except (LookupError, TypeError, ValueError, AttributeError):  # written by another version
        return list(_scalars(result))


def trouble_of(result: JsonValue) -> str:
    """Return the first problem that a result tells of, and how many more there are; "" for none."""
    found: Any = result.get("problems") if isinstance(result, Mapping) else None
    told = found if isinstance(found, list) else []
    failed = [one for one in told if isinstance(one, Mapping) and not one.get("skipped")]
    if not failed:
        return ""
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{failed[0].get('key', '')}: {failed[0].get('reason', '')}{more}"


def is_in_vain(result: JsonValue) -> bool:
    """Tell whether an ingest brought in nothing at all, for the trouble that it had."""
    counts = ("documents", "unchanged", "deleted")
    return bool(trouble_of(result)) and isinstance(result, Mapping) and not any(result.get(name) for name in counts)


def _ingest(result: Told) -> Iterator[str]:
    yield (
        f"{result['documents']} documents in ({result['new']} new items, {result['changed']} changed, "
        f"{result['unchanged']} unchanged), {result['deleted']} documents deleted."
    )
    yield f"{result['chunks']} chunks, {result['embedded']} embedded."
    for title, is_skipped in (("Failed", False), ("Skipped", True)):
        told = [one for one in result["problems"] if bool(one["skipped"]) is is_skipped]
        yield from (f"{title}: {one['key']}: {one['reason']}" for one in told[:SHOWN])
        if len(told) > SHOWN:
            yield f"{title}: {len(told) - SHOWN} more."


def _audit(result: Told) -> Iterator[str]:
    yield f"{result['documents']} documents, {result['words']} words."
    if not result["findings"]:
        yield "Nothing found that harms search."
    for one in result["findings"][:SHOWN]:
        yield f"[{one['severity']}] {one['summary']} {one['advice']}"


def _arms(result: Told) -> Iterator[str]:
    for name, arm in list(result["arms"].items())[:SHOWN]:
        measures = ", ".join(f"{shown} {arm[measure]:.4f}" for measure, shown in _MEASURES)
        yield f"{name}: {measures}, {arm['queries']} queries."


def _compare(result: Told) -> Iterator[str]:
    yield f"{result['b']} against {result['a']}: {result['verdict']}."
    yield from result["reasons"][:SHOWN]


def _train(result: Told) -> Iterator[str]:
    summary = result["summary"]
    yield f"{summary['headline']}."
    for part in ("worth_it", "how_sure", "cost", "next"):
        yield from summary.get(part, ())


def _nightly(result: Told) -> Iterator[str]:
    yield f"{result['summary']['headline']}."
    yield from result["summary"].get("lines", ())


def _scalars(result: Told) -> Iterator[str]:
    for name, value in result.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield f"{name}: {f'{value:.4g}' if isinstance(value, float) else value}"


_TELLERS: Mapping[str, Callable[[Told], Iterator[str]]] = {
    "ingest": _ingest,
    "audit": _audit,
    "evaluate": _arms,
    "compare": _compare,
    "train": _train,
    "nightly": _nightly,
}
