"""The real model, trained on pairs with wrong passages: in a file of its own, so that it runs beside the others."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.home import Home
from retrieval.settings import Settings
from tests.homes import Cli
from tests.test_train_whole import done, with_the_real_model, write_lines


@pytest.mark.slow
def test_the_real_model_is_left_alone_by_pairs_with_wrong_passages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs as they were mined, but each with the document of another: no version, and the report says why."""
    cli = with_the_real_model(Cli.on(tmp_path / "home", tmp_path, capture=capsys, patch=monkeypatch), monkeypatch)
    done(cli("pairs", "mine"))
    home = Home.open(Settings(home=tmp_path / "home"))
    mined = home.catalog.pairs.list(home.catalog.collections.get("default"))
    home.close()
    wrong = np.random.default_rng(0).permutation([pair.document for pair in mined]).tolist()
    shuffled = [{"query": pair.query, "document": other} for pair, other in zip(mined, wrong, strict=True)]
    lines = write_lines(tmp_path / "shuffled.jsonl", shuffled)
    done(cli("pairs", "import", "--jsonl", str(lines), "--source", "shuffled"))
    more = ("--max-pairs", "48", "--epochs", "1", "--budget", "0", "--no-curve", "--promote")
    found = done(cli("train", "--sources", "shuffled", *more, "--json")).json
    assert (found["lambda"], found["verdict"], found["version"]) == (0.0, "keep the base", None)
    assert (
        found["summary"]["headline"]
        == "Not worth it: the pairs look wrong, for chance would find their answers as well"
    )
    assert [info["version"] for info in done(cli("models", "list", "--json")).json["models"]] == ["all-MiniLM-L6-v2"]
