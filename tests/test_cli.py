"""The command line as scripts see it: exit codes, one JSON document on stdout, one line for an error, help for all."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from service.cli import app
from tests.homes import REPOSITORY, Cli, environment, tandem, write_pages

POSTS = {
    "bread.md": "---\ntitle: Bread\nyear: 2020\n---\n\nBake a loaf of bread with yeast.\n",
    "garden/water.md": "# Water\n\nWater the garden in the morning. See [bread](../bread.md).\n",
    "errors.txt": "The code E0425 says that a name is unknown.\n",
    "more.jsonl": '{"_id": "cat", "title": "Kittens", "text": "A kitten sleeps."}\n',
}


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pages(tmp_path_factory.mktemp("posts"), POSTS)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, posts: Path) -> Path:
    """A home into which a real process has ingested the posts. Tests do not change it."""
    home = tmp_path_factory.mktemp("library") / "home"
    done = tandem(environment(home, tiny_model), "ingest", str(posts), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents"] == 4
    return home


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny_model: Path, library: Path) -> Cli:
    """Commands on the library."""
    return Cli.on(library, tiny_model, capture=capsys, patch=monkeypatch)


@pytest.fixture
def copy(cli: Cli, library: Path, tmp_path: Path) -> Path:
    """The library's home copied, for a test that changes it; the commands then work on the copy."""
    home = tmp_path / "copy"
    shutil.copytree(library, home)
    cli.patch.setenv("TANDEM_HOME", str(home))
    return home


def real_commands(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Every command that is no group, lazy ones as they really are."""
    for name, listed in group.commands.items():
        command = listed.make_context(name, [], resilient_parsing=True).command
        if isinstance(command, TyperGroup):
            yield from real_commands(command, (*path, name))
        else:
            assert isinstance(command, TyperCommand)
            yield (*path, name), command


COMMANDS = dict(real_commands(get_group(app)))


def test_the_documented_commands_are_there() -> None:
    expected = [
        "ingest",
        "search",
        "status",
        "doctor",
        "audit",
        "reindex",
        "migrate",
        "evaluate",
        "compare",
        "tune",
        "serve",
    ]
    groups = {"documents": "list show delete", "collections": "list create delete", "models": "list add show"}
    groups["judgments"] = "import export mine pool judge show stats delete"
    paths = [(name,) for name in expected] + [(g, name) for g, names in groups.items() for name in names.split()]
    assert set(paths) <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_each_of_its_options_has_help(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert (command.help or "").strip(), f"{path} has no help"
    without = [p.name for p in command.params if p.name != "help" and not (getattr(p, "help", None) or "").strip()]
    assert without == [], f"{' '.join(path)}: these have no help text"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_is_printed_on_stdout(cli: Cli, path: tuple[str, ...]) -> None:
    outcome = cli(*path, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: tandem")


INTERACTIVE = {("serve",), ("mcp",), ("judgments", "judge")}


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in INTERACTIVE], ids=" ".join)
def test_every_command_that_prints_takes_home_and_json(path: tuple[str, ...]) -> None:
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    assert {"--home", "--json"} <= options


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["status"], {"home", "catalog", "store", "collections"}),
        (["doctor"], {"healthy", "checked", "missing", "extra", "keyword", "embedding", "payload", "unembedded"}),
        (["audit"], set()),
        (["search", "bread"], {"query", "hits", "timings_ms", "arm", "did_you_mean", "notes"}),
        (["documents", "list"], {"documents", "count"}),
        (["documents", "show", "bread.md"], {"id", "title", "text", "metadata", "links", "tags", "url"}),
        (["collections", "list"], {"collections"}),
        (["models", "list"], {"models"}),
        (["models", "show", "tiny"], {"version", "fingerprint", "dimensions"}),
        (["migrate"], {"before", "after"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_with_json_one_document_is_on_stdout(cli: Cli, arguments: Sequence[str], keys: set[str]) -> None:
    outcome = cli(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    assert keys <= outcome.json.keys()
    plain = cli(*arguments)
    assert plain.code == 0
    assert plain.out.strip()


def test_commands_that_change_something_say_what_in_json(cli: Cli, copy: Path, posts: Path, tiny_model: Path) -> None:
    assert cli("collections", "create", "second", "--language", "german", "--json").json["name"] == "second"
    assert cli("collections", "delete", "second", "--json").json == {"deleted": "second"}
    assert cli("models", "add", str(tiny_model), "--version", "again", "--json").json["version"] == "again"
    assert cli("documents", "delete", "cat", "--json").json == {"deleted": 1}
    assert cli("ingest", str(posts), "--json").json["documents"] == 1
    assert cli("reindex", "--json").json == {"chunks": 4, "embedded": 0}
    assert cli("doctor", "--repair", "--json").json["healthy"] is True
    queries = copy.parent / "queries.jsonl"
    queries.write_text('{"_id": "1", "text": "bread loaf"}\n')
    qrels = copy.parent / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\n1\tbread.md\t1\n")
    evaluated = cli("evaluate", "--queries", str(queries), "--qrels", str(qrels), "--arms", "keyword,hybrid", "--json")
    assert evaluated.code == 0
    assert evaluated.json["arms"]["keyword"]["ndcg@10"] == 1.0


def test_the_same_commands_tell_people_in_words(cli: Cli, copy: Path, posts: Path) -> None:
    assert "second" in cli("collections", "create", "second").out
    assert "deleted" in cli("collections", "delete", "second").out
    assert "4 unchanged" in cli("ingest", str(posts)).out
    assert "4 chunks indexed" in cli("reindex").out
    assert "1 documents deleted" in cli("documents", "delete", "cat").out
    assert "Healthy: 3 chunks" in cli("doctor").out


def test_search_prints_hits_and_explains_them(cli: Cli) -> None:
    plain = cli("search", "loaf", "bread")
    assert "1. Bread" in plain.out
    explained = cli("search", "--explain", "loaf bread")
    assert "KEYWORD RANK" in explained.out
    assert "milliseconds" in explained.out
    chunks = cli("search", "bread", "--no-group", "-k", "2", "--where", "year=2020", "--json").json
    assert [hit["document"]["id"] for hit in chunks["hits"]] == ["bread.md"]
    mistyped = cli("search", "gardne", "--mode", "keyword")
    assert "did you mean garden?" in mistyped.err
    assert mistyped.out.strip() == "Nothing found."


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "  "],
        ["search", "x" * 10_001],
        ["search", "bread", "-k", "1001"],
        ["search", "bread", "--where", "=broken"],
        ["ingest", "/nowhere/at/all"],
        ["ingest", ".", "--meta", "no-equals-sign"],
        ["ingest", ".", "--format", "nonsense"],
        ["collections", "create", "Has Space"],
        ["ingest", ".", "-c", "../x"],
        ["ingest", ".", "-c", "../x", "--dry-run"],
        ["ingest", ".", "--base-url", "javascript:alert(1)"],
        ["jobs", "submit", "ingest", "-c", "../x", 'sources=["."]'],
        ["collections", "create", "x", "--language", "klingon"],
        ["collections", "create", "x", "--fusion", "magic"],
        ["serve", "--host", "0.0.0.0"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_wrong_usage_is_one_line_on_stderr_and_exit_2(cli: Cli, arguments: Sequence[str]) -> None:
    outcome = cli(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("tandem: ")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["search"], ["search", "x", "--mode", "sideways"], ["search", "x", "-k", "0"], ["status", "--nope"]],
    ids=" ".join,
)
def test_what_cannot_be_parsed_is_explained_with_the_usage_and_exit_2(cli: Cli, arguments: Sequence[str]) -> None:
    outcome = cli(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Error:" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "bread", "-c", "nowhere"], "no collection 'nowhere'"),
        (["doctor", "-c", "nowhere"], "no collection 'nowhere'"),
        (["reindex", "-c", "nowhere"], "no collection 'nowhere'"),
        (["audit", "-c", "nowhere"], "no collection 'nowhere'"),
        (["documents", "list", "-c", "nowhere"], "no collection 'nowhere'"),
        (["documents", "show", "nothing.md"], "tandem documents list"),
        (["documents", "delete", "bread.md", "nothing.md"], "nothing was deleted"),
        (["documents", "show", "a\nb\x1b[31m"], "no document"),
        (["collections", "delete", "nowhere"], "no collection 'nowhere'"),
        (["collections", "create", "default"], "exists"),
        (["models", "show", "unheard-of"], "unheard-of"),
        (["models", "add", "/nowhere/at/all"], "/nowhere/at/all"),
        (["search", "bread", "--model", "other"], "other"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_work_that_fails_is_one_line_on_stderr_and_exit_1(cli: Cli, arguments: Sequence[str], said: str) -> None:
    outcome = cli(*arguments, "--json")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("tandem: ")
    assert outcome.err.count("\n") == 1
    assert said in outcome.err
    assert "\x1b" not in outcome.err
    assert "nowhere" not in json.dumps(cli("collections", "list", "--json").json)


def test_a_home_that_cannot_be_one_is_one_line(cli: Cli, tmp_path: Path, copy: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "catalog.sqlite").write_text("this is no database" * 100)
    engine = create_engine(f"sqlite:///{copy / 'catalog.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for home in (file, tmp_path / "broken", copy):
        outcome = cli("status", "--home", str(home))
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith("tandem: ")
        assert outcome.err.count("\n") == 1


def test_settings_that_do_not_parse_are_wrong_usage(cli: Cli) -> None:
    for name, value in (("TANDEM_STORE", "paper"), ("TANDEM_THREADS", "many")):
        cli.patch.setenv(name, value)
        outcome = cli("status")
        assert outcome.code == 2
        assert name in outcome.err
        cli.patch.delenv(name)


def test_a_document_that_fails_makes_ingest_exit_1_with_the_others_in(cli: Cli, copy: Path, tmp_path: Path) -> None:
    folder = write_pages(tmp_path / "more", {"new.jsonl": '{"_id": "new", "text": "A river."}\n{broken\n'})
    for _ in range(2):
        outcome = cli("ingest", str(folder), "--json")
        assert outcome.code == 1
        assert [problem["key"] for problem in outcome.json["problems"]] == ["new.jsonl:2"]
    assert "new" in [d["id"] for d in cli("documents", "list", "--json").json["documents"]]
    told = cli("ingest", str(folder))
    assert "Failed (1):" in told.out + told.err


def test_pruning_through_the_command_line_removes_from_search(cli: Cli, copy: Path, tmp_path: Path) -> None:
    folder = write_pages(tmp_path / "more", {"a.txt": "A quiet volcano.", "b.txt": "A loud volcano."})
    assert cli("ingest", str(folder)).code == 0
    (folder / "b.txt").unlink()
    assert "--prune" in cli("ingest", str(folder)).out
    assert cli("ingest", str(folder), "--prune", "--json").json["deleted"] == 1
    hits = cli("search", "volcano", "--mode", "keyword", "--json").json["hits"]
    assert [hit["document"]["id"] for hit in hits] == ["a.txt"]
    assert cli("doctor").code == 0


def snapshot(home: Path) -> dict[str, tuple[int, int]]:
    """Size and modification time of every file but the database's own scratch files."""
    found = {}
    for path in sorted(home.rglob("*")):
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and not path.name.endswith(("-wal", "-shm")):
            found[str(path.relative_to(home))] = (status.st_size, status.st_mtime_ns)
    return found


def test_a_dry_run_prints_the_plan_and_changes_nothing(cli: Cli, copy: Path, tmp_path: Path, posts: Path) -> None:
    edited = tmp_path / "posts"
    shutil.copytree(posts, edited)
    assert cli("ingest", str(edited), "--collection", "other").code == 0
    write_pages(edited, {"new.md": "# New\n\nText.", "bread.md": "# Bread\n\nOther text."})
    (edited / "errors.txt").unlink()
    before, listed = snapshot(copy), cli("documents", "list", "-c", "other", "--json").json
    plan = cli("ingest", str(edited), "--collection", "other", "--dry-run", "--json")
    assert plan.code == 0
    assert plan.json == {
        "new": ["new.md"],
        "changed": ["bread.md"],
        "unchanged": 2,
        "gone": ["errors.txt"],
        "problems": [],
    }
    assert "1 new, 1 changed, 2 unchanged, 1 gone" in cli("ingest", str(edited), "-c", "other", "--dry-run").out
    assert snapshot(copy) == before
    assert cli("documents", "list", "-c", "other", "--json").json == listed


def test_a_dry_run_makes_no_collection_and_needs_no_model(cli: Cli, tmp_path: Path, posts: Path) -> None:
    cli.patch.setenv("TANDEM_MODEL", "/nowhere/at/all")
    home = str(tmp_path / "fresh")
    plan = cli("ingest", str(posts), "--dry-run", "--json", "--home", home)
    assert plan.code == 0, plan.err
    assert sorted(plan.json["new"]) == sorted(POSTS)
    assert cli("collections", "list", "--json", "--home", home).json == {"collections": []}


def test_a_missing_model_is_one_line_and_nothing_is_lost(cli: Cli, tmp_path: Path, posts: Path) -> None:
    cli.patch.setenv("TANDEM_MODEL", "/nowhere/at/all")
    outcome = cli("ingest", str(posts), "--home", str(tmp_path / "fresh"))
    assert outcome.code == 1
    assert "/nowhere/at/all" in outcome.err


def test_a_damaged_index_says_reindex_and_reindex_works(cli: Cli, copy: Path) -> None:
    config = copy / "index" / "default" / "shard" / "edge_config.json"
    config.write_text("{broken")
    for command in (["search", "bread"], ["doctor"]):
        outcome = cli(*command)
        assert outcome.code == 1
        assert "tandem reindex" in outcome.err
        assert outcome.err.count("\n") == 1
    assert cli("reindex", "--json").json == {"chunks": 4, "embedded": 0}
    assert cli("doctor", "--json").json["healthy"] is True
    assert cli("search", "bread", "--json").json["hits"][0]["document"]["id"] == "bread.md"


def test_an_analyzer_of_another_version_says_reindex_and_reindex_works(cli: Cli, copy: Path) -> None:
    engine = create_engine(f"sqlite:///{copy / 'catalog.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE settings SET value = '\"0/english\"' WHERE name = 'analyzer'"))
    engine.dispose()
    outcome = cli("search", "bread")
    assert outcome.code == 1
    assert "tandem reindex" in outcome.err
    assert cli("reindex").code == 0
    assert cli("search", "bread").code == 0


@pytest.mark.parametrize("store", ["edge", "memory"])
def test_doctor_exits_1_on_damage_and_0_once_repaired(cli: Cli, copy: Path, store: str) -> None:
    cli.patch.setenv("TANDEM_STORE", store)
    engine = create_engine(f"sqlite:///{copy / 'catalog.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM embeddings"))
    engine.dispose()
    outcome = cli("doctor")
    assert outcome.code == 1
    assert "4 chunks without an embedding" in outcome.out
    assert cli("doctor", "--json").json["healthy"] is False
    assert cli("doctor", "--repair").code == 0
    assert cli("doctor").code == 0


def test_search_imports_no_torch_and_no_client_of_a_server(library: Path, tiny_model: Path) -> None:
    code = (
        "import sys; sys.argv = ['tandem', 'search', 'bread', '--json']\n"
        "from service.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'sentence_transformers', 'transformers', 'qdrant_client', 'fastapi', 'trafilatura'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(library, tiny_model),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["hits"][0]["document"]["id"] == "bread.md"
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_process_of_its_own_behaves_the_same(library: Path, tiny_model: Path) -> None:
    environ = environment(library, tiny_model)
    found = tandem(environ, "search", "bread", "--json")
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout)["query"] == "bread"
    failed = tandem(environ, "documents", "show", "nothing.md")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("tandem: ")
    assert failed.stderr.count("\n") == 1
    wrong = tandem(environ, "search", " ")
    assert (wrong.returncode, wrong.stderr) == (2, "tandem: The query is empty; type some words.\n")


def test_output_that_a_terminal_cannot_show_is_replaced(library: Path, tiny_model: Path) -> None:
    done = tandem({**environment(library, tiny_model), "PYTHONIOENCODING": "ascii"}, "search", "日本 bread", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["query"] == "?? bread"
    assert os.linesep not in json.loads(done.stdout)["query"]


def test_the_version_is_told(tmp_path: Path, tiny_model: Path) -> None:
    told = tandem(environment(tmp_path, tiny_model), "--version")
    assert (told.returncode, told.stdout) == (0, f"tandem {version('tandem-search')}\n")
