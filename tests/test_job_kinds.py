"""What jobs are told is checked, and becomes the words of a command that a person could type."""

import inspect
from typing import Any, get_args, get_type_hints

import pytest

from retrieval.errors import UsageError
from service.api.job_schemas import KindName
from service.jobs.kinds import KINDS, IngestParameters, NightlyParameters, TrainParameters, command_of, work_of


def words(kind: str, collection: str = "docs", **parameters: Any) -> list[str]:
    return command_of(work_of(kind, collection, parameters))


def test_a_job_is_the_command_that_a_person_would_type() -> None:
    assert words("train", method="lora", curve=False, epochs=2, promote=True) == [
        *("train", "--collection=docs", "--json", "--method=lora", "--no-curve", "--epochs=2", "--promote")
    ]
    assert words("ingest", sources=["a", "https://example.com/"], prune=True, metadata={"team": "web"}) == [
        *("ingest", "--collection=docs", "--json", "--prune", "--meta=team=web", "--", "a", "https://example.com/")
    ]
    assert words("compare", a="hybrid", b="hybrid@new") == [
        *("compare", "--collection=docs", "--json", "--", "hybrid", "hybrid@new")
    ]
    assert words("embed", version="new", searchable=True)[-3:] == ["--searchable", "--", "new"]
    assert words("embed", version="new") == ["models", "embed", "--collection=docs", "--json", "--", "new"]
    assert words("audit") == ["audit", "--collection=docs", "--json"]


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("magic", {}, "no kind of job 'magic'; choose one of ingest"),
        ("audit", {"depth": 3}, "depth: no such field is known here"),
        ("ingest", {}, "sources: this is needed and was not given"),
        ("ingest", {"sources": []}, "sources: list should have at least 1 item"),
        ("ingest", {"sources": ["--home=/tmp"]}, "sources.0: string should match"),
        ("ingest", {"sources": ["a\0b"]}, "sources.0: string should match"),
        ("compare", {"a": "-x", "b": "hybrid"}, "a: string should match"),
        ("train", {"method": "magic"}, "method: input should be 'full', 'lora' or 'adapter', and it is 'magic'"),
        ("train", {"epochs": 0}, "epochs: input should be greater than or equal to 1, and it is 0"),
    ],
)
def test_what_no_command_would_take_is_refused(kind: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        work_of(kind, "docs", parameters)
    assert said in str(refused.value)


def test_values_cannot_become_options_of_their_own() -> None:
    found = words("train", judgments="x --promote", sources="--promote")
    assert found[3:] == ["--judgments=x --promote", "--sources=--promote"]


def test_the_same_told_in_another_way_is_the_same_work() -> None:
    assert work_of("train", "docs", {"promote": False, "epochs": 2}).key == work_of("train", "docs", {"epochs": 2}).key


@pytest.mark.parametrize(
    ("parameters", "command", "others"),
    [
        (TrainParameters, "trainer.commands.train:train", {"dry_run", "resume", "report", "job"}),
        (NightlyParameters, "trainer.commands.nightly:nightly", {"dry_run", "job"}),
        (IngestParameters, "indexer.commands.ingest:ingest", {"dry_run", "allow_private"}),
    ],
)
def test_a_job_can_be_told_whatever_its_command_can(parameters: type, command: str, others: set[str]) -> None:
    import importlib

    module, _, name = command.partition(":")
    taken = set(inspect.signature(getattr(importlib.import_module(module), name)).parameters)
    told = {{"metadata": "meta"}.get(field, field) for field in get_type_hints(parameters) if field != "model_config"}
    assert told == taken - others - {"context", "home", "collection", "as_json"}


def test_every_kind_may_be_asked_for_over_http() -> None:
    assert get_args(KindName) == tuple(KINDS)


def test_every_kind_says_what_it_is() -> None:
    assert all(kind.about.endswith(".") for kind in KINDS.values())
