"""How the report writes numbers. A number that is absent or not finite is written n/a."""

import math
from datetime import datetime

MISSING = "n/a"
_NAMES = {"ndcg": "nDCG", "mrr": "MRR", "recall": "recall", "success": "success", "judged": "judged"}


def is_finite(value: float | None) -> bool:
    """Say whether there is a number to show."""
    return value is not None and math.isfinite(value)


def points(value: float | None) -> str:
    """Write a difference of a measure in points, hundredths, with its sign: +2.31."""
    if value is None or not math.isfinite(value):
        return MISSING
    written = f"{100 * value:+,.2f}"
    return "0.00" if not written.strip("+-0.") else written.replace("-", "−")


def size_in_points(value: float) -> str:
    """Write a size, such as the minimum effect, in points: 1 point, 0.25 points."""
    return f"{100 * value:.4g} point{'' if round(100 * value, 3) == 1 else 's'}"


def interval(low: float, high: float) -> str:
    """Write an interval of a difference in points: +0.84 to +3.79."""
    return f"{points(low)} to {points(high)}" if is_finite(low) and is_finite(high) else MISSING


def interval_of_mean(low: float, high: float) -> str:
    """Write an interval of a mean: 0.571 to 0.612."""
    return f"{decimals(low)} to {decimals(high)}" if is_finite(low) and is_finite(high) else MISSING


def tick(value: float) -> str:
    """Write a round difference in points, as an axis has it: +2, 0, −2."""
    return f"{100 * value:+g}".replace("-", "−") if value else "0"


def decimals(value: float | None, places: int = 3) -> str:
    """Write a number with so many places: 0.571."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,.{places}f}".replace("-", "−")


def p_value(value: float) -> str:
    """Write a probability: 0.043, or < 0.001."""
    return "< 0.001" if value < 0.001 else decimals(value)


def count(value: int | None) -> str:
    """Write a count: 5,000."""
    return MISSING if value is None else f"{value:,}"


def counted(value: int, noun: str, plural: str = "") -> str:
    """Write a count and what is counted: 1 query, 2 queries."""
    return f"{count(value)} {noun if value == 1 else plural or noun + 's'}"


def queries(value: int) -> str:
    """Write a number of queries."""
    return counted(value, "query", "queries")


def percent(part: float) -> str:
    """Write a share: 40 %, and not 100 % of what is nearly all."""
    if 0 < part < 0.01:
        return "under 1 %"
    return f"{min(round(100 * part), 99) if part < 1 else 100} %"


def duration(seconds: float) -> str:
    """Write a time for people: 0.4 s, 12 s, 4 min 3 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(written: str) -> str:
    """Write a time in UTC as date, hour and minute; what is no ISO 8601 stays as it is."""
    try:
        return f"{datetime.fromisoformat(written):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return written


def measure_name(measure: str) -> str:
    """Write a measure as the literature does: nDCG@10."""
    name, at, depth = measure.partition("@")
    return f"{_NAMES.get(name, name)}{at}{depth}"


def listed(parts: list[str], last: str = "and") -> str:
    """Write a list: a, b and c."""
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
