"""The report on a training: the answer first, consistent with the verdict, and safe to open whatever it was made of."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from tests.test_report import COMPARISON, CONTRAST, EVIL, REPORT, evil_report
from trainer.findings import Contrast, Verdict
from trainer.report.training import training_html, training_json
from trainer.report.training_story import headline, how_sure, was_it_worth_it, what_it_cost, what_next
from trainer.training.canary import Canary
from trainer.training.findings import KEEP_THE_BASE, Choice, PairCounts, TrainingReport
from trainer.training.learning_curve import CurvePoint

FORGOT = replace(CONTRAST, effect=-0.04, low=-0.06, high=-0.02)
HELD = replace(CONTRAST, effect=-0.002, low=-0.006, high=0.002)
GAIN = replace(CONTRAST, effect=0.06, low=0.04, high=0.08)
FOUND = TrainingReport(
    report=replace(REPORT, comparisons=(COMPARISON,)),
    embedding=replace(COMPARISON, a="embedding@base", b="embedding@tuned", contrast=GAIN),
    base="base",
    version="tuned",
    method="full",
    choice=Choice(0.5, {"0": 0.41, "0.5": 0.45, "1": 0.44}, [(0, 0.41), (20, 0.43), (40, 0.44)], 80),
    pairs=PairCounts(
        sources={"human": 400, "mined:title": 900},
        dropped={"longer than 15 words": 12},
        left_out={"of a document that test queries want": 40},
        held_out="the newest groups of documents",
        concerns=("400 pairs are few.",),
        choosing=60,
    ),
    curve=(
        CurvePoint(0.25, 325, 0.42, 0.01, 0.004, 0.5, 60.0),
        CurvePoint(0.5, 650, 0.43, 0.02, 0.004, 0.5, 120.0),
        CurvePoint(1.0, 1300, 0.45, 0.04, 0.004, 0.5, 240.0),
    ),
    canary=Canary("Python's standard library", 0.6, 0.598, HELD, 0.01),
    seconds={"pairs": 30.0, "fine-tuning": 420.0, "embedding": 61.0},
    pairs_per_s=3.4,
    device="CPU, 2 threads",
    settings={"epochs": 3},
)
KEPT = replace(
    FOUND,
    report=replace(REPORT, comparisons=()),
    embedding=None,
    version="",
    choice=Choice(0.0, {"0": 0.41, "1": 0.40}, [], 80),
    canary=None,
    curve=(),
)


def with_verdict(verdict: Verdict, contrast: Contrast = CONTRAST) -> TrainingReport:
    compared = replace(COMPARISON, verdict=verdict, contrast=contrast)
    return replace(FOUND, report=replace(REPORT, comparisons=(compared,)))


def test_better_and_nothing_forgotten_is_worth_it_and_may_be_promoted() -> None:
    assert FOUND.verdict == "better"
    assert FOUND.may_be_promoted
    assert headline(FOUND) == "Worth it: hybrid search ranks better with the tuned model"
    assert next(what_next(FOUND)).startswith("Promote it: `tandem models promote tuned`")


def test_on_mined_queries_alone_the_answer_says_so() -> None:
    mined = replace(FOUND, report=replace(FOUND.report, sources={"mined:title": 300}))
    assert headline(mined) == "Worth it on mined queries: hybrid search ranks better with the tuned model"
    assert "Of 300 queries that judge, 300 are mined: none of them was asked by a reader." in list(how_sure(mined))


def test_what_forgets_too_much_is_not_promoted_however_good_it_is_here() -> None:
    assert FOUND.canary is not None
    forgot = replace(FOUND, canary=replace(FOUND.canary, contrast=FORGOT))
    assert not forgot.may_be_promoted
    assert headline(forgot).startswith("Not yet: better here, but")
    assert any("vetoes a promotion" in said for said in was_it_worth_it(forgot))
    assert not any("models promote" in said for said in what_next(forgot))


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (Verdict.WORSE, "Not worth it: hybrid search ranks worse with the tuned model"),
        (Verdict.NO_DIFFERENCE, "Not worth it: fine-tuning makes no difference worth having to hybrid search"),
        (Verdict.CANNOT_TELL, "Not proven: nobody can tell yet whether fine-tuning pays here"),
    ],
)
def test_anything_but_better_keeps_the_base(verdict: Verdict, answer: str) -> None:
    found = with_verdict(verdict)
    assert headline(found) == answer
    assert not found.may_be_promoted
    said = list(what_next(found))
    assert said[0].startswith("Keep hybrid@base (A)")
    assert said[-1] == "Tune the fusion, which costs minutes: `tandem tune`."


def test_where_no_weight_was_better_the_base_is_kept_and_nothing_was_compared() -> None:
    assert KEPT.verdict == KEEP_THE_BASE
    assert headline(KEPT).startswith("Not worth it: nothing that was tuned ranked better")
    assert next(what_next(KEPT)) == "Leave it: keep base."
    body = training_json(KEPT)
    assert (body["lambda"], body["comparison"], body["version"], body["canary"]) == (0.0, None, None, None)


def test_pairs_whose_answers_nothing_finds_are_told_to_be_wrong() -> None:
    wrong = replace(KEPT, choice=replace(KEPT.choice, by_weight={"0": 0.011, "1": 0.009}, is_chance=True))
    assert headline(wrong) == "Not worth it: the pairs look wrong, for chance would find their answers as well"
    assert "clearly better than chance would: base is kept" in next(was_it_worth_it(wrong))
    assert any("tandem pairs stats" in said for said in what_next(wrong))
    assert not any("tandem pairs stats --samples" in said for said in what_next(KEPT))


def test_a_gain_that_keywords_had_already_is_told() -> None:
    small = replace(CONTRAST, effect=0.02)
    assert any("keywords knew" in said for said in was_it_worth_it(with_verdict(Verdict.BETTER, small)))


def test_the_cost_is_told_step_by_step() -> None:
    first, second, *_ = what_it_cost(FOUND)
    assert first == "8 min 31 s on CPU, 2 threads: pairs 30 s, fine-tuning 7 min 0 s, embedding 1 min 1 s."
    assert second == "Fine-tuning went through 3.4 pairs a second."
    assert list(what_it_cost(replace(FOUND, method="adapter")))[-1].startswith("The passages keep their vectors")


def test_many_dropped_pairs_lead_to_the_documents() -> None:
    dropped = replace(FOUND, pairs=replace(FOUND.pairs, dropped={"bare": 2000}))
    assert any("2000 of 3400 possible pairs were dropped while mining" in said for said in what_next(dropped))


def test_the_page_is_well_formed_and_answers_first() -> None:
    for found in (FOUND, KEPT):
        page = ElementTree.fromstring(training_html(found).encode())
        titles = [heading.text for heading in page.iter("h2")]
        assert titles[:5] == [
            "Was it worth it?",
            "Would more pairs help?",
            "What it was trained on",
            "How much of the tuned model",
            "What it forgot",
        ]
        assert [heading.text for heading in page.iter("h1")] == [headline(found)]


def test_nothing_in_a_training_becomes_markup() -> None:
    evil = replace(
        FOUND,
        report=evil_report(),
        version=EVIL,
        base=EVIL,
        device=EVIL,
        pairs=PairCounts({EVIL: 1}, {EVIL: 9}, {EVIL: 1}, EVIL, (EVIL,)),
        canary=Canary(EVIL, 0.5, 0.5, HELD, 0.01),
        seconds={EVIL: 5.0},
    )
    page = ElementTree.fromstring(training_html(evil).encode())
    assert not list(page.iter("script"))
    assert not list(page.iter("img"))
    assert json.dumps(training_json(evil))


def test_the_json_has_what_others_script_against() -> None:
    body = training_json(FOUND)
    assert {"version", "lambda", "verdict", "arms", "comparison", "canary", "curve", "seconds"} <= body.keys()
    assert body["comparison"]["verdict"] == body["verdict"] == "better"
    assert body["canary"]["vetoed"] is False
    assert [point["pairs"] for point in body["curve"]] == [325, 650, 1300]
    assert body["seconds"]["total"] == 511.0
