"""What was found, put into the words and rows that the page shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from retrieval.types import JsonValue
from service.found import Found, FoundBy
from trainer.report.figures import MISSING, count, decimals, interval, measure_name, p_value, points
from trainer.report.markup import prose as in_markup

NAMES = {
    FoundBy.TRAINING: "Training",
    FoundBy.COMPARISON: "Comparison",
    FoundBy.EVALUATION: "Evaluation",
}
TONES = {"better": "done", "worse": "failed"}
ANSWERS = (
    ("worth_it", "Was it worth it?"),
    ("how_sure", "How sure is that?"),
    ("cost", "What did it cost?"),
    ("found", "What was found"),
    ("next", "What to do next"),
    ("unknown", "What this does not know"),
)
NO_MEASURES = ("queries", "interval")
MOST_CHANGED = 20

Content = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its caption, its columns, and rows of a head and cells."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def prose(sentence: str) -> Markup:
    """Return a sentence as markup, what stands in backticks as code; everything in it is escaped."""
    return Markup(in_markup(sentence))  # noqa: S704  # escaped by what makes it


def compared(found: Found) -> Content:
    """Return the main comparison of what was found, empty where there is none."""
    inner = found.content.get("comparison")
    if isinstance(inner, dict):
        return inner
    return found.content if "verdict" in found.content and "a" in found.content else {}


def facts(found: Found) -> Iterator[tuple[str, str]]:
    """Yield what is told at a glance, names and values."""
    main, content = compared(found), found.content
    if main:
        yield "against", str(main["a"])
        yield "difference", f"{points(main.get('effect'))} points of {measure_name(main.get('measure', 'ndcg@10'))}"
        if "interval" in main:
            yield "95 % interval", f"{_interval(main)} points"
        if "p" in main:
            yield "p", p_value(main.get("adjusted_p", main["p"]))
        yield "queries", _queries(main)
        if "wins" in main:
            yield "better / tied / worse", f"{main['wins']} / {main['ties']} / {main['losses']}"
    yield "judged by", found.judgments or "the usual set"
    if found.version:
        yield "model", found.version
    for name, key in (("method", "method"), ("base", "base"), ("device", "device")):
        if content.get(key):
            yield name, str(content[key])
    if isinstance(canary := content.get("canary"), dict):
        said = "vetoes a promotion" if canary.get("vetoed") else "forgot nothing that matters"
        yield "canary", f"{points(canary.get('effect'))} points on {canary.get('name')}: {said}"


def _queries(main: Content) -> str:
    mined = main.get("mined_queries")
    return count(main.get("queries")) + (f", {count(mined)} of them mined" if mined else "")


def answers(found: Found) -> Iterator[tuple[str, list[str]]]:
    """Yield what is said in sentences, by question."""
    summary = found.content.get("summary")
    if isinstance(summary, dict):
        for key, title in ANSWERS:
            if said := summary.get(key):
                yield title, [str(sentence) for sentence in said]
    elif said := compared(found).get("reasons"):
        yield "Why", [str(sentence) for sentence in said]
    if concerns := found.content.get("concerns"):
        yield "What makes it mean less", [str(sentence) for sentence in concerns]


def grids(found: Found) -> Iterator[Grid]:
    """Yield the tables."""
    arms = found.content.get("arms")
    if isinstance(arms, dict) and arms:
        names = list(
            dict.fromkeys(name for arm in arms.values() for name in arm if name not in ("queries", "interval"))
        )
        rows = [
            (arm, [*(decimals(told.get(name)) for name in names), count(told.get("queries"))])
            for arm, told in arms.items()
        ]
        yield Grid("Means over the queries", ["Arm", *map(measure_name, names), "Queries"], rows)
    slices = compared(found).get("slices")
    if isinstance(slices, dict) and slices:
        rows = [(name, _slice(told)) for name, told in slices.items()]
        yield Grid("Kinds of queries", ["Kind", "Difference, points", "95 % interval", "Queries", ""], rows)


def _slice(told: Content) -> list[str]:
    return [
        points(told.get("effect")),
        _interval(told),
        count(told.get("queries")),
        "worse" if told.get("regressed") else "",
    ]


def changed(found: Found) -> list[dict[str, Any]]:
    """Return the queries that changed most, with both arms' first documents."""
    queries = compared(found).get("changed") or []
    return [{**query, "effect": points(query["b"] - query["a"])} for query in queries[:MOST_CHANGED]]


def _interval(told: Content) -> str:
    bounds = told.get("interval")
    return interval(bounds[0], bounds[1]) if isinstance(bounds, list) and len(bounds) == 2 else MISSING
