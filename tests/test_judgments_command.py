"""tandem judgments: import, export, mine, show, stats, delete; what is wrong is said and nothing is lost."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from retrieval.errors import NotFound, TandemError, UsageError
from tests.homes import Workbench, page
from trainer.cli import add_commands
from trainer.evaluation_set import EvaluationSet

MORE = "It takes patience, a steady hand and a little time every day until it goes well and nobody needs a recipe. "
PAGES = (
    page("bread.md", f"Flour, water, salt and yeast make a loaf. {MORE * 3}", title="How do I bake bread?"),
    page(
        "car.md", f"Mend the engine and the wheels before any long journey. {MORE * 3}", title="Vehicle repair at home"
    ),
    page("dog.md", f"What a puppy may eat, and what no animal should. {MORE * 3}", title="Feeding a young dog"),
)


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Workbench:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*PAGES)
    return bench


def invoke(bench: Workbench, *arguments: str) -> Result:
    app = typer.Typer(callback=lambda: None)
    add_commands(app)
    result = CliRunner().invoke(app, ["judgments", *arguments, "--home", str(bench.home.settings.home)])
    if isinstance(result.exception, TandemError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def files(folder: Path, *, queries: str = "", qrels: str = "") -> list[str]:
    (folder / "q.jsonl").write_text(queries or '{"_id": "1", "text": "loaf"}\n{"_id": "2", "text": "puppy food"}\n')
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + (qrels or "1\tbread.md\t2\n2\tdog.md\t1\n"))
    return ["--queries", str(folder / "q.jsonl"), "--qrels", str(folder / "qrels.tsv")]


def test_judgments_come_in_and_go_out(bench: Workbench, tmp_path: Path) -> None:
    body = json.loads(invoke(bench, "import", *files(tmp_path), "--source", "log", "--json").stdout)
    assert (body["name"], body["queries"], body["sources"], body["judged"]) == ("default", 2, {"log": 2}, 2)
    out = ["--queries", str(tmp_path / "out.jsonl"), "--qrels", str(tmp_path / "out.tsv")]
    invoke(bench, "export", *out)
    assert (tmp_path / "out.tsv").read_text() == (tmp_path / "qrels.tsv").read_text()
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first == {"_id": "1", "text": "loaf", "source": "log"}
    invoke(bench, "export", *out, "--format", "trec")
    assert (tmp_path / "out.tsv").read_text() == "1 0 bread.md 2\n2 0 dog.md 1\n"


def test_mined_queries_are_called_mined(bench: Workbench) -> None:
    body = json.loads(invoke(bench, "mine", "--json").stdout)
    assert body["queries"] >= 3
    assert all(source.startswith("mined:") for source in body["sources"])
    shown = json.loads(invoke(bench, "show", "--name", "mined", "--json").stdout)
    assert {document for query in shown["queries"] for document in query["grades"]} <= {"bread.md", "car.md", "dog.md"}
    with pytest.raises(UsageError, match="has a judgment set 'mined'; give another --name, or --replace"):
        invoke(bench, "mine")
    assert json.loads(invoke(bench, "mine", "--replace", "--json").stdout)["queries"] == body["queries"]


def test_sets_are_listed_and_deleted(bench: Workbench, tmp_path: Path) -> None:
    assert "tandem judgments mine" in invoke(bench, "stats").stderr
    invoke(bench, "import", *files(tmp_path), "--name", "a")
    invoke(bench, "import", "--queries", str(tmp_path / "q.jsonl"), "--name", "b")
    listed = json.loads(invoke(bench, "stats", "--json").stdout)["judgments"]
    assert [(one["name"], one["queries"], one["judged"]) for one in listed] == [("a", 2, 2), ("b", 2, 0)]
    assert "2 human" in invoke(bench, "stats").stdout
    invoke(bench, "delete", "--name", "a")
    with pytest.raises(NotFound, match=r"no judgment set 'a' \(there is: b\)"):
        invoke(bench, "delete", "--name", "a")


def test_documents_that_are_not_there_are_named(bench: Workbench, tmp_path: Path) -> None:
    result = invoke(bench, "import", *files(tmp_path, qrels="1\tbread.md\t1\n2\tgone.md\t1\n"))
    assert "1 of 2 judged documents are not in the collection: gone.md" in result.stderr
    with pytest.raises(UsageError, match=r"None of the 1 judged documents \(such as 'x'\) is in collection 'default'"):
        invoke(bench, "import", *files(tmp_path, qrels="1\tx\t1\n"), "--name", "none")
    names = [one["name"] for one in json.loads(invoke(bench, "stats", "--json").stdout)["judgments"]]
    assert names == ["default"]


@pytest.mark.parametrize(
    ("queries", "qrels", "message"),
    [
        ("", "1\tbread.md\t-1\n", "has the grade '-1'"),
        ("", "1\tbread.md\tgood\n", "has the grade 'good'"),
        ("", "9\tbread.md\t1\n", "No query judged in"),
        ('{"_id": "1", "text": "a"}\n{"_id": "1", "text": "b"}\n', "", "has the query id '1' a second time"),
        ('{"_id": "1", "text": " "}\n', "", "has the \"text\" ' '"),
        ("\n", "", "has no query in it"),
    ],
)
def test_malformed_files_are_refused_whole(
    bench: Workbench, tmp_path: Path, queries: str, qrels: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        invoke(bench, "import", *files(tmp_path, queries=queries, qrels=qrels))
    assert json.loads(invoke(bench, "stats", "--json").stdout) == {"judgments": []}


def test_nothing_can_be_mined_from_nothing(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="has no document yet; `tandem ingest"):
        invoke(Workbench.open(tmp_path / "home", tiny_model), "mine")


def test_what_arms_find_is_pooled_and_judged(bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path)
    invoke(bench, "import", "--queries", str(tmp_path / "q.jsonl"))
    pooled = json.loads(invoke(bench, "pool", "--arms", "keyword,embedding", "--depth", "2", "--json").stdout)
    assert pooled["queries"] == 2
    assert pooled["documents"] >= 4
    assert invoke(bench, "pool", "--arms", "keyword", "--depth", "2").stdout.startswith("0 documents of 0 queries")
    app = typer.Typer(callback=lambda: None)
    add_commands(app)
    judged = CliRunner().invoke(app, ["judgments", "judge", "--home", str(bench.home.settings.home)], input="3\n0\nq\n")
    assert judged.exit_code == 0
    assert "Judged 2 documents: 1 perfect, 1 not relevant." in judged.output
    grades = [
        grade
        for query in bench.home.catalog.judgments.get(bench.collection, "default")
        for grade in query.grades.values()
        if grade is not None
    ]
    assert sorted(grades) == [0, 3]


def test_a_mined_set_comes_back_masked_and_mined(bench: Workbench, tmp_path: Path) -> None:
    invoke(bench, "mine")
    paths = ["--queries", str(tmp_path / "m.jsonl"), "--qrels", str(tmp_path / "m.tsv")]
    invoke(bench, "export", "--name", "mined", *paths)
    invoke(bench, "import", "--name", "again", *paths)
    catalog = bench.home.catalog
    assert catalog.judgments.get(bench.collection, "again") == catalog.judgments.get(bench.collection, "mined")
    read = EvaluationSet.read(tmp_path / "m.jsonl", tmp_path / "m.tsv")
    assert read.masks
    assert all(source.startswith("mined:") for source in read.sources.values())
    with pytest.raises(UsageError, match=r"is mined:\w+; leave the source out"):
        invoke(bench, "import", "--name", "other", *paths, "--source", "human")


def test_a_query_keeps_its_grades_when_it_is_brought_again(bench: Workbench, tmp_path: Path) -> None:
    invoke(bench, "import", *files(tmp_path))
    more = '{"_id": "1", "text": "loaf"}\n{"_id": "3", "text": "engine"}\n'
    files(tmp_path, queries=more)
    invoke(bench, "import", "--queries", str(tmp_path / "q.jsonl"))
    grades = {query.id: query.grades for query in bench.home.catalog.judgments.get(bench.collection, "default")}
    assert grades == {"1": {"bread.md": 2}, "2": {"dog.md": 1}, "3": {}}
    files(tmp_path, queries='{"_id": "1", "text": "another question"}\n')
    with pytest.raises(UsageError, match="'1' is known with the text 'loaf', and 'another question' was brought"):
        invoke(bench, "import", "--queries", str(tmp_path / "q.jsonl"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('"source": "mined:title"', "has no masks, so that every arm"),
        ('"source": 3', "has the source 3"),
        ('"masks": {"a": "b"}', "has the masks"),
        ('"cluster": []', "has the cluster"),
    ],
)
def test_records_that_are_none_are_refused(bench: Workbench, tmp_path: Path, fields: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        invoke(bench, "import", *files(tmp_path, queries=f'{{"_id": "1", "text": "loaf", {fields}}}\n'))


def test_a_hostile_query_does_not_reach_the_terminal(bench: Workbench, tmp_path: Path) -> None:
    invoke(bench, "import", *files(tmp_path, queries='{"_id": "1", "text": "loaf\\u001b]0;pwned\\u0007"}\n'))
    shown = invoke(bench, "show").stdout
    assert "pwned" in shown
    assert not any(ord(c) < 32 and c != "\n" for c in shown)


def test_the_set_that_votes_make_is_taken_only_when_it_is_named(bench: Workbench, tmp_path: Path) -> None:
    from trainer.commands.asked import asked

    for name in ("mined", "votes"):
        invoke(bench, "import", *files(tmp_path), "--name", name)
    catalog, collection = bench.home.catalog, bench.collection
    assert asked(None, catalog, collection, None)[1] == "mined"
    assert asked(None, catalog, collection, "votes")[1] == "votes"
    invoke(bench, "delete", "--name", "mined")
    with pytest.raises(NotFound, match=r"there is: votes"):
        asked(None, catalog, collection, None)
