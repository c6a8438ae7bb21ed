"""The report as JSON: the same content as the page, at full precision. docs/report.md describes the schema."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real

from retrieval.types import JsonValue
from trainer.findings import ArmSummary, ChangedQuery, Comparison, Contrast, Cost, Report, SliceResult, TopHit
from trainer.report.markup import marked
from trainer.report.reading import JUDGED, mined
from trainer.report.summary import summary

SCHEMA = "tandem-report/1"


def to_json(report: Report) -> dict[str, JsonValue]:
    """Return the report's content; every number is finite, and what is unknown is None."""
    said = summary(report)
    return plain(
        {
            "schema": SCHEMA,
            "made_at": report.made_at,
            "collection": report.collection,
            "documents": report.documents,
            "chunks": report.chunks,
            **_questions(report),
            "judged_documents": report.judged_documents,
            "measure": report.measure,
            "minimum_effect": report.minimum_effect,
            "summary": {
                "headline": said.headline,
                "found": said.found,
                "next": said.next_steps,
                "unknown": said.unknown,
            },
            "arms": {arm.arm: _arm(arm) for arm in report.arms},
            "comparisons": [
                {**_comparison(comparison), "differences": comparison.differences} for comparison in report.comparisons
            ],
            "cost": {cost.arm: _cost(cost) for cost in report.costs},
            "versions": report.versions,
            "concerns": report.concerns,
        }
    )


def compare_json(comparison: Comparison, report: Report) -> dict[str, JsonValue]:
    """Return one comparison of the report, B against A, with what is needed to judge it."""
    arms = (comparison.a, comparison.b)
    return plain(
        {
            **_comparison(comparison),
            "measure": report.measure,
            "minimum_effect": report.minimum_effect,
            "collection": report.collection,
            **_questions(report),
            JUDGED: {arm.arm: arm.measures.get(JUDGED) for arm in report.arms if arm.arm in arms},
            "cost": {cost.arm: _cost(cost) for cost in report.costs if cost.arm in arms},
            "concerns": report.concerns,
        }
    )


def _questions(report: Report) -> dict[str, JsonValue]:
    return {
        "judgments": report.judgments,
        "sources": report.sources,
        "mined_queries": mined(report),
    }


def _arm(arm: ArmSummary) -> dict[str, JsonValue]:
    return {**arm.measures, "queries": arm.queries, "interval": [arm.low, arm.high]}


def _comparison(comparison: Comparison) -> dict[str, JsonValue]:
    return {
        "a": comparison.a,
        "b": comparison.b,
        "verdict": comparison.verdict.value,
        "reasons": comparison.reasons,
        **_contrast(comparison.contrast),
        "slices": {result.name: _slice(result) for result in comparison.slices},
        "changed": [_changed(query) for query in comparison.changed],
    }


def _contrast(contrast: Contrast) -> dict[str, JsonValue]:
    return {
        "effect": contrast.effect,
        "interval": [contrast.low, contrast.high],
        "p": contrast.p,
        "adjusted_p": contrast.adjusted_p,
        "d_z": contrast.d_z,
        "queries": contrast.queries,
        "clusters": contrast.clusters,
        "wins": contrast.wins,
        "ties": contrast.ties,
        "losses": contrast.losses,
        "more_queries": contrast.more_queries,
    }


def _slice(result: SliceResult) -> dict[str, JsonValue]:
    return {**_contrast(result.contrast), "regressed": bool(result.regressed)}


def _changed(query: ChangedQuery) -> dict[str, JsonValue]:
    return {
        "query": query.query,
        "text": query.text,
        "source": query.source,
        "a": query.a,
        "b": query.b,
        "a_hits": [_hit(hit) for hit in query.a_hits],
        "b_hits": [_hit(hit) for hit in query.b_hits],
    }


def _hit(hit: TopHit) -> dict[str, JsonValue]:
    return {
        "rank": hit.rank,
        "document": hit.document,
        "title": hit.title,
        "excerpt": str(marked(hit.excerpt)),
        "grade": hit.grade,
    }


def _cost(cost: Cost) -> dict[str, JsonValue]:
    return {
        "encode_s_per_1000_chunks": cost.encode_s_per_1000_chunks,
        "embed_corpus_s": cost.embed_corpus_s,
        "bytes_per_chunk": cost.bytes_per_chunk,
        "query_p50_ms": cost.query_p50_ms,
    }


def plain(content: Mapping[str, object]) -> dict[str, JsonValue]:
    """Return the content as JSON has it: plain containers, Python's own numbers, None for what is not finite."""
    return {str(key): _plain(value) for key, value in content.items()}


def _plain(value: object) -> JsonValue:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise TypeError(f"{value!r} has no place in a report.")
