"""Cron expressions: which times they name, worked by hand."""

from datetime import UTC, datetime

import pytest

from retrieval.errors import UsageError
from service.jobs.cron import Cron

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
"""A Thursday."""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 3 * * *", "2026-01-16T03:00"),
        ("0 12 * * *", "2026-01-16T12:00"),  # not the moment itself
        ("*/15 * * * *", "2026-01-15T12:15"),
        ("5,50 8-18/5 * * *", "2026-01-15T13:05"),
        ("0 3 * * 0", "2026-01-18T03:00"),
        ("0 3 * * 7", "2026-01-18T03:00"),
        ("30 4 1 * *", "2026-02-01T04:30"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 3 20 * 5", "2026-01-16T03:00"),  # the 20th, or a Friday, as with cron
        ("0 3 */10 * 5", "2026-05-01T03:00"),  # a Friday that is the 1st, 11th, 21st or 31st
        ("  0  3 * * *  ", "2026-01-16T03:00"),
    ],
)
def test_the_next_time_is_the_first_after_now(expression: str, expected: str) -> None:
    found = Cron.parse(expression).after(NOON)
    assert found is not None
    assert found.isoformat(timespec="minutes") == f"{expected}+00:00"


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 3 * * *", "2026-01-15T12:00", "2026-01-16T02:00"),  # winter: an hour ahead of UTC
        ("0 3 * * *", "2026-07-15T12:00", "2026-07-16T01:00"),  # summer: two
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:30"),  # 02:30 is skipped: 03:30, as the clock shows
        ("30 2 * * *", "2026-03-29T01:30", "2026-03-30T00:30"),  # and once that day
        ("30 2 * * *", "2026-10-24T12:00", "2026-10-25T00:30"),  # 02:30 comes twice: the first of them
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("0 0 1 * *", "2026-01-31T23:30", "2026-02-28T23:00"),  # it is February there already
    ],
)
def test_times_are_those_of_the_time_zone(expression: str, after: str, expected: str) -> None:
    found = Cron.parse(expression, "Europe/Berlin").after(datetime.fromisoformat(f"{after}+00:00"))
    assert found is not None
    assert found.isoformat(timespec="minutes") == f"{expected}+00:00"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "has 0 fields"),
        ("0 3 * *", "has 4 fields"),
        ("@daily", "has 1 fields"),
        ("60 3 * * *", "60 is not a valid input"),
        ("0 24 * * *", "24 is not a valid input"),
        ("0 3 0 * *", "0 is not a valid input"),
        ("0 3 * JAN *", "JAN is not a valid input"),
        ("0 3 * * 8", "8 is not a valid input"),
        ("*/0 * * * *", "cannot be read"),
        ("1-5/0 * * * *", "cannot be read"),
        ("1,,2 * * * *", "cannot be read"),
        ("-1 * * * *", "cannot be read"),
        ("² * * * *", "cannot be read"),
        ("0 3 * * " + "1," * 100 + "1", "has 5 fields"),
    ],
)
def test_what_is_no_cron_expression_is_refused(expression: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Cron.parse(expression)
    assert said in str(refused.value)


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../../etc/passwd", "/etc/localtime", "Europe", "a\0b", "x" * 300])
def test_a_time_zone_that_is_not_there_is_refused(zone: str) -> None:
    with pytest.raises(UsageError, match="no time zone"):
        Cron.parse("0 3 * * *", zone)


def test_a_day_that_never_comes_is_found_out() -> None:
    assert Cron.parse("0 0 30 2 *").after(NOON) is None
