"""What was ingested is remembered with its options, so that the same can be done again."""

from pathlib import Path

import pytest

from indexer.sources import lasting
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.sources import KeptOptions
from retrieval.errors import NotFound
from tests.homes import Cli, Workbench, write_pages


@pytest.fixture
def tandem(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Cli:
    Workbench.open(tmp_path / "home", tiny_model).close()
    write_pages(tmp_path / "docs", {"b.md": "# B\n\nAbout snow."})
    monkeypatch.chdir(tmp_path)
    return Cli.on(tmp_path / "home", tiny_model, capture=capsys, patch=monkeypatch)


def test_an_ingest_is_remembered_as_it_was_told_from_wherever_it_was(tandem: Cli, tmp_path: Path) -> None:
    told = ("--meta", "team=web", "--base-url", "https://example.com", "--id-prefix", "x/", "--prune")
    assert tandem("ingest", "docs", "pydoc:keyword", *told).code == 0
    found = tandem("sources", "list", "--json").json["sources"]
    assert [source["location"] for source in found] == [str(tmp_path / "docs"), "pydoc:keyword"]
    for source in found:
        assert source["ingested_at"].endswith("+00:00")
        assert {name: source[name] for name in ("format", "prune", "base_url", "id_prefix", "metadata")} == {
            "format": "auto",
            "prune": True,
            "base_url": "https://example.com",
            "id_prefix": "x/",
            "metadata": {"team": "web"},
        }
        assert source["allow_private"] is False
    assert "--base-url=https://example.com --id-prefix=x/ --meta=team=web --prune" in tandem("sources", "list").out


def test_of_one_source_the_last_way_counts(tandem: Cli, tmp_path: Path) -> None:
    tandem("ingest", "docs", "--prune")
    tandem("ingest", str(tmp_path / "docs"), "--meta", "team=web")
    (found,) = tandem("sources", "list", "--json").json["sources"]
    assert (found["prune"], found["metadata"]) == (False, {"team": "web"})


def test_what_was_only_planned_or_could_not_be_listed_is_not_remembered(tandem: Cli) -> None:
    tandem("ingest", "docs", "--dry-run")
    assert tandem("ingest", "pydoc:no_such_package_here").code == 1
    assert tandem("sources", "list", "--json").json == {"sources": []}


def test_one_bad_document_does_not_keep_its_source_from_being_remembered(tandem: Cli, tmp_path: Path) -> None:
    write_pages(tmp_path / "docs", {"bad.jsonl": "{not json"})
    assert tandem("ingest", "docs").code == 1
    assert len(tandem("sources", "list", "--json").json["sources"]) == 1


def test_a_source_is_forgotten_and_its_documents_stay(tandem: Cli) -> None:
    tandem("ingest", "docs")
    assert tandem("sources", "forget", "docs").code == 0
    assert tandem("sources", "list", "--json").json == {"sources": []}
    assert tandem("documents", "list", "--json").json["count"] == 1
    again = tandem("sources", "forget", "docs")
    assert (again.code, "is no source of 'default'" in again.err) == (1, True)


def test_a_source_goes_with_its_collection(catalog: Catalog, collection: Collection) -> None:
    catalog.sources.keep(collection, ["/a", "/a", "/b"], KeptOptions(prune=True))
    assert [source.location for source in catalog.sources.list(collection)] == ["/a", "/b"]
    with pytest.raises(NotFound):
        catalog.sources.forget(collection, "/c")
    catalog.collections.delete("default")
    assert catalog.sources.list(collection) == []


@pytest.mark.parametrize("location", ["https://example.com/a", "HTTP://example.com", "pydoc:json"])
def test_only_paths_are_made_absolute(location: str) -> None:
    assert lasting(location) == location
    assert lasting("docs") == str(Path("docs").absolute())
    assert lasting("~/docs") == str(Path("~/docs").expanduser())
