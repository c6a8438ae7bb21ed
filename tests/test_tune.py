"""Settings chosen by judged queries: adopted when queries held out prove them better, and only then."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from indexer.doctor import examine
from retrieval.catalog import CollectionConfig
from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import CatalogError, ModelError, TandemError, UsageError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.search import Searcher
from service.served import Served
from service.serving import Serving
from tests.homes import Workbench, page
from trainer import tuning_grid
from trainer.adoption import adopt, revert
from trainer.arms import Arm
from trainer.cli import add_commands
from trainer.evaluate import evaluate
from trainer.evaluation_set import EvaluationSet
from trainer.findings import Contrast, SliceResult, Verdict
from trainer.measures import measured
from trainer.significance import contrast
from trainer.tune import Fold, Tuning, choice, cross_validated, folded, judgment
from trainer.tuning_grid import Setting, grid, ndcg, scores

PRESENT = Setting(1.2, 0.75, "calibrated", 0.75)
OTHER = Setting(0.6, 0.3, "calibrated", 0.5)

PAGES = (
    page("posts/bread.md", "Bake bread. " * 3, "Flour and yeast and salt for the bread.", title="Baking"),
    page("posts/loaf.md", "A loaf is bread for one day in the kitchen with a small table.", title="The loaf"),
    page("posts/dog.md", "Puppy food. " + "A dog in the garden and at the river. " * 8, title="Puppy food"),
    page("posts/cat.md", "The cat sleeps on the bread.", title="Cats"),
    page("posts/garden.md", "Water the garden, the river garden, in the garden.", title="Garden"),
    page("posts/code.md", "The code E0425 says that a name is unknown.", title="Messages"),
)
GRADES = {page.id: 2**place for place, page in enumerate(PAGES)}
"""All differ, so that a measure tells every order from every other."""
ASKED = [
    JudgedQuery("bread", "bread for the kitchen", grades=GRADES),
    JudgedQuery("river", "garden river", grades=GRADES),
    JudgedQuery("code", "what is E0425 in bread", grades=GRADES),
    JudgedQuery("cat", "feline on a baguette", grades={**GRADES, "gone": 1}),
    JudgedQuery("lost", "stone", grades={"gone": 1}),
    JudgedQuery("mined", "Puppy food", "mined:title", masks={"posts/dog.md": ("Puppy food",)}, grades=GRADES),
]


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Iterator[Workbench]:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    bench.put(*PAGES)
    with bench.index():
        pass
    yield bench
    bench.close()


def configured(folder: Path, model: Path, setting: Setting) -> Workbench:
    """A home that had these settings from the start."""
    fresh = Workbench.open(folder, model, config=setting.within(CollectionConfig()))
    fresh.put(*PAGES)
    with fresh.index():
        pass
    return fresh


# What a setting is worth


def test_the_present_setting_comes_first_and_what_changes_less_comes_sooner() -> None:
    settings = grid(Setting(1.0, 0.75, "rrf", 0.7))
    assert settings[0] == Setting(1.0, 0.75, "rrf", 0.7)
    assert settings[1:3] == [Setting(1.0, 0.75, "calibrated", 0.7), Setting(0.9, 0.75, "rrf", 0.7)]
    assert len(set(settings)) == len(settings) == 6 * 4 * 22
    assert [str(setting) for setting in settings[:1]] == ["rrf, k1 1, b 0.75"]
    assert len(grid(PRESENT)) == 5 * 4 * 22


def test_every_setting_is_worth_what_a_home_with_it_is_evaluated_to(
    bench: Workbench, tmp_path: Path, tiny_model: Path
) -> None:
    judged = EvaluationSet.of(ASKED, "asked")
    fused = [
        Setting(1.2, 0.5, "calibrated", 0.05),
        Setting(2.0, 0.9, "calibrated", 0.0),
        Setting(2.0, 0.9, "rrf", 0.75),
    ]
    settings = [PRESENT, OTHER, *fused]
    found = scores(bench.home, bench.collection, judged, settings)
    for place, setting in enumerate(settings):
        fresh = configured(tmp_path / str(place), tiny_model, setting)
        (result,) = evaluate(fresh.home, fresh.collection, judged, [Arm("hybrid", "tiny")])
        fresh.close()
        assert dict(zip(judged.queries, found[place], strict=True)) == pytest.approx(result.values["ndcg@10"])
    assert len({tuple(row) for row in found.round(6)}) == 4  # or nothing would have been told apart
    assert bench.home.catalog.collections.get("default").config == bench.collection.config


def test_each_k1_and_b_is_announced(bench: Workbench) -> None:
    told: list[tuple[int, int]] = []
    judged = EvaluationSet.of(ASKED, "asked")
    scores(
        bench.home,
        bench.collection,
        judged,
        [PRESENT, OTHER, replace(PRESENT, fusion="rrf")],
        on_weighing=lambda done, total: told.append((done, total)),
    )
    assert told == [(0, 2), (1, 2)]


@given(
    st.permutations(range(14)).flatmap(lambda order: st.integers(0, 14).map(lambda n: order[:n])),
    st.dictionaries(st.integers(0, 20), st.integers(0, 3), min_size=1),
)
def test_ndcg_is_that_of_ir_measures(ranked: list[int], grades: dict[int, int]) -> None:
    qrels = {"q": {str(row): grade for row, grade in grades.items()}}
    run = {"q": {str(row): float(-place) for place, row in enumerate(ranked)}}
    assert ndcg(ranked, grades) == pytest.approx(measured(qrels, run).values["ndcg@10"]["q"])


# Choosing


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40), st.integers(2, 6), st.integers(0, 3))
def test_a_cluster_is_never_split_and_every_query_held_out_once(clusters: list[str], folds: int, seed: int) -> None:
    parts = folded(clusters, folds=folds, seed=seed)
    assert sorted(place for part in parts for place in part.tolist()) == list(range(len(clusters)))
    held = [{clusters[place] for place in part} for part in parts]
    assert sum(len(names) for names in held) == len(set(clusters))
    assert len(parts) == min(folds, len(set(clusters)))
    assert all(len(part) for part in parts)


def test_folds_of_single_queries_are_of_one_size_and_the_seeds_own() -> None:
    clusters = [str(place) for place in range(50)]
    parts = folded(clusters, folds=5, seed=1)
    assert [len(part) for part in parts] == [10] * 5
    assert [part.tolist() for part in parts] == [part.tolist() for part in folded(clusters, folds=5, seed=1)]
    assert [part.tolist() for part in parts] != [part.tolist() for part in folded(clusters, folds=5, seed=2)]


def test_a_gain_counts_less_one_standard_error() -> None:
    # Four queries gain .4, 0, 0, 0: mean .1, error sqrt(4 / 3 * .12) / 4 = .1, worth 0, no more than what there is.
    # The others gain .2, .1, 0, .1: mean .1, error sqrt(4 / 3 * .02) / 4 = .0408, worth .059.
    present, jumpy, steady = [0.5] * 4, [0.9, 0.5, 0.5, 0.5], [0.7, 0.6, 0.5, 0.6]
    clusters = ["a", "b", "c", "d"]
    assert choice(np.array([present, jumpy]), clusters) == 0
    assert choice(np.array([present, jumpy, steady]), clusters) == 2
    assert choice(np.array([present, steady, steady]), clusters) == 1
    assert choice(np.array([present, steady]), ["a", "b", "b", "c"]) == 1


def test_one_cluster_chooses_nothing() -> None:
    assert choice(np.array([[0.0, 0.0], [1.0, 1.0]]), ["a", "a"]) == 0
    assert choice(np.zeros((2, 0)), []) == 0


def test_queries_of_one_cluster_are_no_more_evidence_than_one() -> None:
    # The mean is .2167; its error is .180 for six clusters, and .284 when four of the queries are one.
    found = np.array([[0.0] * 6, [0.5, 0.5, 0.5, 0.5, -0.3, -0.4]])
    assert choice(found, list("abcdef")) == 1
    assert choice(found, list("aaaabc")) == 0


def test_a_query_takes_no_part_in_choosing_what_it_is_scored_with() -> None:
    # The second setting is loved by one query and does nothing for the rest: held out, it is given the first.
    found = np.zeros((2, 10))
    found[1, 3] = 1.0
    held_out = cross_validated(found, [str(place) for place in range(10)], folds=5, seed=0)
    assert held_out.differences(found).tolist() == [0.0] * 10
    found[1] = 0.2
    held_out = cross_validated(found, [str(place) for place in range(10)], folds=5, seed=0)
    assert held_out.differences(found).tolist() == [0.2] * 10


# The verdict


def gains(count: int, clusters: int, gain: float = 0.2) -> Contrast:
    return contrast([gain + place % 3 / 10 for place in range(count)], [place % clusters for place in range(count)])


def test_a_clear_gain_is_better() -> None:
    said, reasons = judgment(gains(60, 60), [], 0.01, stays=False)
    assert said is Verdict.BETTER
    assert reasons[0].startswith("Queries held out gain 0.3000 ndcg@10: the 95 % interval is +0.2")


@pytest.mark.parametrize(("count", "clusters"), [(30, 30), (100, 25)])
def test_few_queries_decide_nothing_however_clear_they_seem(count: int, clusters: int) -> None:
    said, reasons = judgment(gains(count, clusters), [], 0.01, stays=False)
    assert said is Verdict.CANNOT_TELL
    assert f"{count} queries in {clusters} unrelated groups are too few" in reasons[1]


def test_a_slice_that_gets_worse_vetoes() -> None:
    slices = [SliceResult("questions", gains(40, 40, -0.5), regressed=True)]
    said, reasons = judgment(gains(60, 60), slices, 0.01, stays=False)
    assert said is Verdict.CANNOT_TELL
    assert reasons[1] == "Worse by 0.4025 on the 40 queries of the slice 'questions'."


def test_settings_that_all_queries_together_would_keep_are_kept() -> None:
    said, reasons = judgment(gains(60, 60), [], 0.01, stays=True)
    assert (said, reasons[1]) == (Verdict.CANNOT_TELL, "All queries together choose the present settings.")


# Adoption


def tuned(before: Setting, after: Setting) -> Tuning:
    whole = gains(60, 60)
    folds = [Fold(60, after, 0.5, 0.8)]
    return Tuning(before, after, folds, 0.5, 0.8, whole, [], Verdict.BETTER, ["It is better."], 0, 440)


Hits = list[list[tuple[str, float]]]


def searched(searcher: Searcher | Served) -> Hits:
    """What each query finds, with scores rounded to what float32 can tell."""
    found = [searcher.search(Query(asked.text)).hits for asked in ASKED]
    return [[(hit.document_id, round(hit.score, 4)) for hit in hits] for hits in found]


def hits(bench: Workbench) -> Hits:
    bench.collection = bench.home.catalog.collections.get("default")
    with bench.searcher() as searcher:
        return searched(searcher)


@pytest.mark.parametrize("store", ["edge", "memory"])
def test_a_search_after_adoption_is_that_of_a_home_that_always_had_the_settings(
    bench: Workbench, tmp_path: Path, tiny_model: Path, store: str
) -> None:
    bench = bench.with_store(store)
    before = hits(bench)
    change = adopt(bench.home, bench.collection, tuned(PRESENT, OTHER), "asked", {"human": 60})
    assert (change.before, change.after, change.busy) == (PRESENT, OTHER, "")
    assert change.chunks == bench.home.catalog.chunks.lengths(bench.collection)[0]
    fresh = configured(tmp_path / "fresh", tiny_model, OTHER)
    assert hits(bench) == hits(fresh.with_store(store))
    assert hits(bench) != before
    ours, theirs = (home.catalog.moments.get_terms(bench.collection) for home in (bench.home, fresh.home))
    assert ours is not None
    assert theirs is not None
    assert ours.sums == pytest.approx(theirs.sums)
    fresh.close()


def test_adoption_is_recorded_with_its_evidence_and_can_be_reverted(bench: Workbench) -> None:
    catalog, before = bench.home.catalog, hits(bench)
    adopt(bench.home, bench.collection, tuned(PRESENT, OTHER), "asked", {"human": 60})
    record = catalog.collections.setting(bench.collection, "tuning")
    assert record["before"] == {"k1": 1.2, "b": 0.75, "fusion": "calibrated", "embedding_weight": 0.75}
    assert record["after"]["k1"] == 0.6
    assert (record["judgments"], record["sources"], record["queries"]) == ("asked", {"human": 60}, 60)
    assert record["folds"][0]["chosen"] == record["after"]
    assert {"made_at", "versions", "interval", "p", "verdict"} <= set(record)
    later = catalog.collections.get("default")
    catalog.collections.configure(later, replace(later.config, chunk_tokens=100))
    change = revert(bench.home, later)
    assert change is not None
    assert (change.before, change.after) == (OTHER, PRESENT)
    assert catalog.collections.get("default").config == replace(bench.collection.config, chunk_tokens=100)
    assert hits(bench) == before
    assert revert(bench.home, bench.collection) is None


def test_adoptions_are_reverted_one_after_the_other(bench: Workbench) -> None:
    third = replace(PRESENT, fusion="rrf")
    adopt(bench.home, bench.collection, tuned(PRESENT, OTHER), "", {})
    adopt(bench.home, bench.home.catalog.collections.get("default"), tuned(OTHER, third), "", {})
    reached = []
    while change := revert(bench.home, bench.collection):
        reached.append(change.after)
    assert reached == [OTHER, PRESENT]


def test_another_fusion_alone_leaves_the_index_as_it_is(bench: Workbench) -> None:
    newest = bench.home.catalog.changes.last_seq(bench.collection)
    change = adopt(bench.home, bench.collection, tuned(PRESENT, replace(PRESENT, fusion="rrf")), "", {})
    assert (change.chunks, change.busy) == (0, "")
    assert bench.home.catalog.changes.last_seq(bench.collection) == newest


def test_settings_changed_meanwhile_are_not_overwritten(bench: Workbench) -> None:
    bench.home.catalog.collections.configure(bench.collection, replace(bench.collection.config, b=0.5))
    with pytest.raises(CatalogError, match="'default' were changed while it was tuned; run `tandem tune` again"):
        adopt(bench.home, bench.collection, tuned(PRESENT, OTHER), "", {})
    assert bench.home.catalog.collections.get("default").config.b == 0.5
    assert revert(bench.home, bench.collection) is None


def test_a_service_takes_the_settings_over(bench: Workbench, tmp_path: Path, tiny_model: Path) -> None:
    before = hits(bench)
    fresh = configured(tmp_path / "fresh", tiny_model, OTHER)
    expected = hits(fresh)
    fresh.close()
    served_by = Home.open(bench.home.settings)
    serving = Serving(served_by)
    served = serving.of("default")
    change = adopt(bench.home, bench.collection, tuned(PRESENT, OTHER), "", {})
    assert "'default' is held by" in change.busy
    served.follow(served_by.catalog.collections.get("default"))  # what a service does every half a second
    served.apply()
    assert searched(served) == expected
    serving.stop()
    served_by.close()
    # The index still says that it was made with the old settings: going back to them must not believe it.
    revert(bench.home, bench.collection)
    assert hits(bench) == before
    with bench.index() as owner:
        assert examine(owner).is_healthy


# The command


def invoke(home: Home, *arguments: str) -> Result:
    app = typer.Typer(callback=lambda: None)
    add_commands(app)
    result = CliRunner().invoke(app, ["tune", *arguments, "--home", str(home.settings.home)])
    if isinstance(result.exception, TandemError):
        raise result.exception
    return result


SUBJECTS = {"automobile": "car", "puppy": "dog", "kitten": "cat", "loaf": "bread", "physician": "doctor"}
PLACES = ("river", "garden", "mountain", "ocean", "kitchen", "school", "bridge", "tower", "farm", "island", "office")


@pytest.fixture
def synonyms(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """Queries that say in another word what they seek, asked of a collection that looks at words alone."""
    monkeypatch.setattr(tuning_grid, "K1S", (1.2,))
    monkeypatch.setattr(tuning_grid, "BS", (0.75,))
    monkeypatch.setattr(tuning_grid, "WEIGHTS", (0.0, 0.5, 0.75))
    bench = Workbench.open(tmp_path / "home", tiny_model, config=CollectionConfig(embedding_weight=0.0))
    bench.put(*(page(f"{word}-{place}", f"{word} {place}") for word in SUBJECTS.values() for place in PLACES))
    with bench.index():
        pass
    for name, places, source in (
        ("default", PLACES, "human"),
        ("few", PLACES[:6], "human"),
        ("mined", PLACES, "mined:title"),
    ):
        queries = [
            JudgedQuery(f"{asked}-{place}", f"{asked} {place}", source, grades={f"{word}-{place}": 1})
            for asked, word in SUBJECTS.items()
            for place in places
        ]
        bench.home.catalog.judgments.put(bench.collection, name, queries)
    yield bench
    bench.close()


def test_what_proves_better_is_adopted_and_the_command_takes_it_back(synonyms: Workbench) -> None:
    home = synonyms.home
    dry = invoke(home, "--dry-run", "--judgments", "default")
    assert "Would be adopted: Queries held out gain 0." in dry.stdout
    assert home.catalog.collections.get("default").config == synonyms.collection.config
    result = invoke(home, "--judgments", "default")
    assert result.exit_code == 0
    assert "Adopted: Queries held out gain 0." in result.stdout
    assert "`tandem tune --revert` goes back." in result.stdout
    assert home.catalog.collections.get("default").config.embedding_weight > 0
    assert invoke(home, "--revert").stdout.startswith("Reverted to calibrated, embedding weight 0, k1 1.2, b 0.75; ")
    assert home.catalog.collections.get("default").config == synonyms.collection.config
    again = invoke(home, "--revert")
    assert (again.exit_code, again.stdout) == (
        0,
        "Nothing to revert: no settings of 'default' were adopted by tuning.\n",
    )


def test_json_has_the_evidence(synonyms: Workbench) -> None:
    body = json.loads(invoke(synonyms.home, "--judgments", "default", "--json").stdout)
    assert (body["adopted"], body["verdict"], body["before"]["embedding_weight"]) == (True, "better", 0.0)
    assert body["interval"][0] <= body["effect"] <= body["interval"][1]
    assert body["ndcg@10"]["after"] - body["ndcg@10"]["before"] == pytest.approx(body["effect"])
    assert body["queries"] == body["wins"] + body["ties"] + body["losses"] == 55
    assert sum(fold["queries"] for fold in body["folds"]) == 55
    assert body["sources"] == {"human": 55}
    assert json.loads(invoke(synonyms.home, "--revert", "--json").stdout)["reverted"] is True
    assert json.loads(invoke(synonyms.home, "--revert", "--json").stdout) == {"reverted": False}


def test_few_queries_are_declined_with_how_many_more_it_takes(synonyms: Workbench) -> None:
    result = invoke(synonyms.home, "--judgments", "few")
    assert result.exit_code == 0
    assert "Not adopted: " in result.stdout
    assert "30 queries in 30 unrelated groups are too few" in result.stdout
    assert "About 20 more queries of this kind would settle it." in result.stdout
    assert synonyms.home.catalog.collections.get("default").config == synonyms.collection.config


def test_one_query_is_declined_too(synonyms: Workbench) -> None:
    query = JudgedQuery("a", "automobile river", grades={"car-river": 1})
    synonyms.home.catalog.judgments.put(synonyms.collection, "one", [query])
    result = invoke(synonyms.home, "--judgments", "one")
    assert result.exit_code == 0
    assert "Not adopted: +0.0000 ndcg@10 on queries held out does not suffice" in result.stdout


def test_mined_queries_are_warned_of(synonyms: Workbench) -> None:
    result = invoke(synonyms.home, "--judgments", "mined", "--dry-run")
    assert "Warning: 55 of the 55 queries are mined: each seeks the one document it was made from" in result.stderr
    assert "mined" not in invoke(synonyms.home, "--judgments", "default", "--dry-run").stderr


def test_what_cannot_be_tuned_is_said(bench: Workbench) -> None:
    with pytest.raises(UsageError, match="--revert needs no judged queries and has no --dry-run"):
        invoke(bench.home, "--revert", "--dry-run")
    with pytest.raises(UsageError, match="--queries was given without --qrels"):
        invoke(bench.home, "--queries", "q.jsonl")
    bench.home.catalog.collections.create("unembedded", CollectionConfig())
    with pytest.raises(ModelError, match="'hybrid' means the collection's model, and it has none yet"):
        invoke(bench.home, "-c", "unembedded")
