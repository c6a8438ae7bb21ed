"""A training through the commands, nothing stood in for: from pairs to a promoted model, back, and elsewhere."""

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from retrieval.model_source import SourceModel
from tests.homes import REPOSITORY, Cli, Outcome
from tests.tiny_transformer import TOPICS, _passage, _query, build_tiny_transformer
from trainer.commands import reports
from trainer.training_set import TrainingSet

TRAINED = 46
CONTRACT = {"version", "lambda", "verdict", "arms", "comparison", "canary", "curve", "seconds", "report"}
LEARN = ("--epochs", "20", "--learning-rate", "0.005", "--batch-size", "8")
QUICK = ("--no-curve", "--budget", "0", "--canary", "none")


def write_lines(path: Path, records: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("\n".join(map(json.dumps, records)))
    return path


@pytest.fixture
def tandem(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A collection whose queries and documents share no word, judged queries, and pairs to learn from."""
    cli = Cli.on(tmp_path / "home", build_tiny_transformer(tmp_path / "base"), capture=capsys, patch=monkeypatch)
    rng = np.random.default_rng(0)
    topics = [tuple(pair) for pair in rng.permutation(list(combinations(range(TOPICS), 2))).tolist()]
    corpus = [{"_id": f"d{n}", "title": "", "text": _passage(topic, rng)} for n, topic in enumerate(topics)]
    queries = [{"_id": f"q{n}", "text": _query(topic)} for n, topic in enumerate(topics[TRAINED:], TRAINED)]
    pairs = [{"query": _query(topic), "document": f"d{n}"} for n, topic in enumerate(topics[:TRAINED])]
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{n}\td{n}\t1\n" for n in range(TRAINED, len(topics))))
    done(cli("collections", "create", "default", "--chunk-tokens", "20"))
    done(cli("ingest", str(write_lines(tmp_path / "corpus.jsonl", corpus))))
    asked = write_lines(tmp_path / "queries.jsonl", queries)
    done(cli("judgments", "import", "--queries", str(asked), "--qrels", str(qrels)))
    done(cli("pairs", "import", "--jsonl", str(write_lines(tmp_path / "pairs.jsonl", pairs))))
    return cli


def done(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.err
    return outcome


def with_the_real_model(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Bring documentation in, with the packaged model, and queries to judge by."""
    monkeypatch.delenv("TANDEM_MODEL")
    done(cli("ingest", "pydoc:json,csv,shutil,textwrap,heapq,statistics,string,tempfile,zipfile,fractions"))
    done(cli("judgments", "mine", "--limit", "30"))
    return cli


def hits(tandem: Cli) -> list[tuple[str, float]]:
    found = done(tandem("search", "ask1 ask5", "--json")).json["hits"]
    return [(hit["document"]["id"], hit["score"]) for hit in found]


@pytest.mark.slow
def test_from_pairs_to_a_promoted_model_and_back_and_on_another_machine(tandem: Cli, tmp_path: Path) -> None:
    before = hits(tandem)
    foretold = done(tandem("train", "--dry-run", "--sources", "human", *LEARN, *QUICK, "--json")).json
    assert foretold["seconds"].keys() == {"fine-tuning", "embedding"}
    assert not (tmp_path / "home" / "training" / "default" / "1").exists()
    found = done(tandem("train", "--sources", "human", *LEARN, *QUICK, "--json")).json
    assert {
        "version",
        "lambda",
        "verdict",
        "arms",
        "comparison",
        "canary",
        "curve",
        "seconds",
        "report",
    } <= found.keys()
    assert found["comparison"]["b"] == f"hybrid@{found['version']}"
    assert found["arms"][f"embedding@{found['version']}"]["ndcg@10"] > 0
    assert Path(found["report"]).is_file()
    assert hits(tandem) == before  # a training changes nothing

    force = () if found["verdict"] == "better" else ("--force", "a test")
    done(tandem("models", "promote", found["version"], *force, "--waive-canary", "a test asked none"))
    after = hits(tandem)
    assert after != before
    done(tandem("models", "rollback"))
    assert hits(tandem) == before

    exported, tuned = tmp_path / "set", tmp_path / "tuned"
    done(tandem("pairs", "export", str(exported), "--sources", "human", *LEARN))
    done(
        tandem("finetune", str(exported), str(tuned), "--base", str(tmp_path / "base"), "--home", str(tmp_path / "no"))
    )
    done(tandem("models", "add", str(tuned), "--version", "elsewhere"))
    known = {info["version"]: info["fingerprint"] for info in done(tandem("models", "list", "--json")).json["models"]}
    assert known["elsewhere"] == known[found["version"]]


@pytest.mark.slow
def test_low_rank_and_a_map_of_the_queries_go_the_same_way(tandem: Cli, tmp_path: Path) -> None:
    for method, more in (("lora", ("--learning-rate", "0.02")), ("adapter", ())):
        found = done(tandem("train", "--method", method, "--sources", "human", *QUICK, *more, "--json")).json
        assert found["method"] == method
        if found["lambda"]:
            assert f"hybrid@{found['version']}" in found["arms"]
        else:
            assert found["verdict"] == "keep the base"
    base = SourceModel.read(tmp_path / "base").recipe().fingerprint
    for info in done(tandem("models", "list", "--json")).json["models"]:
        assert info["dimensions"] == 32
        assert info["fingerprint"] == base or "-" in info["version"]


@pytest.mark.slow
def test_a_night_trains_once_and_not_again(tandem: Cli, tmp_path: Path) -> None:
    night = ("nightly", "--pair-sources", "human", *LEARN, *QUICK, "--min-new", "10", "--json")
    found = done(tandem(*night)).json
    assert found["training"]["state"] == "trained"
    assert found["training"]["comparison"]["b"] == f"hybrid@{found['training']['version']}"
    assert (found["promoted"], found["training"]["may_be_promoted"]) == (None, False)  # no canary was asked
    assert Path(found["report"]).is_file()
    (source,) = found["sources"]
    assert (source["location"], source["unchanged"]) == (str(tmp_path / "corpus.jsonl"), 1)
    again = done(tandem(*night)).json
    assert (again["training"]["state"], again["summary"]["headline"]) == (
        "not needed",
        "Nothing is new, so nothing was done",
    )
    assert not (tmp_path / "home" / "training" / "default" / "2").exists()


def test_without_judged_queries_nothing_is_trained(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli.on(tmp_path / "home", tiny_model, capture=capsys, patch=monkeypatch)
    (tmp_path / "a.md").write_text("# A page\n\nAbout bread.")
    done(cli("ingest", str(tmp_path / "a.md")))
    outcome = cli("train")
    assert outcome.code == 2
    assert "tandem judgments import" in outcome.err
    assert "tandem judgments mine" in outcome.err
    assert cli("train", "--resume").code == 2
    assert cli("train", "--method", "magic").code == 2


def test_what_nothing_can_be_trained_with_is_refused_before_anything_is_begun(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli.on(tmp_path / "home", tiny_model, capture=capsys, patch=monkeypatch)
    done(cli("ingest", str(write_lines(tmp_path / "corpus.jsonl", [{"_id": "a", "text": "About bread."}]))))
    asked = write_lines(tmp_path / "queries.jsonl", [{"_id": "q", "text": "loaf"}])
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    done(cli("judgments", "import", "--queries", str(asked), "--qrels", str(tmp_path / "qrels.tsv")))
    report = tmp_path / "report.html"
    monkeypatch.setattr(reports, "may_write", lambda path: path != report)
    for options, said in (
        (("--minimum-effect", "nan"), "it is nan; give a number"),
        (("--budget", "inf"), "it is inf; give a number"),
        (("--sources", ","), "names none; leave it out"),
        (("--dry-run", "--resume"), "leave one of them out"),
        (("--report", str(report)), "cannot be written"),
    ):
        outcome = cli("train", *options)
        assert outcome.code == 2
        assert said in outcome.err
    assert not (tmp_path / "home" / "training").exists()


@pytest.mark.slow
def test_the_real_model_goes_all_the_way_on_mined_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = with_the_real_model(Cli.on(tmp_path / "home", tmp_path, capture=capsys, patch=monkeypatch), monkeypatch)
    more = ("--max-pairs", "48", "--epochs", "1", "--batch-size", "16", "--budget", "0", "--no-curve", "--promote")
    found = done(cli("train", *more, "--json")).json
    arms = {arm.partition("@")[0] for arm in found["arms"]}
    assert arms == {"reference-bm25", "keyword", "embedding", "hybrid"}
    if found["lambda"]:
        assert found["canary"]["name"] == "Python's standard library"
        low, high = found["comparison"]["interval"]
        assert (found["verdict"] == "better") <= (low > 0)
        assert (found["verdict"] == "worse") <= (high < 0)
    active = done(cli("status", "--json")).json["collections"][0]["model"]
    assert (active == found["version"]) == found["may_be_promoted"]
    training_set = TrainingSet.read(tmp_path / "home" / "training" / "default" / "1" / "set")
    assert not (tmp_path / "home" / "training" / "default" / "1" / "tuned" / "model.safetensors").exists()
    assert 32 <= len(training_set.pairs) <= 48
    assert REPOSITORY not in Path(found["report"]).parents
