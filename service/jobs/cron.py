"""Cron expressions: minute, hour, day of the month, month, day of the week; read in a time zone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from huey import crontab  # type: ignore[import-untyped]

from retrieval.errors import UsageError

MAX_CHARS = 128
DAYS_AHEAD = 366 * 9
"""A 29th of February may be eight years away."""

Matches = Callable[[datetime], bool]


@dataclass(frozen=True, slots=True)
class Cron:
    """The times that an expression names. Made by `parse`."""

    zone: ZoneInfo
    is_day: Matches
    is_hour: Matches
    is_minute: Matches

    @classmethod
    def parse(cls, expression: str, timezone: str = "UTC") -> "Cron":
        """Read an expression of five fields of numbers; raises UsageError.

        As with cron, a time is meant by either field where both the day of the month and that of the week are given.
        """
        fields = expression.split()
        if len(fields) != 5 or len(expression) > MAX_CHARS:
            raise UsageError(
                f"The cron expression {expression[:MAX_CHARS]!r} has {len(fields)} fields; write five: minute, hour, "
                "day of the month, month, day of the week (0 is Sunday), such as '0 3 * * *' for every night at three."
            )
        minute, hour, day, month, weekday = fields
        try:
            of_month = crontab(day=day, month=month, strict=True)
            of_week = crontab(day_of_week=weekday, month=month, strict=True)
            is_hour, is_minute = crontab(hour=hour, strict=True), crontab(minute=minute, strict=True)
        except ValueError as error:
            raise UsageError(
                f"The cron expression {expression!r} cannot be read: {error}. A field is *, a number, a range 1-5, "
                "steps */15 or 8-18/2, or several of these with commas between."
            ) from None
        is_either = not day.startswith("*") and not weekday.startswith("*")
        together = any if is_either else all
        return cls(_zone(timezone), lambda at: together((of_month(at), of_week(at))), is_hour, is_minute)

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, in UTC; None where there is none in the next nine years.

        A time that the clocks skip in spring comes an hour later, one that they repeat in autumn comes once.
        """
        local = moment.astimezone(self.zone)
        for ahead in range(DAYS_AHEAD):
            day = datetime.combine(local.date() + timedelta(days=ahead), datetime.min.time())
            if not self.is_day(day):
                continue
            for at in self._times(day.date()):
                if at > moment:
                    return at
        return None

    def _times(self, day: date) -> list[datetime]:
        """Return the times of a day, in UTC and in their order."""
        start = datetime.combine(day, datetime.min.time())
        hours = [hour for hour in (start + timedelta(hours=n) for n in range(24)) if self.is_hour(hour)]
        minutes = [n for n in range(60) if self.is_minute(start + timedelta(minutes=n))]
        local = (hour + timedelta(minutes=n) for hour in hours for n in minutes)
        return sorted(at.replace(tzinfo=self.zone).astimezone(UTC) for at in local)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # by what is wrong with the name
        raise UsageError(f"There is no time zone {name[:64]!r} here; write UTC, or such as Europe/Berlin.") from None
