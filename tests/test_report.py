"""The report: a page that people can read and nobody can turn against them, and the same content as JSON."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from trainer.findings import (
    ArmSummary,
    ChangedQuery,
    Comparison,
    Contrast,
    Cost,
    Report,
    SliceResult,
    TopHit,
    Verdict,
)
from trainer.report import SCHEMA, compare_json, html, summary, to_json
from trainer.report.markup import escaped, marked
from trainer.report.plots import averaged, shortened
from trainer.report.scale import Scale

A, B = "hybrid@base", "hybrid@tuned"
EVIL = (
    '<script>alert(\'1\')</script><img src="http://evil.example/" onerror="x"> ]]> & &amp; </style> '
    "\x00\x1b[1m\ud800\u202e"
)
NAN = math.nan
DOCS = Path(__file__).resolve().parents[1] / "docs" / "report.md"
STYLE = (Path(__file__).resolve().parents[1] / "trainer" / "report" / "report.css").read_text(encoding="utf-8")

CONTRAST = Contrast(0.0231, 0.0084, 0.0379, 0.0021, 0.0042, 0.1534, 300, 240, 118, 101, 81, 0)
LOSS = Contrast(-0.0812, -0.1301, -0.0323, 0.0011, 0.0033, -0.4, 41, 33, 6, 10, 25, 0)
MEASURES = {"ndcg@10": 0.5731, "mrr@10": 0.5412, "recall@10": 0.6911, "judged@10": 0.8312}
HITS = (
    TopHit(1, "guide/tasks", "Tasks & loops", "Run a <mark>blocking</mark> call &amp; wait &lt;here&gt;", 2),
    TopHit(2, "guide/スレッド", "", "", 0),
    TopHit(3, "guide/new", "New", "never seen", None),
)
CHANGED = ChangedQuery("q7", "how do I run a blocking call", "mined:title", 0.1312, 0.7713, HITS, HITS[1:])
COMPARISON = Comparison(
    A,
    B,
    Verdict.BETTER,
    ("B is better by 0.0231.",),
    CONTRAST,
    (SliceResult("questions", CONTRAST, False), SliceResult("identifiers", LOSS, False)),
    (CHANGED,),
    {f"q{place}": (place - 140) / 200 for place in range(300)},
)
REPORT = Report(
    collection="docs",
    documents=1402,
    chunks=6637,
    judgments="people-2026",
    sources={"human": 120, "mined:title": 180},
    judged_documents=913,
    measure="ndcg@10",
    minimum_effect=0.01,
    arms=(
        ArmSummary(B, {**MEASURES, "ndcg@10": 0.5962, "judged@10": 0.7123}, 300, 0.5561, 0.6363),
        ArmSummary(A, MEASURES, 300, 0.5312, 0.6151),
    ),
    comparisons=(COMPARISON, replace(COMPARISON, a="keyword", verdict=Verdict.CANNOT_TELL)),
    costs=(
        Cost(A, 41.27, 243.4, 1536.2, {"encode": 3.41, "keyword": 0.31, "total": 6.52}),
        Cost("keyword", None, None, 412.7, {"keyword": 0.31, "total": 0.52}),
        Cost(B, 41.73, 251.1, 1537.3, {"encode": 3.44, "keyword": 0.33, "total": 6.44}),
    ),
    made_at="2026-11-21T17:26:40+00:00",
    versions={"tandem-search": "0.1.0", "python": "3.11.7"},
    concerns=("3 of 913 judged documents are not in the collection.",),
)
ONE = Contrast(0.0, NAN, NAN, 1.0, 1.0, None, 1, 1, 0, 1, 0, None)
SMALL = Report(
    collection="tiny",
    documents=1,
    chunks=1,
    judgments="",
    sources={"mined:title": 1},
    judged_documents=1,
    measure="ndcg@10",
    minimum_effect=0.0,
    arms=(ArmSummary("keyword", {"ndcg@10": 1.0}, 1, NAN, NAN), ArmSummary("reference-bm25", {}, 1, NAN, NAN)),
    comparisons=(Comparison("reference-bm25", "keyword", Verdict.CANNOT_TELL, (), ONE, (), (), {"q": 0.0}),),
    costs=(Cost("keyword", None, None, NAN, {}),),
    made_at="yesterday",
    versions={},
)
BARE = replace(SMALL, arms=(), comparisons=(), costs=(), sources={})


def evil_report() -> Report:
    """REPORT with every text turned against the page."""
    hit = TopHit(1, EVIL, EVIL, f"<mark>{EVIL}", None)
    changed = ChangedQuery(EVIL, EVIL, EVIL, 0.0, 1.0, (hit,), (hit,))
    sliced = SliceResult(EVIL, LOSS, True)
    compared = Comparison(EVIL, f"{EVIL}2", Verdict.WORSE, (EVIL,), CONTRAST, (sliced,), (changed,), {EVIL: 0.5})
    return replace(
        REPORT,
        collection=EVIL,
        judgments=EVIL,
        sources={EVIL: 2, f"mined:{EVIL}": 1},
        arms=(ArmSummary(EVIL, {"ndcg@10": 0.5, EVIL: 0.1}, 300, 0.4, 0.6), *REPORT.arms),
        comparisons=(compared,),
        costs=(Cost(EVIL, 1.0, 1.0, 1.0, {EVIL: 1.0}),),
        made_at=EVIL,
        versions={EVIL: EVIL},
        concerns=(EVIL,),
    )


def many() -> Report:
    """REPORT with 5,000 queries and none shown side by side."""
    differences = {f"q{place}": math.sin(place) for place in range(5000)}
    return replace(REPORT, comparisons=(replace(COMPARISON, differences=differences, changed=()),))


REPORTS = {"full": REPORT, "small": SMALL, "bare": BARE, "evil": evil_report(), "many": many()}


def parsed(report: Report) -> Element:
    """The page, read by a parser that forgives nothing."""
    return ElementTree.fromstring(html(report).encode())


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def row_of(root: Element, table: str, heading: str) -> dict[str, str]:
    """A row of a table, by the titles of its columns."""
    place = root.find(f".//div[@id='{table}']")
    assert place is not None
    titles = [text_of(title) for title in place.findall(".//thead//th")]
    for row in place.findall(".//tbody/tr"):
        if text_of(row[0]) == heading:
            return dict(zip(titles, map(text_of, row), strict=True))
    raise AssertionError(f"{heading} heads no row of {table}")


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_page_is_well_formed_and_its_headings_skip_no_level(report: Report) -> None:
    root = parsed(report)
    levels = [int(element.tag[1]) for element in root.iter() if re.fullmatch("h[1-6]", element.tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert root.get("lang") == "en"
    assert [element.tag for element in root.findall("./body/*")] == ["header", "main", "footer"]


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_browser_s_parser_sees_the_same_elements_and_text(report: Report) -> None:
    root, lenient = parsed(report), BeautifulSoup(html(report), "lxml")
    assert [element.tag.lower() for element in root.iter()] == [tag.name.lower() for tag in lenient.find_all()]
    assert lenient.body is not None
    assert " ".join(lenient.body.get_text().split()) == text_of(root[1])


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_tables_plots_and_links_can_be_understood_without_seeing_them(report: Report) -> None:
    root = parsed(report)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for table in root.findall(".//table"):
        assert text_of(table[0])
        assert all(head.get("scope") in ("col", "row") for head in table.findall(".//th"))
        assert {len(row) for row in table.findall(".//tr")} == {len(table.findall(".//thead//th"))}
    for plot in root.findall(".//svg[@role='img']"):
        assert [element.tag for element in plot[:2]] == ["title", "desc"]
        assert all(text_of(element) for element in plot[:2])
    for element in root.iter():
        for name in ("aria-labelledby", "aria-describedby"):
            assert element.get(name, ids[0]) in ids
    assert all((link.get("href") or "")[1:] in ids for link in root.findall(".//a"))


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_page_asks_no_other_host_and_runs_nothing(report: Report) -> None:
    root = parsed(report)
    policies = [meta.get("content") for meta in root.findall(".//meta[@http-equiv]")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not re.search(r"url\(|@import|@font-face|https?:", STYLE)
    for element in root.iter():
        assert element.tag not in ("script", "img", "link", "iframe", "object", "base", "form")
        for name, value in element.attrib.items():
            assert not str(name).startswith("on")
            assert name not in ("src", "style", "srcset", "action")
            assert name != "href" or str(value).startswith("#")


def test_nothing_in_a_report_becomes_markup() -> None:
    root = parsed(evil_report())
    everything = text_of(root)
    assert {element.tag for element in root.iter()} <= {element.tag for element in parsed(REPORT).iter()}
    assert everything.count("<script>alert('1')</script>") > 20
    assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\u202e]", everything)
    assert html(REPORT).count("<mark>") == html(REPORT).count("</mark>") > 0


PIECES = ("<mark>", "</mark>", "<", ">", "&amp;", "& ", "b", "</p>", "\x00", "\u202e", "字")


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_an_excerpt_keeps_its_words_and_no_tag_but_its_marks(excerpt: str) -> None:
    root = ElementTree.fromstring(f"<p>{marked(excerpt)}</p>")
    assert {element.tag for element in root.iter()} <= {"p", "mark"}
    assert not root.findall(".//mark//mark")
    words = excerpt.replace("<mark>", "").replace("</mark>", "")
    shown = "".join(root.itertext())
    assert shown == words.replace("&amp;", "&").replace("\x00", "\ufffd").replace("\u202e", "\ufffd")


def test_text_that_is_escaped_already_is_not_escaped_again() -> None:
    assert marked("a &amp; b &lt;i&gt; <i>") == "a &amp; b &lt;i&gt; &lt;i&gt;"
    assert escaped(escaped("<")) == "&lt;"


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_json_has_finite_numbers_only(report: Report) -> None:
    body = to_json(report)
    assert body["schema"] == SCHEMA == "tandem-report/1"
    assert json.loads(json.dumps(body, allow_nan=False)) == body


def test_what_is_not_a_number_is_null_in_the_json_and_missing_on_the_page() -> None:
    body = to_json(SMALL)
    assert body["arms"]["keyword"]["interval"] == [None, None]
    assert body["comparisons"][0]["interval"] == [None, None]
    assert row_of(parsed(SMALL), "arms-table", "keyword")["95 % interval"] == "n/a"
    assert "nan" not in text_of(parsed(SMALL)).lower()


def test_page_and_json_agree_on_every_arm() -> None:
    root, body = parsed(REPORT), to_json(REPORT)
    titles = {"ndcg@10": "nDCG@10", "mrr@10": "MRR@10", "recall@10": "recall@10", "judged@10": "judged@10"}
    for arm, values in body["arms"].items():
        row = row_of(root, "arms-table", arm)
        for measure, title in titles.items():
            assert row[title].strip("★ ").removesuffix(" (highest)") == f"{values[measure]:.3f}"
        assert row["95 % interval"] == "{:.3f} to {:.3f}".format(*values["interval"])
        assert row["Queries"] == f"{values['queries']}"


def shown_contrast(values: dict[str, float | None]) -> dict[str, str]:
    """How a table should show a contrast of the JSON."""

    def points(value: float) -> str:
        return f"{100 * value:+.2f}".replace("-", "−")

    low, high = values["interval"]  # type: ignore[misc]  # the one value that is a pair
    d_z = values["d_z"]
    return {
        "Effect, points": points(values["effect"] or 0),
        "95 % interval, points": f"{points(low)} to {points(high)}",
        "p": f"{values['p']:.3f}",
        "p after Holm": f"{values['adjusted_p']:.3f}",
        "d_z": f"{d_z:.2f}".replace("-", "−"),
        "Queries": f"{values['queries']}",
        "Groups": f"{values['clusters']}",
        "Better / tied / worse": f"{values['wins']} / {values['ties']} / {values['losses']}",
        "More queries needed": f"{values['more_queries']}",
    }


def test_page_and_json_agree_on_every_comparison_and_slice() -> None:
    root, body = parsed(REPORT), to_json(REPORT)
    for place, compared in enumerate(body["comparisons"]):
        row = row_of(root, "contrasts-table", f"{compared['b']} against {compared['a']}")
        assert compared["verdict"] in row["Verdict"]
        assert shown_contrast(compared).items() <= row.items()
        for name, values in compared["slices"].items():
            assert shown_contrast(values).items() <= row_of(root, f"slices-{place}", name).items()
        assert len(compared["differences"]) == compared["queries"] == 300


def test_page_and_json_agree_on_every_cost() -> None:
    root, body = parsed(REPORT), to_json(REPORT)
    for arm, cost in body["cost"].items():
        row = row_of(root, "cost-table", arm)
        shown = {
            "Encoding, s per 1,000 chunks": cost["encode_s_per_1000_chunks"],
            "Embedding the collection, s": cost["embed_corpus_s"],
            **{f"Query p50, {stage}, ms": cost["query_p50_ms"].get(stage) for stage in ("encode", "keyword", "total")},
        }
        for title, value in shown.items():
            assert row[title] == ("n/a" if value is None else f"{value:.1f}")
        assert row["Bytes per chunk"] == f"{cost['bytes_per_chunk']:,.0f}"


def test_page_and_json_agree_on_changed_queries_and_on_what_was_measured() -> None:
    root, body = parsed(REPORT), to_json(REPORT)
    everything = text_of(root)
    (query,) = body["comparisons"][0]["changed"]
    details = root.findall(".//details")[0]
    for said in (query["text"], query["source"], query["query"], "0.131 → 0.771", "▲ +64.01"):
        assert said in text_of(details)
    lists = details.findall(".//ol")
    for hits, shown in zip((query["a_hits"], query["b_hits"]), lists, strict=True):
        assert [int(item.get("value") or 0) for item in shown] == [hit["rank"] for hit in hits]
        assert all(hit["document"] in text_of(item) for hit, item in zip(hits, shown, strict=True))
    grades = [text_of(grade) for grade in lists[0].findall(".//span[@class]") if "grade" in (grade.get("class") or "")]
    assert grades == ["✓ relevant, grade 2", "not relevant (0)", "never judged"]
    assert query["a_hits"][0]["excerpt"] in html(REPORT)
    for said in ("1,402", "6,637", "913", "people-2026", "3.11.7", *body["concerns"]):
        assert said in everything
    for part in ("found", "next", "unknown"):
        for sentence in body["summary"][part]:
            assert sentence.replace("`", "") in everything.replace("\xa0", " ")


def test_a_document_says_where_the_other_arm_ranks_it() -> None:
    first, second, *_ = parsed(REPORT).findall(".//details//ol/li")
    assert "not among B's first" in text_of(first)
    assert "B: rank 2" in text_of(second)


def test_the_best_value_of_a_measure_is_told_without_colour_and_ties_are_none() -> None:
    root = parsed(REPORT)
    assert row_of(root, "arms-table", B)["nDCG@10"] == "★ 0.596 (highest)"
    assert row_of(root, "arms-table", A)["nDCG@10"] == "0.573"
    assert row_of(root, "arms-table", A)["MRR@10"] == row_of(root, "arms-table", B)["MRR@10"] == "0.541"
    assert "★" not in row_of(root, "arms-table", A)["judged@10"]


@pytest.mark.parametrize(
    ("verdict", "headline", "next_step"),
    [
        (Verdict.BETTER, f"{B} ranks better than {A}", f"Use {B} (B) in place of {A} (A), if its cost suits you."),
        (Verdict.WORSE, f"{B} ranks worse than {A}", f"Keep {A} (A)."),
        (
            Verdict.NO_DIFFERENCE,
            f"No difference worth having between {B} and {A}",
            f"Keep {A} (A), or take {B} (B) for its speed (6.4 ms a query against 6.5 ms); more queries would not "
            f"change this.",
        ),
        (
            Verdict.CANNOT_TELL,
            f"Cannot tell yet whether {B} ranks better than {A}",
            f"Keep {A} (A) for now, judge about 540 more queries (840 in all; `tandem judgments judge`), and compare "
            f"again. That number is a plan, not a promise: it takes the difference measured so far for the true one.",
        ),
    ],
)
def test_every_verdict_says_what_was_found_and_what_to_do_next(verdict: Verdict, headline: str, next_step: str) -> None:
    contrast = replace(CONTRAST, more_queries=540 if verdict is Verdict.CANNOT_TELL else 0)
    report = replace(REPORT, comparisons=(replace(COMPARISON, verdict=verdict, contrast=contrast),))
    said = summary(report)
    assert said.headline == headline
    assert said.next_steps[0] == next_step
    assert "+2.31 points of nDCG@10 on average over 300 queries (95 % interval +0.84 to +3.79)" in said.found[0]
    assert all((said.found, said.next_steps, said.unknown))


def test_a_difference_is_explained_by_what_it_amounts_to() -> None:
    """.0231 of nDCG@10, where second place is worth 1 / log2(3) = .6309 and first place 1: .3691 / .0231 = 15.98."""
    assert (
        "moving the one right document from second place to first would do in one query in 16."
        in summary(REPORT).found[1]
    )


def test_where_no_number_of_queries_would_settle_it_none_is_asked_for() -> None:
    contrast = replace(CONTRAST, effect=0.01, low=-0.012, high=0.032, more_queries=None)
    report = replace(REPORT, comparisons=(replace(COMPARISON, verdict=Verdict.CANNOT_TELL, contrast=contrast),))
    said = summary(report)
    assert "no number of queries within reason would settle this" in said.next_steps[0]
    assert "chance alone may bring about" in said.found[0]
    assert said.found[1].endswith("; after these queries B may truly be worse, much the same or better.")


def test_slices_that_veto_a_verdict_are_named() -> None:
    slices = (SliceResult("identifiers", LOSS, True),)
    compared = replace(COMPARISON, verdict=Verdict.CANNOT_TELL, slices=slices)
    report = replace(REPORT, comparisons=(compared,))
    said = summary(report)
    assert said.headline == f"{B} ranks better than {A} on the whole, but worse on some queries"
    assert "B is worse than A on 1 slice: identifiers (−8.12 points, 41 queries)." in said.found
    assert said.next_steps[0].startswith(f"Keep {A} (A) until B no longer loses")
    assert "1 slice regressed: identifiers." in text_of(parsed(report))
    assert to_json(report)["comparisons"][0]["slices"]["identifiers"]["regressed"] is True


def test_mined_queries_are_called_mined() -> None:
    said = summary(REPORT)
    assert (
        "Of the 300 queries, 180 are mined: made from the documents, asked by nobody (180 mined:title); the rest: "
        "120 human."
    ) in said.found
    assert "180 of 300 mined" in text_of(parsed(REPORT))
    only_mined = replace(REPORT, sources={"mined:title": 300})
    said = summary(only_mined)
    assert "All 300 queries are mined: made from the documents, asked by nobody (300 mined:title)." in said.found
    assert said.next_steps[0].startswith(f"Treat {B} (B) as promising")
    assert said.unknown[0].startswith("What people would ask. All queries are mined")
    assert to_json(only_mined)["mined_queries"] == 300
    asked = replace(REPORT, sources={"human": 300})
    assert "Of the 300 queries, none is mined (300 human)." in summary(asked).found
    assert not any("mined" in sentence for sentence in summary(asked).next_steps + summary(asked).unknown)


def test_few_judged_hits_are_said_to_be_holes() -> None:
    said = summary(REPORT)
    assert any("`tandem judgments pool`" in step and "B, 71 % have" in step for step in said.next_steps)
    assert any(sentence.startswith("Whether unjudged documents are relevant") for sentence in said.unknown)
    assert "How much B is at a disadvantage: 71 % of its first ten hits are judged, 83 % of those of A." in said.unknown


def test_costs_are_part_of_what_was_found() -> None:
    said = summary(REPORT).found
    assert "B answers half of the queries within 6.4 ms, A within 6.5 ms." in said
    assert "Embedding the whole collection takes 4 min 11 s for B and 4 min 3 s for A." in said


def test_compare_prints_b_against_a_with_what_is_needed_to_judge_it() -> None:
    body = compare_json(COMPARISON, REPORT)
    assert json.loads(json.dumps(body, allow_nan=False)) == body
    assert (body["a"], body["b"], body["verdict"], body["measure"]) == (A, B, "better", "ndcg@10")
    assert (body["effect"], body["interval"]) == (0.0231, [0.0084, 0.0379])
    assert (body["p"], body["adjusted_p"], body["d_z"]) == (0.0021, 0.0042, 0.1534)
    assert (body["queries"], body["clusters"], body["more_queries"]) == (300, 240, 0)
    assert (body["wins"], body["ties"], body["losses"]) == (118, 101, 81)
    assert (body["minimum_effect"], body["judgments"]) == (0.01, "people-2026")
    assert (body["sources"], body["mined_queries"]) == ({"human": 120, "mined:title": 180}, 180)
    assert body["judged@10"] == {A: 0.8312, B: 0.7123}
    assert list(body["cost"]) == [A, B]
    assert body["slices"]["identifiers"]["losses"] == 25
    assert body["changed"][0]["b_hits"][0]["document"] == "guide/スレッド"
    assert "differences" not in body


def keys_of(value: object) -> Iterator[str]:
    """The keys of the JSON that are the schema's own, and not names of arms, slices, queries and the like."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            named = key in ("sources", "versions", "differences", "query_p50_ms", "judged@10")
            for each in inner.values() if key in ("arms", "slices", "cost") else () if named else (inner,):
                yield from keys_of(each)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item)


def test_every_key_of_the_json_is_documented() -> None:
    documented = DOCS.read_text(encoding="utf-8")
    keys = {*keys_of(to_json(REPORT)), *keys_of(compare_json(COMPARISON, REPORT))} - set(MEASURES)
    assert keys
    assert {key for key in keys if f"`{key}`" not in documented} == set()


def test_five_thousand_queries_make_a_page_of_no_unusual_size() -> None:
    assert len(html(many()).encode()) < 80_000
    values = [place / 7 for place in range(5000)]
    columns = averaged(values, 400)
    assert len(columns) == 400
    assert sum(columns) / 400 == pytest.approx(sum(values) / 5000, abs=0.2)
    assert averaged([1.0, 0.0], 400) == [1.0, 0.0]


def test_the_effect_plot_puts_every_number_where_its_axis_says() -> None:
    plot = parsed(REPORT).find(".//svg[@aria-labelledby='effects-plot-title']")
    assert plot is not None

    def where(element: Element, name: str) -> float:
        return float((element.get(name) or "").rstrip("%"))

    axis = {float(text_of(text).replace("−", "-")): where(text, "x") for text in plot.findall(".//text")}
    (zero, at_zero), (two, at_two) = sorted(axis.items())[-2:]
    per_point = (at_two - at_zero) / (two - zero)
    expected = at_zero + (2.31 - zero) * per_point
    assert where(plot.findall(".//circle")[0], "cx") == pytest.approx(expected, abs=0.02)
    low, high = (axis[0] + value * per_point for value in (0.84, 3.79))
    interval = plot.findall(".//g/line")[0]
    assert (where(interval, "x1"), where(interval, "x2")) == pytest.approx((low, high), abs=0.03)
    (band,) = plot.findall(".//rect")
    assert where(band, "width") == pytest.approx(2 * per_point, abs=0.02)


def test_bars_stand_above_the_line_for_gains_and_below_for_losses() -> None:
    plot = parsed(REPORT).find(".//svg[@aria-labelledby='differences-0-title']")
    assert plot is not None
    win, loss = (path.get("d") or "" for path in plot.findall(".//path"))
    assert (win.count("M"), loss.count("M")) == (159, 140)
    assert all(float(top) < 84 for top in re.findall(r"V([\d.]+)h", win))
    assert all(float(top) > 84 for top in re.findall(r"V([\d.]+)h", loss))


@given(st.lists(st.floats(-1, 1), min_size=1))
def test_a_scale_holds_all_its_numbers_and_has_a_few_round_ticks(values: list[float]) -> None:
    scale = Scale.over([*values, NAN])
    assert all(3.99 <= scale.percent(value) <= 96.01 for value in values)
    assert 1 <= len(scale.ticks()) <= 7
    assert all(3.99 <= scale.percent(tick) <= 96.01 for tick in scale.ticks())


def test_a_long_name_keeps_both_its_ends() -> None:
    assert shortened("keyword") == "keyword"
    assert shortened("hybrid@" + "x" * 80 + "-v2") == "hybrid@" + "x" * 14 + "…" + "x" * 17 + "-v2"
    assert shortened("字" * 60) == "字" * 10 + "…" + "字" * 10  # each as wide as two letters


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast_ratio(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_in_both_themes(theme: int) -> None:
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", STYLE.split(":root {")[theme + 1]))
    for name in ("ink", "quiet", "accent", "win", "loss"):
        assert contrast_ratio(colours[name], colours["paper"]) >= 4.5
    assert contrast_ratio(colours["mark-ink"], colours["mark"]) >= 4.5
    assert contrast_ratio(colours["tie"], colours["paper"]) >= 3
