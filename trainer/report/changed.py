"""The queries that changed most: both arms' first hits side by side."""

from collections.abc import Sequence

from trainer.findings import ChangedQuery, Comparison, TopHit
from trainer.report.figures import decimals, points
from trainer.report.markup import Html, escaped, foreign, hidden, joined, marked, tag

_OPEN = 3
"""Queries shown at once; the others open on request, and on paper."""


def changed_queries(key: str, comparison: Comparison) -> Html:
    """Return each query with its values and both lists."""
    return joined(
        _query(f"{key}-{place}", comparison, query, opened=place < _OPEN)
        for place, query in enumerate(comparison.changed)
    )


def _query(key: str, comparison: Comparison, query: ChangedQuery, *, opened: bool) -> Html:
    difference = query.b - query.a
    kind, sign = ("win", "▲") if difference > 0 else ("loss", "▼") if difference < 0 else ("even", "=")
    values = f"{decimals(query.a)} → {decimals(query.b)}"
    return tag(
        "details",
        tag(
            "summary",
            tag("span", f"{sign} {points(difference)}", class_=f"verdict n {kind}"),
            tag("span", foreign(query.text), class_="query"),
            tag("span", values, " · ", foreign(query.source), " · ", tag("code", foreign(query.query)), class_="quiet"),
        ),
        tag(
            "div",
            _hits(f"{key}-a", comparison.a, query.a_hits, query.b_hits, "B"),
            _hits(f"{key}-b", comparison.b, query.b_hits, query.a_hits, "A"),
            class_="pair",
        ),
        class_="changed",
        open="" if opened else None,
    )


def _hits(key: str, arm: str, hits: Sequence[TopHit], other: Sequence[TopHit], other_name: str) -> Html:
    elsewhere = {hit.document: hit.rank for hit in other}
    title = tag("h4", tag("span", f"{'A' if other_name == 'B' else 'B'} ", class_="quiet"), foreign(arm), id=key)
    if not hits:
        return tag("div", title, tag("p", "Found nothing.", class_="quiet"))
    items = [_hit(hit, elsewhere.get(hit.document), other_name) for hit in hits]
    return tag("div", title, tag("ol", *items, aria_labelledby=key))


def _hit(hit: TopHit, elsewhere: int | None, other_name: str) -> Html:
    where = f"{other_name}: rank {elsewhere}" if elsewhere is not None else f"not among {other_name}'s first"
    return tag(
        "li",
        tag("p", tag("span", foreign(hit.title or hit.document), class_="title"), " ", _grade(hit.grade)),
        tag("p", tag("code", foreign(hit.document)), f" · {where}", class_="quiet"),
        tag("p", marked(hit.excerpt), class_="excerpt", dir="auto") if hit.excerpt else escaped(""),
        value=hit.rank,
    )


def _grade(grade: int | None) -> Html:
    if grade is None:
        return tag("span", "never judged", class_="grade unjudged")
    if grade <= 0:
        return tag("span", f"not relevant ({grade})", class_="grade")
    return tag("span", "✓ ", hidden("relevant, "), f"grade {grade}", class_="grade relevant")
