"""What docs/api.md shows, runs: every command and every program, one after the other against one service."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import REPOSITORY, opened_home
from tests.live import live

SHOWN = "http://127.0.0.1:8080"
PAGE = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def address(tmp_path: Path, tiny_model: Path) -> Iterator[str]:
    home = opened_home(tmp_path / "home", tiny_model)
    with live(home) as address:
        yield address
    home.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples use curl")
def test_every_example_runs(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = []
    for language, code in EXAMPLES:
        code = code.replace(SHOWN, address)
        if language == "python":
            exec(compile(code, "docs/api.md", "exec"), {})
            continue
        checked = code.replace("curl ", "curl --silent --show-error --fail-with-body ")
        done = subprocess.run(["sh", "-euc", checked], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (code, done.stdout, done.stderr)
        said.append(done.stdout)
    assert len(EXAMPLES) >= 8
    everything = "".join(said)
    for expected in ('"kept":2', '"pets/guide/puppies.md"', '"deleted":1', "304", '"kept":1'):
        assert expected in everything
