"""Arms x queries -> runs -> measures, and `tandem evaluate`."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ir_measures
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from typer.testing import CliRunner, Result

from indexer.apply import open_index
from indexer.pipeline import Pipeline
from indexer.points import fill
from indexer.reindex import embed_missing
from indexer.submission import Submitted, submit
from retrieval.catalog import Collection, schema
from retrieval.errors import ModelError, NotFound, TandemError, UsageError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Searcher
from retrieval.settings import Settings
from retrieval.stores.memory import MemoryStore
from retrieval.types import Mode, Qrels, Run
from tests.tiny_model import build_tiny_model
from trainer.arms import Arm, parse_arms
from trainer.cli import add_commands
from trainer.evaluate import evaluate
from trainer.evaluation_set import EvaluationSet
from trainer.measures import measured

DOCUMENTS = (
    Submitted("garage", "Mend the engine of a car.", "Vehicle repair", "text"),
    Submitted("kennel", "What a puppy may eat, and what no dog should.", "Dog food", "text"),
    Submitted("bakery", "Flour, water, salt and yeast make a loaf.", "Bread", "text"),
    Submitted("fadvise", "Call os.posix_fadvise before a long read.", "Reading files", "text"),
    Submitted("clinic", "The physician reads a file about the patient.", "Doctor", "text"),
    Submitted("cattery", "A kitten sleeps; a feline dreams.", "Cats", "text"),
)
QUERIES = {
    "q-car": "automobile repair",
    "q-dog": "dog food",
    "q-call": "os.posix_fadvise",
    "q-none": "zzyzx",
}
QRELS = {"q-car": {"garage": 2, "bakery": 0}, "q-dog": {"kennel": 1}, "q-call": {"fadvise": 1}, "q-none": {"clinic": 1}}
JUDGED = EvaluationSet(QUERIES, QRELS)

RUNS = st.dictionaries(
    st.sampled_from("abc"), st.permutations("123456").flatmap(lambda p: st.integers(0, 6).map(lambda n: p[:n]))
)
GRADES = st.dictionaries(
    st.sampled_from("abc"), st.dictionaries(st.sampled_from("123456789"), st.integers(0, 3), min_size=1), min_size=1
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Home]:
    """A home with DOCUMENTS in its default collection. Tests that write to it use a collection of their own."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), model=str(tiny_model), store="memory", threads=1)
    home = Home.open(settings)
    ingested(home, "default")
    home.catalog.collections.create("empty", home.catalog.collections.get("default").config)
    yield home
    home.close()


def ingested(home: Home, name: str) -> Collection:
    collection, encoder = home.prepared(name)
    assert not submit(Pipeline.of(home.catalog, collection, encoder), DOCUMENTS).problems
    with open_index(home.settings, home.catalog, collection) as index:
        index.rebuild()
    return collection


def run_of(home: Home, arm: str, judged: EvaluationSet = JUDGED) -> Run:
    collection = home.catalog.collections.get("default")
    (result,) = evaluate(home, collection, judged, parse_arms(arm, collection.config.model))
    return result.run


def ranked(run: Run, query: str) -> list[str]:
    return sorted(run[query], key=lambda document: -run[query][document])


# Measures


def test_measures_by_hand() -> None:
    qrels = {"a": {"d1": 2, "d2": 1}, "b": {"d3": 1}, "c": {"d4": 1}}
    run = {"a": {"d2": 3.0, "x": 2.0, "d1": 1.0}, "b": {"d3": 1.0}}
    ndcg_a = (1 + 2 / math.log2(4)) / (2 + 1 / math.log2(3))
    assert measured(qrels, run).means == pytest.approx(
        {
            "ndcg@10": (ndcg_a + 1 + 0) / 3,
            "mrr@10": 2 / 3,
            "recall@10": 2 / 3,
            "recall@100": 2 / 3,
            "success@1": 2 / 3,
            "judged@10": (2 / 3 + 1 + 0) / 3,
        }
    )


def test_only_the_first_ten_count_where_the_measure_says_ten() -> None:
    run = {"q": {f"d{place:02}": float(-place) for place in range(30)}}
    eleventh = measured({"q": {"d10": 1}}, run).means
    assert [eleventh[name] for name in ("ndcg@10", "mrr@10", "recall@10", "recall@100")] == [0, 0, 0, 1]
    tenth = measured({"q": {"d09": 1}}, run).means
    assert [tenth[name] for name in ("ndcg@10", "mrr@10", "recall@10")] == pytest.approx([1 / math.log2(11), 0.1, 1])


def test_an_arm_that_answers_nothing_scores_0() -> None:
    assert set(measured({"q": {"d": 1}}, {}).means.values()) == {0.0}
    assert set(measured({"q": {"d": 1}}, {"q": {}}).means.values()) == {0.0}


@given(qrels=GRADES, orders=RUNS)
def test_measures_are_those_of_ir_measures_on_trec_text(qrels: Qrels, orders: dict[str, list[str]]) -> None:
    run = {query: {document: float(9 - i) for i, document in enumerate(order)} for query, order in orders.items()}
    qrels_text = "".join(f"{q} 0 {d} {grade}\n" for q, grades in qrels.items() for d, grade in grades.items())
    run_text = "\n" + "".join(
        f"{q} Q0 {d} 0 {score} tandem\n" for q, found in run.items() for d, score in found.items()
    )
    theirs = ir_measures.calc_aggregate(
        [ir_measures.nDCG @ 10, ir_measures.RR @ 10, ir_measures.R @ 10, ir_measures.R @ 100, ir_measures.Success @ 1],
        list(ir_measures.read_trec_qrels(qrels_text)),  # type: ignore[no-untyped-call]  # it is not annotated
        list(ir_measures.read_trec_run(run_text)),  # type: ignore[no-untyped-call]  # it is not annotated
    )
    named = {"nDCG@10": "ndcg@10", "RR@10": "mrr@10", "R@10": "recall@10", "R@100": "recall@100"}
    ours = measured(qrels, run).means
    for measure, value in theirs.items():
        assert ours[named.get(str(measure), "success@1")] == value
    assert ours["ndcg@10"] == pytest.approx(mean_ndcg(qrels, orders))


def mean_ndcg(qrels: Qrels, orders: dict[str, list[str]]) -> float:
    """nDCG@10 with linear gains, as trec_eval defines it, written without any library."""
    total = 0.0
    for query, grades in qrels.items():
        gains = [grades.get(document, 0) for document in orders.get(query, [])][:10]
        ideal = sorted(grades.values(), reverse=True)[:10]
        best = sum(gain / math.log2(rank + 1) for rank, gain in enumerate(ideal, 1))
        total += sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1)) / best if best else 0
    return total / len(qrels)


# Arms


def test_arms_are_read_once_each_with_the_active_version_filled_in() -> None:
    arms = parse_arms("keyword, embedding,hybrid@v2,embedding@v1,reference-bm25", "v1")
    assert [str(arm) for arm in arms] == ["keyword", "embedding@v1", "hybrid@v2", "reference-bm25"]
    assert [arm.mode for arm in arms] == [Mode.KEYWORD, Mode.EMBEDDING, Mode.HYBRID, None]


@pytest.mark.parametrize("written", ["bm25", "", "keyword,", "keyword@v1", "reference-bm25@v1", "hybrid@", "Hybrid"])
def test_what_is_no_arm_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match=r"is not an arm; write reference-bm25, keyword, embedding\[@VERSION\] or"):
        parse_arms(written, "v1")


def test_an_arm_needs_a_model_that_the_collection_has() -> None:
    assert parse_arms("keyword,hybrid@v1", "") == (Arm("keyword"), Arm("hybrid", "v1"))
    with pytest.raises(ModelError, match="'embedding' means the collection's model, and it has none yet: `tandem"):
        parse_arms("embedding", "")


# Runs


def test_each_arm_finds_what_it_can(filled: Home) -> None:
    reference, keyword, embedding, hybrid = (
        run_of(filled, arm) for arm in ("reference-bm25", "keyword", "embedding", "hybrid")
    )
    assert set(reference) == set(keyword) == {"q-car", "q-dog", "q-call"}  # "zzyzx" shares no word with anything
    assert "q-none" in embedding
    assert ranked(reference, "q-dog") == ["kennel"]
    assert ranked(keyword, "q-call")[0] == ranked(hybrid, "q-call")[0] == "fadvise"
    assert ranked(embedding, "q-car")[0] == ranked(hybrid, "q-car")[0] == "garage"


@pytest.mark.parametrize("mode", list(Mode))
def test_an_arm_ranks_as_a_search_does(filled: Home, mode: Mode) -> None:
    collection, store = filled.catalog.collections.get("default"), MemoryStore()
    fill(filled.catalog, collection, store)
    searcher = Searcher(filled.catalog, collection, store, lambda: filled.encoder(collection))
    run = run_of(filled, mode.value)
    for query, text in QUERIES.items():
        hits = searcher.search(Query(text, k=10, mode=mode)).hits
        assert ranked(run, query) == [hit.document_id for hit in hits] if query in run else not hits


def test_an_evaluation_needs_no_lock(tmp_path: Path, tiny_model: Path) -> None:
    home = Home.open(Settings(home=tmp_path, model=str(tiny_model), store="edge", threads=1))
    collection = ingested(home, "default")
    with open_index(home.settings, home.catalog, collection):
        assert ranked(run_of(home, "keyword"), "q-dog") == ["kennel"]
    home.close()


def test_another_version_is_an_arm_once_it_has_embedded_the_collection(filled: Home, tmp_path: Path) -> None:
    collection = filled.catalog.collections.get("default")
    filled.register(filled.models.add_model(build_tiny_model(tmp_path / "m", salt="other"), "other"))
    with pytest.raises(ModelError, match=r"'other' has not embedded 6 of the 6 texts .*`tandem models embed other -c"):
        run_of(filled, "hybrid@other")
    variant = replace(collection, config=replace(collection.config, model="other"))
    embed_missing(Pipeline.of(filled.catalog, variant, filled.encoder(variant)))
    results = evaluate(filled, collection, JUDGED, parse_arms("embedding,embedding@other,hybrid@other", "tiny"))
    assert [str(result.arm) for result in results] == ["embedding@tiny", "embedding@other", "hybrid@other"]
    assert results[0].run != results[1].run
    assert ranked(results[1].run, "q-car")[0] == "garage"
    assert filled.catalog.collections.get("default").config.model == "tiny"


def test_an_unknown_version_is_refused(filled: Home) -> None:
    with pytest.raises(ModelError, match=r"There is no model 'v9'.*`tandem models add`"):
        run_of(filled, "embedding@v9")


def test_vectors_lost_from_the_active_model_are_missed(filled: Home) -> None:
    collection = ingested(filled, "damaged")
    with filled.catalog.database.write() as connection:
        mine = schema.chunks.c.collection_id == collection.id
        connection.execute(update(schema.chunks).where(mine).values(text_hash="x" + schema.chunks.c.text_hash))
    with pytest.raises(ModelError, match=r"'tiny' has not embedded 6 of the 6 texts .*`tandem doctor --repair`"):
        evaluate(filled, collection, JUDGED, [Arm("embedding", "tiny")])


# The command


def invoke(home: Home, folder: Path, *arguments: str, qrels: str | None = None) -> Result:
    queries = folder / "queries.jsonl"
    queries.write_text("".join(json.dumps({"_id": q, "text": text}) + "\n" for q, text in QUERIES.items()))
    rows = "".join(f"{q}\t{d}\t{grade}\n" for q, grades in QRELS.items() for d, grade in grades.items())
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + (rows if qrels is None else qrels))
    app = typer.Typer(callback=lambda: None)
    add_commands(app)
    files = ["--queries", str(queries), "--qrels", str(folder / "qrels.tsv")]
    result = CliRunner().invoke(app, ["evaluate", *files, "--home", str(home.settings.home), *arguments])
    if isinstance(result.exception, TandemError):
        raise result.exception
    return result


def test_json_has_every_arm_and_measure(filled: Home, tmp_path: Path) -> None:
    result = invoke(filled, tmp_path, "--json")
    body = json.loads(result.stdout)
    assert (result.exit_code, list(body)) == (0, ["arms"])
    assert list(body["arms"]) == ["reference-bm25", "keyword", "embedding@tiny", "hybrid@tiny"]
    for measures in body["arms"].values():
        assert set(measures) == {
            "ndcg@10",
            "mrr@10",
            "recall@10",
            "recall@100",
            "success@1",
            "judged@10",
            "queries",
        }
        assert measures["queries"] == 4
    # Three queries of four are answered, each with its document first.
    assert body["arms"]["keyword"]["ndcg@10"] == body["arms"]["keyword"]["success@1"] == 0.75


def test_people_get_a_table(filled: Home, tmp_path: Path) -> None:
    result = invoke(filled, tmp_path, "--arms", "keyword,hybrid")
    header, *rows = (line.split() for line in result.stdout.splitlines())
    assert header == ["ARM", "NDCG@10", "MRR@10", "RECALL@10", "RECALL@100", "SUCCESS@1", "JUDGED@10", "QUERIES"]
    assert [row[0] for row in rows] == ["keyword", "hybrid@tiny"]
    assert rows[0][1] == "0.7500"
    assert rows[0][-1] == "4"
    assert len({len(line) for line in result.stdout.splitlines()}) == 1


def test_doubts_go_to_stderr(filled: Home, tmp_path: Path) -> None:
    qrels = "q-dog\tkennel\t1\nq-dog\tgone\t1\nq-lost\tkennel\t1\n"
    result = invoke(filled, tmp_path, "--arms", "keyword", "--json", qrels=qrels)
    measures = json.loads(result.stdout)["arms"]["keyword"]
    assert "1 judged query is left out, having no text: 'q-lost'." in result.stderr
    assert "1 of 2 judged documents are not in the collection" in result.stderr
    assert (measures["queries"], measures["success@1"], measures["recall@100"]) == (1, 1.0, 0.5)


def test_a_collection_must_exist_and_hold_something(filled: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'empty' has no document yet; `tandem ingest"):
        invoke(filled, tmp_path, "--collection", "empty")
    with pytest.raises(NotFound, match="no collection 'other'"):
        invoke(filled, tmp_path, "--collection", "other")


def test_files_are_read_before_anything_is_opened(filled: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"qrels.tsv, line 2 has the grade 'x'"):
        invoke(filled, tmp_path, "--home", str(tmp_path / "new"), qrels="q-dog\tkennel\tx\n")
    assert not (tmp_path / "new").exists()
