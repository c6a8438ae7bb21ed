"""What filters mean (`matches`, worked by hand) and how they are read from JSON and from the command line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import UsageError
from retrieval.filter_parsing import MAX_CLAUSES, MAX_DEPTH, filter_to_json, parse_filter, parse_where
from retrieval.filters import And, AnyOf, Exists, Filter, Not, Or, Range, instant, matches, number, period
from retrieval.stores.payload import read_token, token
from retrieval.types import JsonValue, Metadata

fields = st.sampled_from(["a", "b", "a.b", '"'])
scalars = st.one_of(
    st.sampled_from(["a", "", "1", "true", "2024-05-01", "2024-05-01T10:00:00Z"]),
    st.integers(-3, 3),
    st.booleans(),
    st.floats(-3, 3),
)
bounds = st.one_of(st.integers(-3, 3), st.floats(-3, 3))
dates = st.sampled_from(["2024", "2024-05", "2024-05-01", "2024-05-01T10:00:00Z"])
ranges = st.one_of(
    st.builds(Range, fields, gt=bounds, lte=bounds),
    st.builds(Range, fields, gte=bounds),
    st.builds(Range, fields, lt=dates),
    st.builds(Range, fields, gte=dates, lte=dates),
)
filters: st.SearchStrategy[Filter] = st.recursive(
    st.one_of(
        st.builds(AnyOf, fields, st.lists(scalars, min_size=1, max_size=3).map(tuple)),
        ranges,
        st.builds(Exists, fields),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: And(tuple(found))),
        st.lists(inner, max_size=3).map(lambda found: Or(tuple(found))),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)
metadata_values = st.one_of(scalars, st.none(), st.lists(scalars, max_size=3), st.just({"b": 1}), st.just([[1]]))
metadatas = st.dictionaries(fields, metadata_values, max_size=4)


@pytest.mark.parametrize(
    ("where", "metadata", "expected"),
    [
        (AnyOf("n", (1,)), {"n": 1.0}, True),
        (AnyOf("n", (1,)), {"n": True}, False),
        (AnyOf("n", (True,)), {"n": 1}, False),
        (AnyOf("n", ("1",)), {"n": 1}, False),
        (AnyOf("n", (1,)), {"n": [0, 1]}, True),
        (AnyOf("n", (1,)), {"n": [[1]]}, False),
        (AnyOf("a.b", (1,)), {"a": {"b": 1}}, False),
        (Range("n", gt=1, lt=3), {"n": [0, 4]}, False),
        (Range("n", gt=1, lt=3), {"n": [0, 2]}, True),
        (Range("n", gte=1), {"n": "1"}, False),
        (Range("n", gte=0.3), {"n": 0.1 + 0.2}, True),
        (Range("n", gt=0), {"n": 10**400}, False),
        (Range("d", gte="2024"), {"d": "2024"}, False),
        (Range("d", lte="2024"), {"d": "2024-12-31T23:59:59Z"}, True),
        (Range("d", gt="2024"), {"d": "2024-12-31T23:59:59Z"}, False),
        (Range("d", gt="2024-02"), {"d": "2024-02-29"}, False),
        (Range("d", gt="2024-02"), {"d": "2024-03-01"}, True),
        (Range("d", lt="2024-05-01T12:00+02:00"), {"d": "2024-05-01 09:59"}, True),
        (Range("d", lt="2024-05-01T12:00+02:00"), {"d": "2024-05-01 10:00:00 +0000"}, False),
        (Exists("x"), {"x": None}, False),
        (Exists("x"), {"x": []}, False),
        (Exists("x"), {"x": ""}, True),
        (Exists("x"), {"x": {}}, True),
        (And(()), {}, True),
        (Or(()), {}, False),
    ],
)
def test_a_filter_means_what_the_module_says(where: Filter, metadata: Metadata, expected: bool) -> None:
    assert matches(where, metadata) is expected
    assert matches(Not(where), metadata) is not expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0),
        ("1970-01", 0),
        ("1970-01-02T00:00:01Z", 86_401),
        ("1970-01-01T00:00:00.5", 0.5),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31 23:00 -0100", 0),
        ("2024-02-30", None),
        ("1970-13", None),
        ("1970", None),
        ("19700101", None),
        ("1970-01-01T25:00", None),
        ("0000-01-01", None),
        ("yesterday", None),
        ("١٩٧٠-٠١-٠١", None),
        ("1970-01-01" + " " * 100, None),
        (19700101, None),
        (None, None),
    ],
)
def test_dates_are_instants_in_utc(text: JsonValue, seconds: float | None) -> None:
    assert instant(text) == seconds


def test_a_date_without_a_time_spans_its_day_month_or_year() -> None:
    spans = {text: period(text) for text in ("1970-01-01", "1970-02", "1972", "1970-01-01T00:00")}
    days = {text: (span[1] - span[0]) / 86_400 for text, span in spans.items() if span}
    assert days == {"1970-01-01": 1, "1970-02": 28, "1972": 366, "1970-01-01T00:00": 0}
    assert period("9999-12-31") is not None


def test_numbers_beyond_float64_and_booleans_are_no_numbers() -> None:
    assert [number(value) for value in (True, "1", 10**400, float("inf"), 1.7976931348623157e308)] == [None] * 5
    assert number(2**70) == 1.18059162071741e21


@given(scalars, scalars)
def test_tokens_are_equal_exactly_when_values_are(a: str | float, b: str | float) -> None:
    assert (token(a) == token(b)) == matches(AnyOf("x", (a,)), {"x": b})
    assert matches(AnyOf("x", (read_token(token(a)),)), {"x": a})


@given(filters, metadatas)
def test_the_json_form_reads_back_and_means_the_same(where: Filter, metadata: Metadata) -> None:
    read = parse_filter(json.loads(json.dumps(filter_to_json(where))))
    assert read == where
    assert matches(read, metadata) is matches(where, metadata)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"field": "a", "equals": 1}, AnyOf("a", (1,))),
        ({"field": "a", "any_of": ["x", True]}, AnyOf("a", ("x", True))),
        ({"field": "a", "gte": 1, "lt": 2.5}, Range("a", gte=1, lt=2.5)),
        ({"field": "a", "exists": False}, Not(Exists("a"))),
        ({"and": [{"or": []}, {"not": {"field": "a", "exists": True}}]}, And((Or(()), Not(Exists("a"))))),
    ],
)
def test_the_json_form(form: JsonValue, expected: Filter) -> None:
    assert parse_filter(form) == expected


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (None, "filter is None"),
        ([], "filter is"),
        ({}, "has the keys"),
        ({"and": [], "or": []}, "has the keys"),
        ({"xor": []}, "has the keys"),
        ({"and": {}}, r"filter\.and is"),
        ({"and": [{"field": "a", "equals": 1}, 5]}, r"filter\.and\[1\] is 5"),
        ({"field": "a"}, "give 'equals'"),
        ({"field": "a", "equals": 1, "gt": 2}, "give 'equals'"),
        ({"field": "a", "equals": None}, "equals is None"),
        ({"field": "a", "equals": {"$ne": 1}}, "equals is"),
        ({"field": "a", "equals": float("nan")}, "finite"),
        ({"field": "a", "equals": 10**400}, "finite"),
        ({"field": "a", "any_of": []}, "1 to 1000"),
        ({"field": "a", "any_of": "abc"}, "list of"),
        ({"field": "a", "any_of": [1] * 1001}, "1 to 1000"),
        ({"field": "a", "exists": 1}, "'exists'"),
        ({"field": "a", "gt": True}, "gt is True"),
        ({"field": "a", "gt": "soon"}, "ISO 8601"),
        ({"field": "a", "gt": 1, "lt": "2024-01-01"}, "one or more"),
        ({"field": "a", "bound": 1}, "give 'equals'"),
        ({"field": "", "equals": 1}, "field is ''"),
        ({"field": 7, "equals": 1}, "field is 7"),
        ({"field": "x" * 1001, "equals": 1}, "at most 1000"),
        ({"field": "a", "equals": "x" * 1001}, "at most 1000"),
        ({"or": [{"field": "a", "exists": True}] * MAX_CLAUSES}, "clauses"),
    ],
)
def test_a_malformed_filter_is_refused_with_its_place(form: JsonValue, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_filter(form)


def test_nesting_is_limited_before_it_can_exhaust_the_stack() -> None:
    form: JsonValue = {"field": "a", "exists": True}
    for _ in range(MAX_DEPTH - 1):
        form = {"not": form}
    assert isinstance(parse_filter(form), Not)
    for _ in range(5_000):
        form = {"not": form}
    with pytest.raises(UsageError, match="levels"):
        parse_filter(form)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("year=2021", AnyOf("year", (2021, "2021"))),
        ("v=1.50", AnyOf("v", (1.5, "1.50"))),
        ("v=1e999", AnyOf("v", ("1e999",))),
        ("draft=True", AnyOf("draft", (True, "True"))),
        ("author=Ann=Bob", AnyOf("author", ("Ann=Bob",))),
        ("author=", AnyOf("author", ("",))),
        ("tag!=web", Not(AnyOf("tag", ("web",)))),
        ("n>=-3", Range("n", gte=-3)),
        ("n > 2.5", Range("n", gt=2.5)),
        ("created<2024-05-01", Range("created", lt="2024-05-01")),
        ("created<=2024", Or((Range("created", lte=2024), Range("created", lte="2024")))),
        ("draft", Exists("draft")),
        ("!draft", Not(Exists("draft"))),
    ],
)
def test_the_command_lines_form(expression: str, expected: Filter) -> None:
    assert parse_where([expression]) == expected


def test_where_year_equals_matches_the_number_and_the_string() -> None:
    where = parse_where(["year=2021"])
    assert where is not None
    assert [matches(where, {"year": year}) for year in (2021, 2021.0, "2021", [2020, "2021"], 2022, True)] == [
        True,
        True,
        True,
        True,
        False,
        False,
    ]


def test_several_expressions_must_all_hold_and_none_is_no_filter() -> None:
    assert parse_where([]) is None
    assert parse_where(["a=x", "b"]) == And((AnyOf("a", ("x",)), Exists("b")))


@pytest.mark.parametrize(
    "expression", ["", "=1", "!", "!=1", " =1", "n>soon", "n>", "a!b", "x" * 2000, "n=" + "x" * 2000]
)
def test_an_expression_that_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(UsageError):
        parse_where([expression])
