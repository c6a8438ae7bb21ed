"""Ingest does only what changed, keeps everything else, and lets no document stop another."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.cleaning import MAX_ID, cleaned
from indexer.ingest import Ingest, Progress
from indexer.pipeline import Pipeline
from indexer.sources import Item, Problem, SourceOptions, open_source
from retrieval.catalog import Batch
from retrieval.errors import ModelError, ParseError, Skipped, SourceError
from retrieval.types import Block, BlockKind, Document, Link, Mode
from tests.homes import Pages, Workbench, page

FILLER = "We walk along the river and look at the old stone bridge in the morning light. " * 12


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


def three() -> Pages:
    return Pages.of(page("a.md", "Bread."), page("b.md", "Water."), page("c.md", "Stone."))


def test_everything_new_comes_in_and_is_counted(bench: Workbench) -> None:
    summary = bench.ingest(three())
    assert (summary.new, summary.changed, summary.unchanged, summary.gone) == (3, 0, 0, 0)
    assert (summary.documents, summary.chunks, summary.embedded) == (3, 3, 3)
    assert bench.ids() == ["a.md", "b.md", "c.md"]


def test_what_is_unchanged_is_neither_parsed_nor_embedded_nor_indexed_again(bench: Workbench) -> None:
    source = three()
    bench.ingest(source)
    with bench.index():
        pass
    source.parsed.clear()
    summary = bench.ingest(source)
    assert (summary.unchanged, summary.documents, summary.embedded) == (3, 0, 0)
    assert source.parsed == []
    assert bench.encoder.passages == []
    assert bench.home.catalog.changes.count_pending(bench.collection) == 0


def test_only_the_changed_chunks_of_an_edited_file_are_embedded(bench: Workbench) -> None:
    paragraphs = [f"Part {n}. {FILLER}" for n in "abcd"]
    source = Pages.of(page("long.md", *paragraphs), page("b.md", "Water."))
    first = bench.ingest(source)
    assert first.chunks >= 5
    ids_before = bench.home.catalog.chunks.ids(bench.collection)
    source.parsed.clear()
    source.content["long.md"] = [page("long.md", *paragraphs[:3], "Part e. " + FILLER)]
    summary = bench.ingest(source)
    assert source.parsed == ["long.md"]
    assert (summary.changed, summary.unchanged, summary.documents) == (1, 1, 1)
    assert 1 <= summary.embedded < first.chunks - 2
    assert len(bench.encoder.passages) == summary.embedded
    assert all("Part e." in text or "Part a." not in text for text in bench.encoder.passages)
    assert len(set(ids_before) & set(bench.home.catalog.chunks.ids(bench.collection))) >= 3


def test_a_renamed_file_keeps_its_vectors(bench: Workbench) -> None:
    bench.put(page("old.md", "Bread and water.", title="Bread"))
    summary = bench.ingest(Pages.of(page("new.md", "Bread and water.", title="Bread")), prune=True)
    assert (summary.documents, summary.embedded, summary.deleted) == (1, 0, 1)
    assert bench.encoder.passages == []
    assert bench.found("bread") == ["new.md"]


def test_the_same_text_twice_is_embedded_once(bench: Workbench) -> None:
    summary = bench.put(page("a.md", "Bread.", title="Same"), page("b.md", "Bread.", title="Same"))
    assert (summary.chunks, summary.embedded, len(bench.encoder.passages)) == (2, 1, 1)


def test_a_changed_title_embeds_again_for_it_is_part_of_what_is_embedded(bench: Workbench) -> None:
    bench.put(page("a.md", "Bread.", title="One"))
    assert bench.put(page("a.md", "Bread.", title="Two")).embedded == 1


def test_changed_metadata_is_indexed_and_not_embedded(bench: Workbench) -> None:
    bench.put(page("a.md", "Bread.", year=2020))
    assert bench.put(page("a.md", "Bread.", year=2021)).embedded == 0
    assert bench.search("bread").hits[0].metadata == {"year": 2021}


def test_without_prune_what_is_gone_stays_and_is_counted(bench: Workbench) -> None:
    bench.ingest(three())
    summary = bench.put(page("a.md", "Bread."))
    assert (summary.gone, summary.deleted) == (2, 0)
    assert bench.ids() == ["a.md", "b.md", "c.md"]


def test_prune_deletes_what_is_gone_from_both_legs(bench: Workbench) -> None:
    bench.ingest(three())
    assert "b.md" in bench.found("water", mode=Mode.KEYWORD)
    source = three()
    del source.content["b.md"]
    summary = bench.ingest(source, prune=True)
    assert summary.deleted == 1
    assert bench.found("water", mode=Mode.KEYWORD) == []
    assert sorted(bench.found("water", mode=Mode.EMBEDDING)) == ["a.md", "c.md"]
    assert bench.ingest(three()).embedded == 0


def test_prune_touches_only_its_own_source(bench: Workbench) -> None:
    bench.ingest(Pages.of(page("a.md", "Bread."), root="first"), Pages.of(page("b.md", "Water."), root="second"))
    summary = bench.ingest(Pages({}, root="first"), prune=True)
    assert summary.deleted == 1
    assert bench.ids() == ["b.md"]


def test_prune_of_one_file_leaves_the_others_of_its_folder(bench: Workbench, tmp_path: Path) -> None:
    posts = tmp_path / "posts"
    posts.mkdir()
    (posts / "a.md").write_text("# Bread\n\nBread.")
    (posts / "b.jsonl").write_text('{"_id": "1", "text": "Water."}\n{"_id": "2", "text": "Stone."}\n')
    bench.ingest(*open_source(str(posts), SourceOptions()))
    (posts / "b.jsonl").write_text('{"_id": "1", "text": "Water."}\n')
    summary = bench.ingest(*open_source(str(posts / "b.jsonl"), SourceOptions()), prune=True)
    assert (summary.deleted, summary.gone) == (1, 0)
    assert bench.ids() == ["1", "a.md"]


def test_a_document_that_failed_stops_no_other_and_is_told_again_next_time(bench: Workbench) -> None:
    source = three()
    source.content["b.md"] = ParseError("is not what it seems")
    for _ in range(2):
        summary = bench.ingest(source)
        assert [(problem.key, problem.reason) for problem in summary.failures] == [("b.md", "is not what it seems")]
        assert bench.ids() == ["a.md", "c.md"]
    assert summary.unchanged == 2


def test_a_record_that_failed_is_told_again_and_its_neighbours_are_not_embedded_again(bench: Workbench) -> None:
    bad = Problem("all.jsonl:2", "line 2 is not JSON.", skipped=False)
    source = Pages({"all.jsonl": [page("a", "Bread."), bad]})
    assert bench.ingest(source).failures == [bad]
    summary = bench.ingest(source)
    assert summary.failures == [bad]
    assert (summary.documents, summary.embedded) == (0, 0)
    assert bench.ids() == ["a"]


class Broken(Pages):
    """A source with a defect of its own in its parser."""

    def parse(self, item: Item, data: bytes) -> Sequence[Document | Problem]:
        raise KeyError("a defect")


def test_a_parser_with_a_defect_fails_its_document_alone(bench: Workbench) -> None:
    summary = bench.ingest(Broken({"x.md": []}, root="broken"), three())
    assert len(summary.failures) == 1
    assert "KeyError" in summary.failures[0].reason
    assert len(bench.ids()) == 3


def test_a_source_that_cannot_be_listed_fails_alone(bench: Workbench) -> None:
    class Unlisted(Pages):
        def items(self) -> Iterator[Item | Problem]:
            raise SourceError("the site does not answer")

    summary = bench.ingest(Unlisted({}, root="https://x.org"), three())
    assert [problem.key for problem in summary.failures] == ["https://x.org"]
    assert len(bench.ids()) == 3


def test_what_cannot_be_read_fails_and_what_is_left_out_on_purpose_does_not(bench: Workbench) -> None:
    source = three()
    source.unreadable = {"a.md": SourceError("no permission"), "b.md": Skipped("it is empty")}
    summary = bench.ingest(source)
    assert [problem.key for problem in summary.failures] == ["a.md"]
    assert [problem.key for problem in summary.skipped] == ["b.md"]
    assert bench.ids() == ["c.md"]


def test_nothing_is_pruned_when_the_listing_was_not_complete(bench: Workbench) -> None:
    bench.ingest(three())
    source = Pages({}, problems=[Problem("locked/", "the folder cannot be read", skipped=False)])
    assert bench.ingest(source, prune=True).deleted == 0
    assert len(bench.ids()) == 3
    source.problems = [Problem("x.png", "is an image", skipped=True)]
    assert bench.ingest(source, prune=True).deleted == 3


def test_an_unreadable_file_is_not_gone(bench: Workbench) -> None:
    bench.ingest(three())
    source = three()
    source.unreadable = {"a.md": SourceError("no permission")}
    assert bench.ingest(source, prune=True).deleted == 0


@pytest.mark.parametrize("when", ["read", "parsed"])
def test_a_document_whose_source_became_empty_is_pruned(bench: Workbench, when: str) -> None:
    bench.ingest(three())
    source = three()
    if when == "read":
        source.unreadable = {"a.md": Skipped("a.md is empty")}
    else:
        source.content["a.md"] = Skipped("a.md has front matter and nothing else")
    kept = bench.ingest(source)
    assert (kept.gone, kept.deleted, len(bench.ids())) == (1, 0, 3)
    pruned = bench.ingest(source, prune=True)
    assert pruned.deleted == 1
    assert bench.ids() == ["b.md", "c.md"]
    assert [problem.key for problem in bench.ingest(source).skipped] == ["a.md"]


def test_a_record_that_left_its_file_is_pruned_at_once_or_later(bench: Workbench) -> None:
    source = Pages({"all.jsonl": [page("a", "Bread."), page("b", "Water.")]})
    bench.ingest(source)
    source.content["all.jsonl"] = [page("a", "Bread.")]
    assert bench.ingest(source).gone == 1
    assert bench.ids() == ["a", "b"]
    assert bench.ingest(source, prune=True).deleted == 1
    assert bench.ids() == ["a"]
    source.parsed.clear()
    assert bench.ingest(source).unchanged == 1
    assert source.parsed == []


def test_records_are_not_pruned_from_a_file_in_which_one_failed(bench: Workbench) -> None:
    source = Pages({"all.jsonl": [page("a", "Bread."), page("b", "Water.")]})
    bench.ingest(source)
    source.content["all.jsonl"] = [page("a", "Bread."), Problem("all.jsonl:2", "is not JSON", skipped=False)]
    assert bench.ingest(source, prune=True).deleted == 0
    assert bench.ids() == ["a", "b"]


@pytest.mark.parametrize(("giver", "taker"), [("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")])
@pytest.mark.parametrize("prune", [True, False])
def test_a_record_may_move_to_another_file_of_its_source(bench: Workbench, giver: str, taker: str, prune: bool) -> None:
    moving, other, third = page("x", "Bread."), page("y", "Water."), page("z", "Stone.")
    bench.ingest(Pages({giver: [moving, other], taker: [third]}))
    ids_before = bench.home.catalog.chunks.ids(bench.collection)
    summary = bench.ingest(Pages({giver: [other], taker: [third, moving]}), prune=prune)
    assert (summary.problems, summary.deleted, summary.gone, summary.embedded) == ([], 0, 0, 0)
    assert bench.ids() == ["x", "y", "z"]
    assert bench.home.catalog.chunks.ids(bench.collection) == ids_before
    assert bench.ingest(Pages({giver: [other], taker: [third, moving]})).unchanged == 2


def test_an_id_that_two_files_claim_stays_with_the_first_and_is_told(bench: Workbench) -> None:
    source = Pages({"a.jsonl": [page("x", "Bread.")], "b.jsonl": [page("x", "Water."), page("y", "Stone.")]})
    for _ in range(2):
        summary = bench.ingest(source)
        assert [problem.key for problem in summary.failures] == ["x"]
        assert "a.jsonl" in summary.failures[0].reason
        assert bench.ids() == ["x", "y"]
        assert bench.home.catalog.documents.get(bench.collection, "x").text == "Bread."


def test_an_id_of_another_source_is_not_taken_over(bench: Workbench, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    bench.ingest(Pages.of(page("x.md", "Bread."), root=str(first)))
    summary = bench.ingest(Pages.of(page("x.md", "Water."), root=str(second)))
    assert len(summary.failures) == 1
    assert "--id-prefix" in summary.failures[0].reason
    assert str(first) in summary.failures[0].reason
    assert bench.home.catalog.documents.get(bench.collection, "x.md").text == "Bread."


def test_a_moved_folder_takes_its_documents_along(bench: Workbench, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    bench.ingest(Pages.of(page("x.md", "Bread."), root=str(old)))
    old.rmdir()
    summary = bench.ingest(Pages.of(page("x.md", "Bread."), root=str(tmp_path / "new")))
    assert (summary.problems, summary.embedded) == ([], 0)
    assert bench.home.catalog.documents.keys(bench.collection)["x.md"].root == str(tmp_path / "new")


HOSTILE = Document(
    id="a\x00b\ud800c",
    title="T\x00itle \udfff",
    blocks=(Block(BlockKind.PARAGRAPH, "Bread \x00 \ud83d water"),),
    url="https://x.org/\x00",
    tags=("ta\x00g",),
    metadata={
        "nan": float("nan"),
        "inf": float("-inf"),
        "n\x00ame": "v\ud800",
        "huge": 10**40,
        "deep": json.loads("[" * 25 + "1" + "]" * 25),
        "list": [1, "x", None, {"k": float("inf")}],
        "object": object,
    },
    links=(Link("t\x00", "a\ud800", "s"),),
)


def test_hostile_text_and_metadata_are_made_storable_and_found(bench: Workbench) -> None:
    summary = bench.ingest(Pages({"x": [HOSTILE]}))
    assert summary.problems == []
    assert bench.ids() == ["a\ufffdb\ufffdc"]
    (hit,) = bench.search("bread").hits
    assert hit.metadata["nan"] is None
    assert hit.metadata["inf"] is None
    assert hit.metadata["n\ufffdame"] == "v\ufffd"
    assert hit.metadata["huge"] == 10**40
    assert hit.metadata["list"] == [1, "x", None, {"k": None}]
    json.dumps(hit.metadata, allow_nan=False)
    assert bench.ingest(Pages({"x": [HOSTILE]})).unchanged == 1


@pytest.mark.parametrize("document_id", ["", "  \n", "x" * (MAX_ID + 1)])
def test_an_id_that_is_none_fails_its_document_alone(bench: Workbench, document_id: str) -> None:
    summary = bench.ingest(Pages({"all": [page(document_id, "Bread.", title="t"), page("b", "Water.")]}))
    assert len(summary.failures) == 1
    assert bench.ids() == ["b"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.text(st.characters(), max_size=20), st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_a_cleaned_document_can_be_written_as_json_and_utf_8(text: str, metadata: dict[str, object]) -> None:
    document = cleaned(page("id", text, title=text, **{f"m_{name}": value for name, value in metadata.items()}))
    written = json.dumps([document.title, document.text, dict(document.metadata)], allow_nan=False, ensure_ascii=False)
    assert "\x00" not in document.text + document.title
    assert json.loads(written.encode("utf-8")) == [document.title, document.text, dict(document.metadata)]
    assert cleaned(document) == document


@given(st.text(max_size=200), st.text(max_size=50))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_can_be_ingested_and_read_back(bench: Workbench, text: str, title: str) -> None:
    summary = bench.ingest(Pages({"x": [page("x", text, title="T" + title)]}))
    assert summary.problems == []
    shown = bench.home.catalog.documents.get(bench.collection, "x")
    assert shown.title == ("T" + title).replace("\x00", "\ufffd").strip()
    assert shown.text == text.replace("\x00", "\ufffd")


@pytest.fixture
def interrupted(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """An ingest of three documents that was killed after the first."""
    commit = Pipeline.commit

    def dies(self: Pipeline, batch: Batch) -> None:
        if bench.ids():
            raise KeyboardInterrupt
        commit(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr("indexer.embedding.BATCH_DOCUMENTS", 1)
        patch.setattr(Pipeline, "commit", dies)
        with pytest.raises(KeyboardInterrupt):
            bench.ingest(three())
    assert bench.ids() == ["a.md"]
    return bench


def test_an_interrupted_ingest_continues_where_it_stopped(interrupted: Workbench) -> None:
    summary = interrupted.ingest(three())
    assert interrupted.ids() == ["a.md", "b.md", "c.md"]
    assert summary.embedded <= 1  # the batch that was not committed had been embedded, and embeddings are kept
    assert interrupted.ingest(three()).unchanged == 3


def test_a_batch_is_parsed_while_the_one_before_it_is_embedded(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, embed = three(), Pipeline.embed
    parsed_meanwhile: list[bool] = []

    def waiting(self: Pipeline, texts: Mapping[str, str], *, stop: Event | None = None) -> None:
        behind = len(parsed_meanwhile) + 2  # items parsed once the next one is
        deadline = time.monotonic() + 20
        while len(source.parsed) < min(behind, 3) and time.monotonic() < deadline:
            time.sleep(0.001)
        parsed_meanwhile.append(len(source.parsed) >= min(behind, 3))
        embed(self, texts, stop=stop)

    monkeypatch.setattr("indexer.embedding.BATCH_DOCUMENTS", 1)
    monkeypatch.setattr(Pipeline, "embed", waiting)
    assert bench.ingest(source).embedded == 3
    assert all(parsed_meanwhile)


def test_what_embedding_raises_ends_the_ingest_and_keeps_what_was_committed(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = Pipeline.embed

    def fails(self: Pipeline, texts: Mapping[str, str], *, stop: Event | None = None) -> None:
        if any("Stone" in text for text in texts.values()):
            raise ModelError("The model broke.")
        encode(self, texts, stop=stop)

    monkeypatch.setattr("indexer.embedding.BATCH_DOCUMENTS", 1)
    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "embed", fails)
        with pytest.raises(ModelError):
            bench.ingest(three())
    assert bench.ids() == ["a.md", "b.md"]
    assert bench.ingest(three()).embedded == 1
    assert bench.ids() == ["a.md", "b.md", "c.md"]


def test_a_file_deleted_after_an_interrupted_ingest_is_pruned(interrupted: Workbench) -> None:
    rest = Pages.of(page("b.md", "Water."), page("c.md", "Stone."))
    assert interrupted.ingest(rest).gone == 1
    assert interrupted.ingest(rest, prune=True).deleted == 1
    assert interrupted.ids() == ["b.md", "c.md"]


def test_progress_ends_with_everything_done(bench: Workbench) -> None:
    seen: list[Progress] = []
    Ingest(bench.pipeline, [three()], SourceOptions()).run(seen.append)
    assert seen[-1].documents == 3
    assert seen[-1].done_bytes == seen[-1].total_bytes > 0
    assert seen[-1].left_s == 0


def test_options_that_change_what_a_document_becomes_parse_it_again(bench: Workbench) -> None:
    source = three()
    bench.ingest(source)
    source.parsed.clear()
    summary = bench.ingest(source, options=SourceOptions(metadata={"team": "docs"}))
    assert len(source.parsed) == 3
    assert summary.embedded == 0


def test_real_jsonl_keeps_its_ids_and_tells_bad_and_repeated_lines(bench: Workbench, tmp_path: Path) -> None:
    lines = [
        {"_id": "Doc/1 ä", "title": "One", "text": "Bread."},
        {"_id": "Doc/1 ä", "title": "Again", "text": "Water."},
        {"_id": "2", "text": "Stone."},
    ]
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n{broken\n", encoding="utf-8")
    sources = open_source(str(folder), SourceOptions())
    summary = bench.ingest(*sources)
    assert bench.ids() == ["2", "Doc/1 ä"]
    assert [problem.key for problem in summary.failures] == ["corpus.jsonl:2", "corpus.jsonl:4"]
    assert bench.home.catalog.documents.get(bench.collection, "Doc/1 ä").title == "One"


def test_items_too_many_to_hold_are_read_a_second_time(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.plan.HELD_BYTES", 1)
    summary = bench.ingest(three())
    assert (summary.documents, summary.problems) == (3, [])
