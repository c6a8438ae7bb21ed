"""The plots, as SVG: widths in per cent, heights in pixels, so that they fit a phone and paper with readable text.

Colours are classes of the stylesheet, so that a plot follows the theme of its page.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from trainer.report.figures import count, is_finite, tick
from trainer.report.markup import Html, tag
from trainer.report.scale import Scale, nice_step

COLUMNS = 400
"""Bars drawn at most; more queries than this share them."""
_FEWEST = 24
"""Bars that always have room: of few queries, a bar would be a wall."""
_LABEL_WIDTH = 42
_ROW, _AXIS = 58, 26
"""The stylesheet knows the height of a row too."""
_HALF = 84


@dataclass(frozen=True, slots=True)
class Row:
    """A mean with its interval: its name, what stands under the name, and whether it is the main one.

    `said` is all of it in words, for those who do not see the plot.
    """

    name: str
    note: str
    said: str
    value: float
    low: float
    high: float
    main: bool = False


def picture(key: str, title: str, description: str, height: int, *drawn: str) -> Html:
    """Return an image with its name and what it shows in words."""
    return tag(
        "svg",
        tag("title", title, id=f"{key}-title"),
        tag("desc", description, id=f"{key}-desc"),
        *drawn,
        role="img",
        width="100%",
        height=height,
        aria_labelledby=f"{key}-title",
        aria_describedby=f"{key}-desc",
    )


def line(x1: str, y1: float, x2: str, y2: float, kind: str) -> Html:
    """Return a line of a kind that the stylesheet knows."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def label(x: str, y: float, text: str, kind: str, anchor: str = "start") -> Html:
    """Return text."""
    return tag("text", text, x=x, y=y, class_=kind, text_anchor=anchor)


def whisker(scale: Scale, row: Row, y: float, cap: float = 5) -> list[Html]:
    """Return an interval with its ends and the mean on it; nothing where there is no number."""
    kind = "mean main" if row.main else "mean"
    drawn: list[Html] = []
    if is_finite(row.low) and is_finite(row.high):
        low, high = scale.at(row.low), scale.at(row.high)
        drawn += [line(low, y, high, y, kind), *(line(end, y - cap, end, y + cap, kind) for end in (low, high))]
    if is_finite(row.value):
        drawn.append(tag("circle", cx=scale.at(row.value), cy=y, r=cap, class_=kind))
    return drawn


def band(scale: Scale, minimum: float, height: float) -> list[Html]:
    """Return the line of no difference within the band of differences too little to matter."""
    left, right = scale.percent(-minimum), scale.percent(minimum)
    return [
        tag("rect", x=f"{left:.2f}%", y=0, width=f"{right - left:.2f}%", height=height, class_="band"),
        *(line(f"{edge:.2f}%", 0, f"{edge:.2f}%", height, "bound") for edge in (left, right)),
        line(scale.at(0), 0, scale.at(0), height, "zero"),
    ]


def intervals(
    key: str,
    title: str,
    rows: Sequence[Row],
    *,
    axis: Callable[[float], str],
    minimum: float | None = None,
) -> Html:
    """Return means with their intervals, one under the other; with the band of the minimum effect if there is one.

    Names stand over the intervals, or left of them where the stylesheet finds room; they are read out with the plot.
    """
    edges = [] if minimum is None else [-1.25 * minimum, 1.25 * minimum]
    scale = Scale.over([*(edge for row in rows for edge in (row.value, row.low, row.high)), *edges])
    height = _ROW * len(rows) + 6
    drawn = [line(scale.at(value), 0, scale.at(value), height, "grid") for value in scale.ticks()]
    drawn += [] if minimum is None else band(scale, minimum, height)
    drawn += [label(scale.at(value), height + 18, axis(value), "tick", "middle") for value in scale.ticks()]
    marks = [mark for place, row in enumerate(rows) for mark in whisker(scale, row, _ROW * place + 46)]
    drawn.append(tag("g", *marks, class_="marks"))
    names = [
        tag("div", tag("span", shortened(row.name), class_="name"), tag("span", shortened(row.note), class_="quiet"))
        for row in rows
    ]
    plot = picture(key, title, " ".join(f"{row.said}." for row in rows), height + _AXIS, *drawn)
    return tag("div", tag("div", *names, class_="names", aria_hidden="true"), plot, class_="intervals")


def small_interval(key: str, row: Row, scale: Scale, minimum: float) -> Html:
    """Return one interval as small as a table's row, on a scale that the rows share."""
    return picture(key, row.name, row.said, 28, *band(scale, minimum, 28), *whisker(scale, row, 14, 4))


def difference_bars(key: str, title: str, description: str, differences: Sequence[float]) -> Html:
    """Return every query's difference as a bar, from B's greatest gain to its greatest loss."""
    columns = averaged(sorted((value for value in differences if is_finite(value)), reverse=True), COLUMNS)
    top = nice_step(max((abs(value) for value in columns), default=0.0) or 0.1)
    width, height = max(len(columns), _FEWEST), 2 * _HALF
    bars = tag(
        "svg",
        *(
            tag("path", d=_bars(columns, sign, top), class_=kind)
            for sign, kind in ((1, "win"), (-1, "loss"))
            if any(sign * value > 0 for value in columns)
        ),
        width="100%",
        height=height,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none",
    )
    grid = [line("0", y, "100%", y, "grid") for y in (0.5, _HALF / 2, 1.5 * _HALF, height - 0.5)]
    said = [
        label("100%", 13, f"{tick(top)} points", "tick", "end"),
        label("0", height - 6, f"{tick(-top)} points", "tick"),
    ]
    return picture(key, title, description, height, *grid, bars, line("0", _HALF, "100%", _HALF, "zero"), *said)


def averaged(values: Sequence[float], most: int) -> list[float]:
    """Return the values, or no more than so many means of neighbours."""
    if len(values) <= most:
        return list(values)
    edges = [place * len(values) // most for place in range(most + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]


def _bars(columns: Sequence[float], sign: int, top: float) -> str:
    gap = 0.0 if len(columns) > 2 * _FEWEST else 0.1
    parts = [
        f"M{place + gap:g} {_HALF}V{_HALF * (1 - value / top):.1f}h{1 - 2 * gap:g}V{_HALF}z"
        for place, value in enumerate(columns)
        if sign * value > 0
    ]
    return "".join(parts)


def tally_bar(key: str, title: str, wins: int, ties: int, losses: int) -> Html:
    """Return wins, ties and losses as one bar, each named and numbered above its part."""
    total = max(wins + ties + losses, 1)
    left, right = 100 * wins / total, 100 * (wins + ties) / total
    parts = ((0.0, left, "win"), (left, right, "tie"), (right, 100 * (wins + ties + losses) / total, "loss"))
    bar = [
        tag("rect", x=f"{start:.2f}%", y=24, width=f"{end - start:.2f}%", height=22, class_=kind)
        for start, end, kind in parts
        if end > start
    ]
    edges = [line(f"{edge:.2f}%", 22, f"{edge:.2f}%", 48, "edge") for edge in (left, right) if 0 < edge < 100]
    middle = min(max((left + right) / 2, 42), 58)
    said = [
        label("0", 16, f"▲ {count(wins)} better", "name win"),
        label(f"{middle:.2f}%", 16, f"= {count(ties)} tied", "name", "middle"),
        label("100%", 16, f"▼ {count(losses)} worse", "name loss", "end"),
    ]
    described = f"{count(wins)} better, {count(ties)} tied, {count(losses)} worse."
    return picture(key, title, described, 50, *bar, *edges, *said)


def shortened(text: str, most: int = _LABEL_WIDTH) -> str:
    """Return the text, its middle left out where it is wider than so many letters; both ends tell versions apart."""
    if sum(map(_width, text)) <= most:
        return text
    return f"{_fitting(text, most // 2)}…{_fitting(text[::-1], most // 2 - 1)[::-1]}"


def _fitting(text: str, most: int) -> str:
    used = 0
    for place, letter in enumerate(text):
        used += _width(letter)
        if used > most:
            return text[:place]
    return text


def _width(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "FW" else 1
