"""The verdict on two arms, from judged queries to what the command prints."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import ModelError, NotFound, TandemError, UsageError
from retrieval.home import Home
from tests.homes import Workbench, page
from trainer.arms import REFERENCE, Arm
from trainer.cli import add_commands
from trainer.compare import Declared, _reasons, compare
from trainer.evaluation_set import EvaluationSet
from trainer.findings import Report, Verdict
from trainer.runs import Runner
from trainer.significance import contrast

KEYWORD, EMBEDDING = Arm("keyword"), Arm("embedding", "tiny")
SUBJECTS = ("car", "dog", "cat", "doctor", "bread")
SYNONYMS = {"car": "automobile", "dog": "puppy", "cat": "kitten", "doctor": "physician", "bread": "loaf"}


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Workbench:
    """Five subjects; queries say it in another word, so that only the embedding finds them."""
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*(page(f"{subject}-page", f"All about the {subject}.", kind="page") for subject in SUBJECTS))
    with bench.index():
        pass
    queries = [
        JudgedQuery(f"{subject}-{copy}", f"{SYNONYMS[subject]} {copy}", "log", f"{subject} {copy}", grades=grades)
        for subject in SUBJECTS
        for copy in range(6)
        for grades in [{f"{subject}-page": 1}]
    ]
    bench.home.catalog.judgments.put(bench.collection, "default", queries)
    return bench


def judged_by(bench: Workbench) -> EvaluationSet:
    judged = EvaluationSet.of(bench.home.catalog.judgments.get(bench.collection, "default"), "default")
    return replace(judged, qrels={query: dict(grades) for query, grades in judged.qrels.items()})


def report_on(bench: Workbench, declared: Declared) -> Report:
    return compare(bench.home, bench.collection, judged_by(bench), declared)


def test_an_arm_is_compared_with_everything_a_sceptic_asks_for(bench: Workbench) -> None:
    report = report_on(bench, Declared([(KEYWORD, EMBEDDING)], [Arm(REFERENCE)], "default"))
    (comparison,) = report.comparisons
    contrast = comparison.contrast
    assert [arm.arm for arm in report.arms] == ["keyword", "embedding@tiny", REFERENCE]
    assert contrast.queries == 30
    assert contrast.clusters == 5  # queries that want one document are not independent
    assert contrast.wins + contrast.ties + contrast.losses == 30
    assert contrast.effect == pytest.approx(
        report.arms[1].measures["ndcg@10"] - report.arms[0].measures["ndcg@10"], abs=1e-9
    )
    assert contrast.low <= contrast.effect <= contrast.high
    assert report.sources == {"log": 30}
    assert [cost.arm for cost in report.costs] == ["keyword", "embedding@tiny"]
    assert report.costs[0].encode_s_per_1000_chunks is None
    assert (report.costs[1].embed_corpus_s or 0) > 0
    assert report.costs[1].bytes_per_chunk > 0
    changed = comparison.changed[0]
    assert abs(changed.b - changed.a) == max(abs(value) for value in comparison.differences.values())
    assert any(hit.grade == 1 for hit in changed.b_hits)


def test_two_arms_that_rank_alike_are_no_different_or_nobody_can_tell(bench: Workbench) -> None:
    report = report_on(bench, Declared([(KEYWORD, Arm(REFERENCE))]))
    contrast = report.comparisons[0].contrast
    assert contrast.effect == 0
    assert contrast.p == 1
    assert report.comparisons[0].verdict in (Verdict.CANNOT_TELL, Verdict.NO_DIFFERENCE)
    assert report.comparisons[0].changed == []


def test_more_contrasts_need_stronger_evidence(bench: Workbench) -> None:
    alone = report_on(bench, Declared([(KEYWORD, EMBEDDING)])).comparisons[0].contrast
    among = report_on(bench, Declared([(KEYWORD, EMBEDDING), (KEYWORD, Arm("hybrid", "tiny"))])).comparisons[0].contrast
    assert alone.p == among.p == alone.adjusted_p
    assert among.adjusted_p >= among.p


def test_a_pair_that_is_explored_costs_the_declared_ones_nothing_and_says_so(bench: Workbench) -> None:
    alone = report_on(bench, Declared([(KEYWORD, EMBEDDING)])).comparisons[0]
    explored = [(KEYWORD, Arm("hybrid", "tiny"))]
    main, beside = report_on(bench, Declared([(KEYWORD, EMBEDDING)], explored=explored)).comparisons
    assert main.contrast == alone.contrast
    assert beside.b == "hybrid@tiny"
    assert beside.contrast.adjusted_p == beside.contrast.p
    assert beside.reasons[-1].endswith("it decides nothing.")


def test_a_run_is_kept_until_something_changes(bench: Workbench) -> None:
    ranked: list[str] = []
    declared = Declared([(KEYWORD, EMBEDDING)], name="default")
    for _ in range(2):
        compare(bench.home, bench.collection, judged_by(bench), declared, on_arm=lambda arm: ranked.append(str(arm)))
    assert ranked == ["keyword", "embedding@tiny"]
    bench.put(page("new", "A new page about an automobile."), *())
    compare(bench.home, bench.collection, judged_by(bench), declared, on_arm=lambda arm: ranked.append(str(arm)))
    assert ranked == ["keyword", "embedding@tiny"] * 2


# The command


def invoke(home: Home, *arguments: str) -> Result:
    app = typer.Typer(callback=lambda: None)
    add_commands(app)
    result = CliRunner().invoke(app, [*arguments, "--home", str(home.settings.home)])
    if isinstance(result.exception, TandemError):
        raise result.exception
    return result


def test_json_has_the_verdict_and_its_reasons(bench: Workbench) -> None:
    result = invoke(bench.home, "compare", "keyword", "embedding", "--json")
    body = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (body["a"], body["b"], body["measure"]) == ("keyword", "embedding@tiny", "ndcg@10")
    assert body["verdict"] in list(Verdict)
    assert body["interval"][0] <= body["effect"] <= body["interval"][1]
    assert body["queries"] == body["wins"] + body["ties"] + body["losses"] == 30
    assert {"p", "slices", "cost", "reasons"} <= set(body)


def test_mined_queries_are_called_mined_in_the_terminal_too(bench: Workbench) -> None:
    mined = [
        replace(query, source="mined:title") for query in bench.home.catalog.judgments.get(bench.collection, "default")
    ]
    bench.home.catalog.judgments.put(bench.collection, "mined", mined)
    result = invoke(bench.home, "compare", "keyword", "embedding", "--judgments", "mined")
    assert "30 of the 30 queries are mined from the collection: no reader asked them." in result.stdout
    assert "What to do next:" in result.stdout
    human = invoke(bench.home, "compare", "keyword", "embedding", "--judgments", "default")
    assert "mined from" not in human.stdout


def test_a_report_is_written_as_a_page_and_as_json(bench: Workbench, tmp_path: Path) -> None:
    result = invoke(bench.home, "compare", "keyword", "hybrid", "--report", str(tmp_path / "report.html"))
    assert result.exit_code == 0
    assert "hybrid@tiny against keyword:" in result.stdout
    assert (tmp_path / "report.html").read_text().lower().startswith("<!doctype html>")
    assert json.loads((tmp_path / "report.json").read_text())["schema"] == "tandem-report/1"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["keyword", "keyword"], UsageError, "cannot be compared with itself"),
        (["keyword", "bm25"], UsageError, "is not an arm"),
        (["keyword", "embedding,hybrid"], UsageError, "names 2 arms where one is wanted"),
        (["keyword", "embedding@v9"], ModelError, "no model 'v9'"),
        (["keyword", "hybrid", "--judgments", "gone"], NotFound, "no judgment set 'gone' .there is: default"),
        (["keyword", "hybrid", "--queries", "q.jsonl"], UsageError, "--queries was given without --qrels"),
        (["keyword", "hybrid", "-c", "gone"], NotFound, "no collection 'gone'"),
        (["keyword", "hybrid", "--report", "out.json"], UsageError, "is to be a page"),
        (["keyword", "hybrid", "--report", "no/such/folder/r.html"], UsageError, "there is no folder"),
    ],
)
def test_what_cannot_be_compared_is_said(
    bench: Workbench, arguments: list[str], error: type[TandemError], message: str
) -> None:
    with pytest.raises(error, match=message):
        invoke(bench.home, "compare", *arguments)


def test_a_set_without_judgments_cannot_decide(bench: Workbench) -> None:
    bench.home.catalog.judgments.put(bench.collection, "asked", [JudgedQuery("a", "bread"), JudgedQuery("b", "car")])
    with pytest.raises(UsageError, match="'asked' has 2 queries and no judgment; `tandem judgments judge`"):
        invoke(bench.home, "compare", "keyword", "hybrid", "--judgments", "asked")
    bench.home.catalog.judgments.put(bench.collection, "empty", [])
    with pytest.raises(UsageError, match="'empty' has 0 queries"):
        invoke(bench.home, "evaluate", "--judgments", "empty")


def test_evaluate_writes_runs_that_score_the_same_elsewhere(bench: Workbench, tmp_path: Path) -> None:
    import ir_measures as ir

    result = invoke(bench.home, "evaluate", "--runs", str(tmp_path / "runs"), "--json")
    for arm, measures in json.loads(result.stdout)["arms"].items():
        run = ir.read_trec_run(str(tmp_path / "runs" / f"{arm}.trec"))  # type: ignore[no-untyped-call]  # it is not annotated
        qrels = ir.read_trec_qrels(str(tmp_path / "runs" / "qrels.trec"))  # type: ignore[no-untyped-call]  # it is not annotated
        theirs = ir.calc_aggregate([ir.nDCG @ 10, ir.R @ 100], qrels, run)
        assert (theirs[ir.nDCG @ 10], theirs[ir.R @ 100]) == (measures["ndcg@10"], measures["recall@100"])


def test_a_run_that_an_ingest_overtook_is_not_kept_as_newer(bench: Workbench) -> None:
    judged, arms = judged_by(bench), [KEYWORD, EMBEDDING]
    runner = Runner(bench.home, bench.collection, arms, judged)
    before = runner.key(KEYWORD)
    bench.put(page("new", "A new page about an automobile."))
    assert runner.key(KEYWORD) == before
    assert Runner(bench.home, bench.collection, arms, judged).key(KEYWORD) != before


def test_what_is_more_than_chance_but_too_little_is_not_called_chance() -> None:
    found = contrast([0.008] * 200 + [0.0] * 10 + [0.02] * 90, list(range(300)))
    (reason, *_) = _reasons(Verdict.CANNOT_TELL, replace(found, low=0.004, high=0.013), [], 0.01)
    assert "more than chance, but it may be less than the 0.01" in reason
    (reason, *_) = _reasons(Verdict.CANNOT_TELL, replace(found, low=-0.004, high=0.013), [], 0.01)
    assert "chance alone may bring that about" in reason
