"""A query in, hits out: over the whole path of ingest, index and search, with the tiny model."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.points import fill
from retrieval.catalog import CollectionConfig
from retrieval.errors import ModelError, UsageError
from retrieval.filter_parsing import parse_where
from retrieval.home import Home
from retrieval.query import MAX_K, MAX_QUERY_CHARS, Query
from retrieval.results import SearchResult
from retrieval.search import Searcher
from retrieval.settings import Settings
from retrieval.stores.memory import MemoryStore
from retrieval.types import Block, BlockKind, Document, Mode
from tests.homes import Workbench, page

LIBRARY = (
    page(
        "bread.md", "Bake a loaf of bread with yeast.", "Let the dough rest in the kitchen.", title="Bread", year=2020
    ),
    page("cars.md", "An automobile is a quick vehicle.", title="Machines that drive", year=2021),
    page("dogs.md", "A puppy needs food and water.", title="Puppies", year=2021, kind="animal"),
    page("cats.md", "A kitten sleeps on the sofa.", title="Kittens", year=2022, kind="animal"),
    page("errors.md", "The code E0425 says that a name is unknown.", title="Messages"),
    page("threads.md", "Call asyncio.to_thread for a function that blocks.", title="Threads"),
    page("to_thread.md", "Run a function in a thread.", title="asyncio.to_thread", url_like="https://x.org/?a=1&b=2"),
    page("garden.md", "Water the garden in the morning.", title="Garden", year=2022),
    page("attack.md", '<script>alert("bread")</script> & bread <img src=x onerror=alert(1)>', title="<b>Bread</b>"),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path_factory.mktemp("library") / "home", tiny_model)
    bench.put(*LIBRARY)
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def searcher(library: Workbench) -> Iterator[Searcher]:
    with library.searcher() as searcher:
        yield searcher


@pytest.fixture(scope="module")
def from_memory(library: Workbench, searcher: Searcher) -> Searcher:
    store = MemoryStore()
    fill(library.home.catalog, library.collection, store)
    return Searcher(library.home.catalog, library.collection, store, lambda: library.encoder)


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


def ids(result: SearchResult) -> list[str]:
    return [hit.document_id for hit in result.hits]


def test_keyword_search_finds_words_and_their_forms_and_nothing_else(searcher: Searcher) -> None:
    assert set(ids(searcher.search(Query("baking bread", mode=Mode.KEYWORD)))) == {"bread.md", "attack.md"}
    assert ids(searcher.search(Query("car", mode=Mode.KEYWORD))) == []


def test_embedding_search_finds_what_means_the_same(searcher: Searcher) -> None:
    assert ids(searcher.search(Query("car", mode=Mode.EMBEDDING)))[0] == "cars.md"
    assert ids(searcher.search(Query("dog", mode=Mode.EMBEDDING)))[0] == "dogs.md"
    assert len(searcher.search(Query("car", mode=Mode.EMBEDDING)).hits) == len(LIBRARY)


def test_hybrid_search_finds_both(searcher: Searcher) -> None:
    assert ids(searcher.search(Query("car")))[0] == "cars.md"
    assert ids(searcher.search(Query("garden")))[0] == "garden.md"
    best = searcher.search(Query("loaf of bread")).hits[0]
    assert best.document_id == "bread.md"
    assert set(best.legs) == {"keyword", "embedding"}
    assert best.legs["keyword"].rank == 1


def test_the_arm_names_the_mode_and_the_model(searcher: Searcher) -> None:
    version = searcher.collection.config.model
    assert searcher.search(Query("bread")).arm == f"hybrid@{version}"
    assert searcher.search(Query("bread", mode=Mode.EMBEDDING)).arm == f"embedding@{version}"
    assert searcher.search(Query("bread", mode=Mode.KEYWORD)).arm == "keyword"


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("E0425", "errors.md"),
        ("what does E0425 mean for my bread loaf", "errors.md"),
        ("asyncio.to_thread", "to_thread.md"),
        ("to_thread", "to_thread.md"),
    ],
)
def test_an_identifier_leads_and_the_document_that_it_names_first_of_all(
    searcher: Searcher, query: str, first: str
) -> None:
    assert ids(searcher.search(Query(query)))[0] == first


def test_every_document_with_the_identifier_leads(searcher: Searcher) -> None:
    assert ids(searcher.search(Query("run a thread with asyncio.to_thread")))[:2] == ["to_thread.md", "threads.md"]


def test_chunks_are_hits_of_their_own_when_documents_are_not_grouped(bench: Workbench) -> None:
    bench.put(page("long.md", *(f"Bread number {n}. " + "We bake and eat and wait. " * 30 for n in range(4))))
    with bench.searcher() as searcher:
        grouped = searcher.search(Query("bread", k=20))
        chunks = searcher.search(Query("bread", k=20, group=False))
    assert ids(grouped) == ["long.md"]
    assert len(grouped.hits[0].passages) == 3
    assert ids(chunks) == ["long.md"] * len(chunks.hits)
    assert len(chunks.hits) >= 4
    assert all(len(hit.passages) == 1 for hit in chunks.hits)
    assert len({hit.passages[0].chunk_id for hit in chunks.hits}) == len(chunks.hits)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["kind=animal"], {"dogs.md", "cats.md"}),
        (["year>=2022"], {"cats.md", "garden.md"}),
        (["year=2021", "kind=animal"], {"dogs.md"}),
        (["kind=plant"], set()),
    ],
)
@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.EMBEDDING])
def test_only_documents_that_pass_the_filter_are_found(
    searcher: Searcher, where: Sequence[str], expected: set[str], mode: Mode
) -> None:
    assert set(ids(searcher.search(Query("water for a puppy", mode=mode, where=parse_where(where))))) == expected


def test_a_filter_holds_for_what_leads_too(searcher: Searcher) -> None:
    assert ids(searcher.search(Query("E0425", mode=Mode.KEYWORD, where=parse_where(["year=2020"])))) == []


def test_a_field_that_no_document_has_is_told_where_nothing_was_found(searcher: Searcher) -> None:
    def notes(*where: str) -> tuple[str, ...]:
        return searcher.search(Query("water for a puppy", where=parse_where(list(where)))).notes

    assert notes("yaer=2020", "kidn~3") == (
        "No document has the field 'kidn~3', 'yaer' that the filter looks at: is it spelled so?",
    )
    assert notes("year=1066") == ()
    assert notes("!yaer") == ()


def test_a_mistyped_word_gets_suggestions_and_is_searched_as_typed(searcher: Searcher) -> None:
    result = searcher.search(Query("gardne bread", mode=Mode.KEYWORD))
    assert result.did_you_mean == {"gardne": ("garden",)}
    assert set(ids(result)) == {"bread.md", "attack.md"}
    assert searcher.search(Query("garden bread")).did_you_mean == {}


def test_highlights_are_safe_html_and_the_text_is_as_written(searcher: Searcher) -> None:
    hits = {hit.document_id: hit for hit in searcher.search(Query("bread")).hits}
    passage = hits["attack.md"].passages[0]
    assert "<script>" in passage.text
    assert "&lt;script&gt;" in passage.highlights
    assert "<mark>bread</mark>" in passage.highlights
    without_marks = passage.highlights.replace("<mark>", "").replace("</mark>", "")
    assert "<" not in without_marks
    assert ">" not in without_marks
    assert hits["attack.md"].title == "<b>Bread</b>"


def test_the_json_body_is_the_documented_one(searcher: Searcher) -> None:
    result = searcher.search(Query("  garden E0425 ", k=2))
    body = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert set(body) == {"query_id", "query", "hits", "timings_ms", "arm", "did_you_mean", "notes", "next"}
    assert body["query"] == "garden E0425"
    assert len(body["hits"]) == 2
    for rank, hit in enumerate(body["hits"], 1):
        assert set(hit) == {"rank", "score", "document", "legs", "passages"}
        assert hit["rank"] == rank
        assert set(hit["document"]) == {"id", "title", "url", "metadata"}
        for passage in hit["passages"]:
            assert set(passage) == {"chunk_id", "headings", "text", "highlights", "score", "legs"}
        for leg in [*hit["legs"].values(), *(leg for p in hit["passages"] for leg in p["legs"].values())]:
            assert set(leg) == {"rank", "score"}
    assert body["hits"][1]["document"] == {
        "id": "garden.md",
        "title": "Garden",
        "url": None,
        "metadata": {"year": 2022},
    }


def test_a_result_comes_back_from_its_json_body(searcher: Searcher) -> None:
    result = searcher.search(Query("gardne E0425"))
    read = SearchResult.from_json(json.loads(json.dumps(result.to_json())))
    rounded = {stage: round(ms, 3) for stage, ms in result.timings_ms.items()}
    assert read == replace(result, timings_ms=rounded)


def test_every_stage_is_timed(searcher: Searcher) -> None:
    timings = searcher.search(Query("garden")).timings_ms
    assert set(timings) == {"analyse", "encode", "index", "fuse", "present", "total"}
    assert timings["total"] == pytest.approx(sum(ms for stage, ms in timings.items() if stage != "total"))
    assert min(timings.values()) >= 0


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("text", ["garden water", "E0425", "car", "asyncio.to_thread blocks", "zzz", "bread & butter"])
def test_the_edge_store_and_the_memory_store_give_the_same_hits(
    searcher: Searcher, from_memory: Searcher, text: str, mode: Mode
) -> None:
    assert type(searcher.store).__name__ == "EdgeStore"
    edge = searcher.search(Query(text, mode=mode))
    memory = from_memory.search(Query(text, mode=mode))
    assert ids(edge) == ids(memory)
    assert [hit.score for hit in edge.hits] == pytest.approx([hit.score for hit in memory.hits], abs=1e-3)
    assert [[p.chunk_id for p in hit.passages] for hit in edge.hits] == [
        [p.chunk_id for p in hit.passages] for hit in memory.hits
    ]


@pytest.mark.parametrize("text", ["", "   \n\t", "x" * (MAX_QUERY_CHARS + 1)])
def test_a_query_that_is_empty_or_too_long_is_refused(searcher: Searcher, text: str) -> None:
    with pytest.raises(UsageError, match="query"):
        searcher.search(Query(text))


@pytest.mark.parametrize("k", [0, -1, MAX_K + 1])
def test_k_has_bounds(searcher: Searcher, k: int) -> None:
    with pytest.raises(UsageError, match=f"k is {k}"):
        searcher.search(Query("bread", k=k))


def test_the_longest_query_and_the_largest_k_are_answered(searcher: Searcher) -> None:
    longest = ("bread XS23 " * MAX_QUERY_CHARS)[: MAX_QUERY_CHARS - 1]
    assert searcher.search(Query(longest, k=MAX_K)).hits


@pytest.mark.parametrize("text", ["zzzqqq xyzzyx", "\ud800\x00 !!!", "...", "日本語", "<script>"])
def test_a_query_without_a_known_word_finds_nothing_by_keyword_and_still_something_by_meaning(
    searcher: Searcher, text: str
) -> None:
    assert ids(searcher.search(Query(text, mode=Mode.KEYWORD))) in ([], ["attack.md"])
    assert len(searcher.search(Query(text)).hits) == len(LIBRARY)


def test_a_query_of_stop_words_alone_is_searched_for_these_words(searcher: Searcher) -> None:
    found = searcher.search(Query("in the", mode=Mode.KEYWORD))
    assert {"garden.md", "bread.md"} <= set(ids(found))
    assert "dogs.md" not in ids(found)


@pytest.mark.parametrize("mode", list(Mode))
def test_an_empty_collection_has_no_hits(bench: Workbench, mode: Mode) -> None:
    result = bench.search("anything XS23 at all", mode=mode)
    assert result.hits == ()
    assert result.did_you_mean == {}


def test_a_collection_without_a_model_can_still_be_searched_by_keyword(tmp_path: Path, tiny_model: Path) -> None:
    home = Home.open(Settings(home=tmp_path, model=str(tiny_model)))
    collection = home.catalog.collections.create("plain", CollectionConfig())
    searcher = Searcher(home.catalog, collection, MemoryStore(), lambda: home.encoder(collection))
    assert searcher.search(Query("bread", mode=Mode.KEYWORD)).hits == ()
    with pytest.raises(ModelError, match="no embedding model yet"):
        searcher.search(Query("bread"))
    home.close()


def test_reciprocal_rank_fusion_is_an_option_of_the_collection(tmp_path: Path, tiny_model: Path) -> None:
    bench = Workbench.open(tmp_path / "home", tiny_model, config=CollectionConfig(fusion="rrf"))
    bench.put(*LIBRARY)
    best = bench.search("bread loaf").hits[0]
    assert best.document_id == "bread.md"
    assert best.score == pytest.approx(2 / 61)
    bench.close()


def test_a_document_deleted_since_it_was_indexed_is_left_out(bench: Workbench) -> None:
    bench.put(*LIBRARY)
    with bench.searcher() as searcher:
        bench.home.catalog.documents.delete(bench.collection, ["garden.md"], bench.pipeline.analyzer.words)
        assert "garden.md" not in ids(searcher.search(Query("garden")))


def test_what_was_ingested_since_is_found_after_a_refresh(bench: Workbench) -> None:
    bench.put(page("one.md", "A garden."))
    with bench.index() as owner:
        searcher = Searcher(bench.home.catalog, bench.collection, owner.store, lambda: bench.encoder)
        assert len(searcher.statistics().sizes) == 1
        bench.put(page("one.md", "A garden."), page("two.md", "A river."))
        owner.apply_pending()
        searcher.refresh()
        assert len(searcher.statistics().sizes) == 2
        assert ids(searcher.search(Query("river")))[0] == "two.md"


def test_words_that_came_since_are_suggested_after_a_refresh(bench: Workbench) -> None:
    bench.put(page("one.md", "A garden."))
    with bench.index() as owner:
        searcher = Searcher(bench.home.catalog, bench.collection, owner.store, lambda: bench.encoder)
        assert searcher.search(Query("orcharf")).did_you_mean == {}
        bench.put(page("one.md", "A garden."), page("two.md", "An orchard."))
        owner.apply_pending()
        searcher.refresh()
        assert searcher.search(Query("orcharf")).did_you_mean == {"orcharf": ("orchard",)}


def test_metadata_dates_and_tags_are_shown_with_a_hit(bench: Workbench) -> None:
    blocks = (Block(BlockKind.PARAGRAPH, "A garden."),)
    bench.put(
        Document(
            "one.md",
            "One",
            blocks,
            url="https://example.org/one",
            created="2021-05-01",
            tags=("green",),
            metadata={"deep": {"er": [1, None, "x"]}},
        )
    )
    hit = bench.search("garden").hits[0]
    assert hit.url == "https://example.org/one"
    assert hit.metadata == {"deep": {"er": [1, None, "x"]}, "created": "2021-05-01", "tags": ["green"]}


def test_a_word_newer_than_the_statistics_gets_a_score_of_this_world(bench: Workbench) -> None:
    bench.put(*(page(f"{n}.md", f"A garden, number {n}.") for n in range(30)))
    with bench.index() as owner:
        searcher = Searcher(bench.home.catalog, bench.collection, owner.store, lambda: bench.encoder)
        searcher.statistics()
        bench.put(*(page(f"{n}.md", f"A garden, number {n}.") for n in range(30)), page("new.md", "A zeppelin."))
        owner.apply_pending()
        hit = searcher.search(Query("zeppelin", mode=Mode.KEYWORD)).hits[0]
    assert hit.document_id == "new.md"
    assert 1 < hit.score < 100
