"""Dates in the many forms people write them, as ISO 8601."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from retrieval.types import JsonValue

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEAR = re.compile(r"(?:19|20)\d\d")
_IN_PATH = re.compile(r"(?:^|/)(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?:[-_/ ]|$)")
_EPOCH = re.compile(r"1\d{9}(?:\d{3})?")
_HOURS = {"UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8,
          "PDT": -7, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "BST": 1, "JST": 9, "IST": 5.5}  # fmt: skip
_LONGEST = 60


def iso_date(value: JsonValue) -> str | None:
    """Return a date or date-time as ISO 8601, or None where the value is neither.

    "15 May 2015", "2015-05-15 10:00 +0200", seconds since 1970; a day that does not exist is no date.
    """
    written = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not written or len(written) > _LONGEST:
        return None
    if _ISO_DATE.fullmatch(written):
        return _calendar_day(*written.split("-"))
    if _YEAR.fullmatch(written):
        return f"{written}-01-01"
    if _EPOCH.fullmatch(written):
        return datetime.fromtimestamp(int(written[:10]), UTC).isoformat()
    try:
        return datetime.fromisoformat(written).isoformat()
    except ValueError:
        is_likely = written.isascii() and not written.isdigit() and any(character.isdigit() for character in written)
        return _in_words(written) if is_likely else None


def date_in_path(path: str) -> str | None:
    """Return the date that a path carries, as in 2015-05-15-title.md or 2015/05/15/title."""
    found = _IN_PATH.search(path)
    return _calendar_day(found[1], found[3], found[4]) if found else None


def _calendar_day(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


def _in_words(written: str) -> str | None:
    """Read with dateutil twice, from two defaults: what differs between the answers was not written."""
    from dateutil import parser

    try:
        early, late = (
            parser.parse(written, default=default, tzinfos=_zone)
            for default in (datetime(1, 1, 1), datetime(2, 1, 1, 23, 59))  # noqa: DTZ001 - the zone is the text's own
        )
    except (ValueError, OverflowError, TypeError, AttributeError, ArithmeticError):
        return None
    if early.year != late.year:
        return None
    return early.isoformat() if (early.hour, early.minute) == (late.hour, late.minute) else early.date().isoformat()


def _zone(name: str | None, offset_s: int | None) -> timezone | None:
    if offset_s is None:
        hours = _HOURS.get(name or "")
        return None if hours is None else timezone(timedelta(hours=hours))
    return timezone(timedelta(seconds=offset_s)) if abs(offset_s) < 86_400 else None
