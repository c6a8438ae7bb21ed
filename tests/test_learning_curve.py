"""The learning curve's conclusion, and what is said against pairs before a training."""

from retrieval.catalog.pairs import Pair
from trainer.evaluation_set import EvaluationSet
from trainer.splits import Split
from trainer.training.learning_curve import CurvePoint, outlook
from trainer.training.pair_audit import concerns


def point(share: float, gain: float, *, error: float = 0.002, weight: float = 0.5) -> CurvePoint:
    return CurvePoint(share, round(1000 * share), 0.5 + gain, gain, error, weight, 60.0)


def test_a_last_doubling_that_paid_may_pay_again() -> None:
    said = outlook([point(1.0, 0.04), point(0.25, 0.01), point(0.5, 0.02)])
    assert said == (
        "From 500 to 1000 pairs the gain on dev went from +0.020 to +0.040: twice the pairs might bring about as much "
        "again."
    )


def test_a_last_doubling_within_the_noise_decides_nothing() -> None:
    assert "within the noise" in outlook([point(0.5, 0.02, error=0.02), point(1.0, 0.03, error=0.02)])


def test_a_flat_curve_says_that_more_pairs_hardly_help() -> None:
    assert outlook([point(0.5, 0.03), point(1.0, 0.031)]).endswith("more pairs of these kinds will hardly help.")


def test_where_the_base_is_kept_more_pairs_do_not_help() -> None:
    kept = [point(0.5, 0.0, weight=0.0), point(1.0, 0.0, weight=0.0)]
    assert outlook(kept).startswith("No weight of the tuned model was better on dev than the base, with 1000 pairs")
    assert "that is noise" in outlook([point(0.5, 0.01), point(1.0, 0.0, weight=0.0)])


def test_one_point_is_no_curve() -> None:
    assert outlook([point(1.0, 0.03)]) == outlook([point(1.0, 0.0, weight=0.0)]) == outlook([]) == ""


def split_of(pairs: list[Pair], dev: int = 40) -> Split:
    return Split(pairs, pairs[:1] * dev, EvaluationSet({}, {}), {}, False, 0, {})


def test_few_pairs_all_mined_are_named() -> None:
    said = list(concerns(split_of([Pair(f"a query {n}", f"d{n}", 0, "mined:title", 1.0, f"d{n}") for n in range(20)])))
    assert said[0].startswith("20 pairs are few to train on")
    assert said[1].startswith("Every pair was mined")
    assert len(said) == 2


def test_one_document_or_source_that_has_most_pairs_is_named() -> None:
    crowd = [Pair(f"a long query {n}", "d0", 0, "mined:heading", 1.0, "d0") for n in range(400)]
    said = " ".join(concerns(split_of([*crowd, Pair("what is it", "d1", 0, "human", 1.0, "d1")])))
    assert "99 % of the pairs come from one source, mined:heading" in said
    assert "400 of the pairs are of one document or its near copies, 'd0'" in said


def test_short_queries_and_few_to_choose_by_are_named() -> None:
    said = list(concerns(split_of([Pair(f"q{n}", f"d{n}", 0, "log", 1.0, f"d{n}") for n in range(400)], dev=5)))
    assert said == [
        "100 % of the queries have fewer than 3 words.",
        "5 pairs to choose by: which weights are best on them is mostly chance.",
    ]


def test_many_pairs_of_several_sources_raise_no_concern() -> None:
    sources = ("human", "mined:title")
    pairs = [Pair(f"a query number {n}", f"d{n}", 0, sources[n % 2], 1.0, f"d{n}") for n in range(400)]
    assert list(concerns(split_of(pairs))) == []
