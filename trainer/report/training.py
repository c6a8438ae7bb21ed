"""The report on a training: was it worth it, and everything that the answer rests on."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from retrieval.types import JsonValue
from trainer.report.document import compare_json, plain, to_json
from trainer.report.figures import count, decimals, interval, percent, points, tick
from trainer.report.markup import Html, foreign, joined, number, prose, table, tag, words
from trainer.report.page import Part, key_figures, page, parts, sentences
from trainer.report.plots import Row, intervals
from trainer.report.training_story import headline, how_sure, was_it_worth_it, what_it_cost, what_next
from trainer.training.canary import Canary
from trainer.training.findings import TrainingReport
from trainer.training.learning_curve import CurvePoint

_ERRORS = 2.0
"""Standard errors that the learning curve's whiskers reach to either side: about 95 %."""


def training_html(found: TrainingReport) -> str:
    """Return the page as well-formed HTML."""
    own = [
        Part("summary", "Was it worth it?", list(_short(found))),
        Part("curve", "Would more pairs help?", list(_curve(found))),
        Part("pairs", "What it was trained on", list(_pairs(found))),
        Part("weights", "How much of the tuned model", list(_weights(found))),
        Part("canary", "What it forgot", list(_canary(found))),
    ]
    return page(found.report, headline(found), [*own, *parts(found.report)])


def training_json(found: TrainingReport) -> dict[str, JsonValue]:
    """Return the same content at full precision; docs/training.md describes it."""
    main, embedding = found.comparison, found.embedding
    return plain(
        {
            **to_json(found.report),
            "summary": _summary(found),
            "version": found.version or None,
            "base": found.base,
            "method": found.method,
            "lambda": found.choice.weight,
            "verdict": found.verdict,
            "may_be_promoted": found.may_be_promoted,
            "tried": found.tried,
            "comparison": compare_json(main, found.report) if main else None,
            "embedding_comparison": compare_json(embedding, found.report) if embedding else None,
            "dev": {
                "queries": found.choice.queries,
                "by_lambda": found.choice.by_weight,
                "steps": [list(step) for step in found.choice.steps],
                "is_chance": found.choice.is_chance,
            },
            "pairs": asdict(found.pairs),
            "curve": [_point(point) for point in found.curve],
            "canary": _canary_json(found.canary) if found.canary else None,
            "seconds": {"total": sum(found.seconds.values()), **found.seconds},
            "pairs_per_s": found.pairs_per_s,
            "device": found.device,
            "settings": found.settings,
        }
    )


def _summary(found: TrainingReport) -> dict[str, JsonValue]:
    return {
        "headline": headline(found),
        "worth_it": list(was_it_worth_it(found)),
        "how_sure": list(how_sure(found)),
        "cost": list(what_it_cost(found)),
        "next": list(what_next(found)),
    }


def _point(point: CurvePoint) -> dict[str, JsonValue]:
    return {
        "share": point.share,
        "pairs": point.pairs,
        "ndcg@10": point.ndcg,
        "gain": point.gain,
        "error": point.error,
        "lambda": point.weight,
    }


def _canary_json(canary: Canary) -> dict[str, JsonValue]:
    return {
        "name": canary.name,
        "before": canary.before,
        "after": canary.after,
        "effect": canary.contrast.effect,
        "interval": [canary.contrast.low, canary.contrast.high],
        "queries": canary.contrast.queries,
        "minimum_effect": canary.minimum_effect,
        "vetoed": canary.is_vetoed,
    }


def _short(found: TrainingReport) -> Iterator[Html]:
    if found.comparison is not None:
        yield key_figures(found.report, found.comparison)
    yield sentences("ul", was_it_worth_it(found))
    yield from _asked("How sure is that?", how_sure(found))
    yield from _asked("What did it cost?", what_it_cost(found))
    yield tag("h3", "What to do next")
    yield sentences("ol", what_next(found))


def _asked(question: str, answers: Iterable[str]) -> Iterator[Html]:
    yield tag("h3", question)
    yield sentences("ul", answers)


def _curve(found: TrainingReport) -> Iterator[Html]:
    if len(found.curve) < 2:
        yield tag("p", "No learning curve was measured.")
        return
    title = "Gain over the base on dev queries, in points of nDCG@10, by the pairs trained on"
    rows = [
        Row(
            f"{count(point.pairs)} pairs",
            f"{percent(point.share)} of the pairs",
            f"{count(point.pairs)} pairs: {points(point.gain)} points",
            point.gain,
            point.gain - _ERRORS * point.error,
            point.gain + _ERRORS * point.error,
            main=point.share == 1,
        )
        for point in found.curve
    ]
    caption = (
        f"{title}. The whiskers reach two standard errors to either side. The same queries chose the weights, so that "
        f"the truth is a little less."
    )
    yield tag("figure", intervals("curve-plot", title, rows, axis=tick), tag("figcaption", prose(caption)))


def _pairs(found: TrainingReport) -> Iterator[Html]:
    choosing = found.pairs.choosing
    kept = [(foreign(source), [number(count(size))]) for source, size in found.pairs.sources.items()]
    yield table("sources-table", "Pairs trained on, by source", ["Source", "Pairs"], kept)
    lost = [
        *((foreign(reason), [words("mining"), number(count(size))]) for reason, size in found.pairs.dropped.items()),
        *((foreign(reason), [words("split"), number(count(size))]) for reason, size in found.pairs.left_out.items()),
        *([(foreign("of queries that choose (dev)"), [words("split"), number(count(choosing))])] if choosing else []),
    ]
    if lost:
        yield table("dropped-table", "Pairs not trained on, and why", ["Reason", " Dropped by", "Pairs"], lost)


def _weights(found: TrainingReport) -> Iterator[Html]:
    choice = found.choice
    yield tag(
        "p",
        "The tuned weights are mixed with the base's, and dev queries choose how much of each: 0 is the base, 1 the "
        f"tuned model. Chosen: {choice.weight:g}, by {count(choice.queries)} queries.",
    )
    rows = [
        (
            joined([weight, tag("strong", " chosen") if float(weight) == choice.weight else ""]),
            [number(decimals(value))],
        )
        for weight, value in choice.by_weight.items()
    ]
    yield table(
        "weights-table", "Mean nDCG@10 of the embedding on dev queries", ["Share of the tuned model", "nDCG@10"], rows
    )
    if choice.steps:
        steps = [(str(step), [number(decimals(value))]) for step, value in choice.steps]
        is_map = found.method == "adapter"
        title = "by how strongly the map is held to the identity, the most first" if is_map else "while it was trained"
        yield table("steps-table", f"Mean nDCG@10 on dev {title}", ["Trial" if is_map else "Step", "nDCG@10"], steps)


def _canary(found: TrainingReport) -> Iterator[Html]:
    canary = found.canary
    if canary is None:
        why = "nobody wanted it (`--canary none`)" if found.version else "there is no tuned model"
        yield tag("p", prose(f"Nothing was asked: {why}."))
        return
    contrast = canary.contrast
    said = (
        f"{count(contrast.queries)} queries about {canary.name}, by embedding alone: nDCG@10 {decimals(canary.before)} "
        f"before, {decimals(canary.after)} after, {points(contrast.effect)} points "
        f"({interval(contrast.low, contrast.high)})."
    )
    yield tag("p", prose(said))
    least = points(-canary.minimum_effect)
    yield tag(
        "p", f"A loss beyond {least} points vetoes a promotion. {'It does.' if canary.is_vetoed else 'It does not.'}"
    )
