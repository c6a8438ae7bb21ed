"""The commands that embed, promote, roll back, show, export and delete models."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from indexer.promotion import forget
from retrieval.catalog import schema
from retrieval.home import Home
from tests.homes import REPOSITORY, Cli, Workbench, environment, page, tandem
from tests.promotion_cases import (
    NOUNS,
    PAGES,
    active,
    adapter,
    assert_no_orphans,
    judged,
    results,
    two_models,
)


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = two_models(tmp_path / "home", tiny_model)
    yield bench
    bench.close()


@pytest.fixture
def cli(bench: Workbench, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli.on(bench.home.settings.home, tiny_model, capture=capsys, patch=monkeypatch)


def test_a_model_is_embedded_promoted_and_rolled_back_by_commands(cli: Cli, bench: Workbench) -> None:
    embedded = cli("models", "embed", "other")
    assert "20 texts embedded" in embedded.out
    assert "tandem compare hybrid@tiny hybrid@other -c default" in embedded.out
    refused = cli("models", "promote", "other")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("tandem: Only a verdict `better` lets 'other' replace 'tiny'")
    assert cli("models", "promote", "other", "--force", "").code == 2
    promoted = cli("models", "promote", "other", "--force", "to see", "--json")
    assert promoted.json["from"] == "tiny"
    assert promoted.json["reason"] == "to see"
    listed = {info["version"]: info for info in cli("models", "list", "--json").json["models"]}
    assert (listed["other"]["active_in"], listed["tiny"]["previous_in"]) == (["default"], ["default"])
    assert "active in default" in cli("models", "list").out
    assert cli("search", "puppy", "--json").json["arm"] == "hybrid@other"
    back = cli("models", "rollback", "--json").json
    assert (back["to"], back["rollback"], back["unembedded"]) == ("tiny", True, 0)
    assert cli("search", "puppy", "--json").json["arm"] == "hybrid@tiny"
    assert "no promotion before it" in cli("models", "rollback").err
    assert cli("models", "embed", "other", "--json").json == {
        "version": "other",
        "collection": "default",
        "embedded": 0,
        "searchable": False,
    }
    assert cli("models", "embed", "other", "--searchable").code == 0
    assert cli("search", "puppy", "--model", "other", "--json").json["arm"] == "hybrid@other"
    assert "no vectors of 'other' any more" in cli("models", "withdraw", "other").out
    assert "--searchable" in cli("search", "puppy", "--model", "other").err


def test_show_tells_where_a_model_came_from_and_what_was_said_of_it(cli: Cli, bench: Workbench, tmp_path: Path) -> None:
    adapter(bench.home, tmp_path / "adapter")
    judged(bench.home, "adapter", "cannot tell yet", effect=0.01)
    shown = cli("models", "show", "adapter")
    assert "trained: method" in shown.out
    assert "cannot tell yet, to hybrid@tiny" in shown.out
    body = cli("models", "show", "adapter", "--json").json
    assert body["provenance"]["base"]["name"] == "tiny"
    assert body["verdicts"][0]["evidence"] == {"effect": 0.01}
    assert "hybrid@tiny" in cli("models", "list").out


def test_a_model_is_exported_and_deleted_by_commands(cli: Cli, tmp_path: Path) -> None:
    exported = cli("models", "export", "other", str(tmp_path / "out"), "--json").json
    assert Path(exported["folder"]) == tmp_path / "out"
    assert "there already" in cli("models", "export", "other", str(tmp_path / "out")).err
    assert (
        cli("models", "add", str(tmp_path / "out"), "--version", "again", "--json").json["fingerprint"]
        == (exported["fingerprint"])
    )
    assert "is deleted" in cli("models", "delete", "other").out
    assert cli("models", "delete", "again", "--json").json == {"deleted": "again", "embeddings": 0, "waiting": []}
    unknown = cli("models", "delete", "other")
    assert unknown.code == 1
    assert "there is: tiny" in unknown.err
    assert "searches with" in cli("models", "delete", "tiny", "--force").err
    for command in (["promote", "v9"], ["embed", "v9"], ["export", "v9", str(tmp_path / "x")], ["show", "v9"]):
        assert "there is: tiny" in cli("models", *command).err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_promotions_killed_at_any_moment_are_finished_by_the_same_command(bench: Workbench, tiny_model: Path) -> None:
    home, dice = bench.home, random.Random(20_261_121)
    more = [page(f"{noun}-{n}.md", f"The {noun} {n} is here.") for noun in NOUNS for n in range(60)]
    bench.put(*PAGES, *more)
    environ, before = environment(home.settings.home, tiny_model), results(home)
    killed = 0
    for _ in range(12):
        for command in (["promote", "other", "--force", "to see"], ["rollback"]):
            killed += killed_command(environ, home, "models", *command, dice=dice)
            assert active(home) in ("tiny", "other")
            assert_no_orphans(home)
            if active(home) == "tiny":
                assert results(home) == before
            wanted = "other" if command[0] == "promote" else "tiny"
            if active(home) != wanted:
                done = tandem(environ, "models", *command)
                assert done.returncode == 0, done.stderr
            assert active(home) == wanted
        assert results(home) == before
        forget(home, bench.collection, "other")
        with home.catalog.database.write() as connection:  # so that the next round embeds again
            other = home.encoder_of("other").passage_fingerprint
            connection.execute(schema.embeddings.delete().where(schema.embeddings.c.fingerprint == other))
    assert killed >= 12


def killed_command(environ: Mapping[str, str], home: Home, *arguments: str, dice: random.Random) -> bool:
    """Run a command and kill it just after one of its writes; tell whether it was still running."""
    command = [sys.executable, "-m", "service.cli", *arguments]
    log = home.settings.home / "catalog.sqlite-wal"
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=dict(environ), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        for _ in range(dice.randint(1, 15)):
            written, deadline = changed_at(log), time.monotonic() + 20
            while changed_at(log) == written and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.01))
        ran = process.poll() is None
        process.kill()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    return ran


def changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0
