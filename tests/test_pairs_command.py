"""tandem pairs: mine, import, stats, delete; what is wrong is said, and one bad line never sinks the rest."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from retrieval.errors import NotFound, TandemError, UsageError
from tests.homes import Workbench, page
from trainer.cli import add_commands

MORE = "It takes patience, a steady hand and a little time every day until it goes well and nobody needs a recipe. "
PAGES = (
    page("bread.md", f"Flour, water, salt and yeast make a loaf. {MORE * 3}", title="How do I bake bread?"),
    page("car.md", f"Mend the engine and the wheels before any journey. {MORE * 3}", title="Vehicle repair at home"),
    page("dog.md", f"What a puppy may eat, and what no animal should. {MORE * 3}", title="Feeding a young dog"),
    page("a.md", f"Nothing. {MORE * 3}", title="Overview"),
)


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Workbench:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*PAGES)
    return bench


def invoke(bench: Workbench, *arguments: str) -> Result:
    app = typer.Typer(callback=lambda: None)
    add_commands(app)
    result = CliRunner().invoke(app, ["pairs", *arguments, "--home", str(bench.home.settings.home)])
    if isinstance(result.exception, TandemError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def body(bench: Workbench, *arguments: str) -> Any:
    return json.loads(invoke(bench, *arguments, "--json").stdout)


def lines(folder: Path, *records: object) -> str:
    path = folder / "pairs.jsonl"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records), encoding="utf-8")
    return str(path)


def judged(folder: Path, qrels: str) -> list[str]:
    (folder / "q.jsonl").write_text('{"_id": "1", "text": "loaf"}\n{"_id": "2", "text": "puppy food"}\n')
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels)
    return ["--queries", str(folder / "q.jsonl"), "--qrels", str(folder / "qrels.tsv")]


def test_pairs_are_mined_counted_and_shown(bench: Workbench) -> None:
    mined = body(bench, "mine")
    assert mined["pairs"] == sum(mined["sources"].values()) >= 3
    assert mined["dropped"]["a heading that any document may have"] == 1
    stats = body(bench, "stats", "--samples", "1")
    assert stats["sources"] == mined["sources"]
    assert stats["mining"] == mined
    assert all(len(samples) == 1 for samples in stats["samples"].values())
    (sample,) = stats["samples"]["mined:title"]
    assert "a steady hand" in sample["passage"]
    assert sample["query"] not in sample["passage"]  # as a model reads it
    told = invoke(bench, "stats").stdout
    assert "mined:title" in told
    assert "It takes patience, a steady hand" in told
    assert "a heading that any document may have  Overview" in told


def test_mining_says_what_it_left_out(bench: Workbench) -> None:
    result = invoke(bench, "mine")
    assert "pairs (" in result.stdout
    assert "Left out 1: a heading that any document may have" in result.stderr


def test_pairs_come_from_lines_each_with_its_own_source_and_weight(bench: Workbench, tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        {"query": " loaf ", "document": "bread.md"},
        {"query": "wheels", "document": "car.md", "source": "click", "weight": 0.5},
    )
    found = body(bench, "import", "--jsonl", path, "--source", "log")
    assert (found["imported"], found["sources"]) == (2, {"click": 1, "log": 1})
    pairs = {pair.query: pair for pair in bench.home.catalog.pairs.list(bench.collection)}
    assert pairs["loaf"].weight == 1.0
    assert (pairs["wheels"].weight, pairs["wheels"].group) == (0.5, "car.md")


def test_a_brought_pair_gets_the_passage_that_answers_it_and_loses_its_own_words(
    bench: Workbench, tmp_path: Path
) -> None:
    parts = [f"{MORE * 4}" for _ in range(3)]
    query = "how to keep a kitten warm"
    long = page("long.md", *parts, f"Some ask {query}: with a box of wool. {MORE * 2}", *parts, title="Animals")
    bench.put(long)
    invoke(bench, "import", "--jsonl", lines(tmp_path, {"query": query, "document": "long.md"}))
    (pair,) = bench.home.catalog.pairs.list(bench.collection)
    texts = [text for batch in bench.home.catalog.chunks.all_texts(bench.collection) for text in batch]
    chunk = next(t.chunk for t in texts if (t.document_id, t.chunk.position) == ("long.md", pair.position))
    assert pair.position > 0
    assert "box of wool" in chunk.text
    assert pair.strings == (query,)


def test_a_bad_line_is_told_and_the_others_come_in(bench: Workbench, tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        {"query": "loaf", "document": "bread.md"},
        "{nonsense",
        '["a", "list"]',
        {"query": " ", "document": "bread.md"},
        {"query": "loaf"},
        {"query": "loaf", "document": "dog.md", "weight": -1},
        {"query": "loaf", "document": "dog.md", "weight": "many"},
        {"query": "loaf", "document": "dog.md", "source": "mined:title"},
        {"query": "loaf", "document": "dog.md", "source": ""},
        {"query": "x" * 20_000, "document": "dog.md"},
    )
    found = body(bench, "import", "--jsonl", path)
    assert found["imported"] == 1
    assert len(found["refused"]) == 9
    told = invoke(bench, "import", "--jsonl", path).stderr
    assert f"{path}, line 2 is not JSON" in told
    assert "9 lines or queries are left out in all" in told


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{nonsense", r"line 1 is not JSON in UTF-8 .*Write a line a pair"),
        ('"text"', r"line 1 is no object with \"query\" and \"document\""),
        ('{"query": "loaf", "document": 3}', "line 1 has the document 3; it must be a text"),
        (
            '{"query": "loaf", "document": "a", "weight": 1e9}',
            "has the weight 1000000000.0; it must be a number above 0",
        ),
        (
            '{"query": "loaf", "document": "a", "source": "mined:x"}',
            "which is for pairs that `tandem pairs mine` makes",
        ),
        ("", "has no pair in it. Write a line a pair"),
    ],
)
def test_a_file_without_any_pair_is_refused(bench: Workbench, tmp_path: Path, record: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        invoke(bench, "import", "--jsonl", lines(tmp_path, record))


def test_judged_queries_make_pairs_of_what_is_judged_above_0(bench: Workbench, tmp_path: Path) -> None:
    found = body(bench, "import", *judged(tmp_path, "1\tbread.md\t2\n1\tcar.md\t0\n2\tdog.md\t1\n9\tdog.md\t1\n"))
    assert (found["imported"], found["sources"]) == (2, {"human": 2})
    assert found["refused"] == [f"{tmp_path / 'qrels.tsv'} judges the query '9', which {tmp_path / 'q.jsonl'} has not"]
    with pytest.raises(UsageError, match=r"line 2 has the grade 'good'"):
        invoke(bench, "import", *judged(tmp_path, "1\tbread.md\tgood\n"))
    with pytest.raises(UsageError, match="has a document judged above 0"):
        invoke(bench, "import", *judged(tmp_path, "1\tbread.md\t0\n"))


def test_documents_that_are_not_there_are_told(bench: Workbench, tmp_path: Path) -> None:
    path = lines(tmp_path, {"query": "loaf", "document": "bread.md"}, {"query": "loaf", "document": "gone.md"})
    assert "1 documents are not in the collection: gone.md" in invoke(bench, "import", "--jsonl", path).stderr
    with pytest.raises(UsageError, match=r"None of the 1 documents \(such as 'gone.md'\) is in collection 'default'"):
        invoke(bench, "import", "--jsonl", lines(tmp_path, {"query": "loaf", "document": "gone.md"}))


def test_what_is_no_way_to_import_is_refused(bench: Workbench, tmp_path: Path) -> None:
    path = lines(tmp_path, {"query": "loaf", "document": "bread.md"})
    with pytest.raises(UsageError, match="Give either --jsonl, or --queries and --qrels"):
        invoke(bench, "import", "--jsonl", path, "--queries", path)
    with pytest.raises(UsageError, match="Give either --jsonl"):
        invoke(bench, "import", "--queries", path)
    with pytest.raises(UsageError, match="'mined:mine' is for pairs that `tandem pairs mine` makes"):
        invoke(bench, "import", "--jsonl", path, "--source", "mined:mine")
    with pytest.raises(UsageError, match="'a,b' cannot name one: commas separate sources"):
        invoke(bench, "import", "--jsonl", path, "--source", "a,b")
    with pytest.raises(UsageError, match="cannot be read"):
        invoke(bench, "import", "--jsonl", str(tmp_path / "nowhere.jsonl"))


def test_pairs_are_deleted_by_source_or_all(bench: Workbench, tmp_path: Path) -> None:
    assert "`tandem pairs mine` makes some" in invoke(bench, "stats").stderr
    invoke(bench, "mine")
    invoke(bench, "import", "--jsonl", lines(tmp_path, {"query": "loaf", "document": "bread.md"}))
    assert body(bench, "delete", "--source", "human") == {"deleted": 1}
    with pytest.raises(NotFound, match=r"has no pairs of the source 'human' \(there are: \d+ mined:title"):
        invoke(bench, "delete", "--source", "human")
    assert "Removed" in invoke(bench, "delete").stdout
    assert body(bench, "stats")["pairs"] == 0


def test_nothing_can_be_mined_from_nothing(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="has no document yet; `tandem ingest"):
        invoke(Workbench.open(tmp_path / "home", tiny_model), "mine")
