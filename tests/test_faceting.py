"""Counts of metadata: values, even ranges of numbers, dates by year, with bounds that filters understand."""

import pytest

from retrieval.faceting import counted, facet_of, year_of
from retrieval.filters import Range, matches
from retrieval.stores.base import FacetCount
from retrieval.types import JsonValue

DOCUMENTS: list[dict[str, JsonValue]] = [
    {"kind": "pet", "legs": 4, "tags": ["a", "b"], "created": "2023-05-01"},
    {"kind": "pet", "legs": 4, "tags": ["b", "b"], "created": "2024-12-31T23:00:00-05:00"},
    {"kind": "bird", "legs": 2, "tags": [], "created": "2024-01-01"},
    {"kind": True, "legs": None, "created": "some day"},
]


def test_values_are_counted_once_a_document_the_most_frequent_first() -> None:
    assert counted(DOCUMENTS, "kind") == [FacetCount("pet", 2), FacetCount(True, 1), FacetCount("bird", 1)]
    assert counted(DOCUMENTS, "tags") == [FacetCount("b", 2), FacetCount("a", 1)]
    assert counted(DOCUMENTS, "unknown") == []


def test_values_beyond_the_limit_are_told() -> None:
    facet = facet_of("kind", counted(DOCUMENTS, "kind"), limit=1)
    assert (facet.values, facet.others) == ((FacetCount("pet", 2),), 2)
    assert (facet.numbers, facet.years) == (None, ())


def test_dates_are_counted_by_year_in_utc_and_are_no_values() -> None:
    facet = facet_of("created", counted(DOCUMENTS, "created"), limit=10)
    assert [(year.year, year.count) for year in facet.years] == [(2025, 1), (2024, 1), (2023, 1)]
    assert facet.values == (FacetCount("some day", 1),)
    assert year_of("0001-01-01T00:00:00+14:00") == 1


def test_numbers_have_their_bounds_and_round_ranges() -> None:
    facet = facet_of("legs", counted(DOCUMENTS, "legs"), limit=10)
    assert facet.numbers is not None
    assert (facet.numbers.min, facet.numbers.max) == (2, 4)
    assert [(one.gte, one.lt, one.count) for one in facet.numbers.ranges] == [(2, 2.5, 1), (4, 4.5, 2)]


@pytest.mark.parametrize(
    "numbers",
    [[0.1, 0.15, 0.2, 0.3], [-5, 0, 7], [1999, 2010, 2024.5], [1e-9, 3e-9], [-1e300, 5, 1e300]],
)
def test_every_number_is_in_the_range_that_a_filter_with_its_bounds_finds_it_in(numbers: list[float]) -> None:
    facet = facet_of("n", [FacetCount(value, 1) for value in numbers], limit=5).numbers
    assert facet is not None
    assert sum(one.count for one in facet.ranges) == len(numbers)
    for one in facet.ranges:
        where = Range("n", gte=one.gte, lt=one.lt)
        assert sum(matches(where, {"n": value}) for value in numbers) == one.count


@pytest.mark.parametrize("numbers", [[3], [-1.7e308, 1.7e308], [0, 5e-324], [1e300, 1.7e308], [1e13, 1e13 + 3]])
def test_numbers_that_cannot_be_parted_evenly_have_bounds_only(numbers: list[float]) -> None:
    facet = facet_of("n", [FacetCount(value, 1) for value in numbers], limit=5).numbers
    assert facet is not None
    assert (facet.min, facet.max, facet.ranges) == (min(numbers), max(numbers), ())
