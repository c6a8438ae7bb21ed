"""Kinds of queries."""

from pathlib import Path

import pytest

from retrieval.errors import UsageError
from tests.homes import Workbench, page
from trainer.evaluation_set import EvaluationSet
from trainer.slices import LEAST_QUERIES, slices_of

TEXTS = {
    "name": "os.posix_fadvise",
    "asked": "how do I bake bread",
    "marked": "bread with water?",
    "short": "bread",
    "prose": "bread that is made without any flour",
    "typo": "breda water stone garden",
}


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Workbench:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(
        page("a", "How do I bake bread with water, made without any flour, that is good?", kind="recipe"),
        page("b", "Call os.posix_fadvise in a stone garden.", kind="code", year=2021, labels=["b", "c"]),
    )
    return bench


def slices(bench: Workbench, *, field: str = "") -> dict[str, set[str]]:
    queries = {f"{name}-{copy}": text for name, text in TEXTS.items() for copy in range(LEAST_QUERIES)}
    qrels = {query: {"b" if query.startswith("name") else "a": 1} for query in queries}
    sources = {query: "log" if query.startswith("short") else "human" for query in queries}
    judged = EvaluationSet(queries, qrels, sources=sources)
    found = slices_of(judged, bench.home.catalog, bench.collection, field=field)
    return {name: {query.partition("-")[0] for query in members} for name, members in found.items()}


def test_queries_fall_into_the_kinds_a_reader_would_name(bench: Workbench) -> None:
    assert slices(bench) == {
        "identifiers": {"name"},
        "questions": {"asked", "marked"},
        "short (one or two words)": {"name", "short"},
        "natural language": {"asked", "prose"},
        "words unknown to the corpus": {"typo"},
        "source human": {"name", "asked", "marked", "prose", "typo"},
        "source log": {"short"},
    }


def test_a_metadata_field_of_the_right_document_makes_slices(bench: Workbench) -> None:
    found = slices(bench, field="kind")
    assert found["kind = code"] == {"name"}
    assert "name" not in found["kind = recipe"]
    assert slices(bench, field="year")["year = 2021"] == {"name"}
    assert slices(bench, field="labels")["labels = b"] == {"name"}  # each element of a list
    with pytest.raises(UsageError, match="has the metadata field 'no such field'"):
        slices(bench, field="no such field")


def test_a_slice_of_few_queries_or_of_all_is_none(bench: Workbench) -> None:
    judged = EvaluationSet({"a": "bread", "b": "os.posix_fadvise"}, {"a": {"a": 1}, "b": {"b": 1}})
    assert slices_of(judged, bench.home.catalog, bench.collection) == {}
