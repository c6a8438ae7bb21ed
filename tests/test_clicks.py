"""Clicks and thumbs become pairs where readers agree, and never teach what judges."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from retrieval.catalog.searches import FeedbackKind, Liked, LoggedSearch, Origin, Said
from tests.homes import Workbench, page
from tests.test_splits import GROUPS, HUMAN, pair
from trainer.mining import keep, mine_pairs
from trainer.pairs.clicks import FIRST_ONLY_WEIGHT, THUMB_WEIGHT, clicked
from trainer.pairs.offers import WEIGHTS, Drops, PairReason, PairSource
from trainer.splits import split

CLICK, UP, DOWN = FeedbackKind.CLICK, FeedbackKind.UP, FeedbackKind.DOWN
CLICKED = WEIGHTS[PairSource.CLICKS]


def liked(search: str, kind: FeedbackKind = CLICK, *, rank: int | None = 2, text: str = "red kite") -> Liked:
    return Liked(search, text, "d1", kind, rank)


@pytest.mark.parametrize(
    ("said", "weight"),
    [
        ([liked("a")], None),
        ([liked("a"), liked("a")], None),
        ([liked("a"), liked("b")], CLICKED),
        ([liked("a", text="Red  Kite"), liked("b", rank=1)], CLICKED),
        ([liked("a", rank=1), liked("b", rank=1)], FIRST_ONLY_WEIGHT),
        ([liked("a"), liked("b", text="red kites")], None),
        ([liked("a", UP)], THUMB_WEIGHT),
        ([liked("a", UP), liked("b", DOWN)], None),
        ([liked("a", UP), liked("b", UP), liked("c", DOWN)], THUMB_WEIGHT),
        ([liked("a"), liked("b"), liked("c", DOWN)], None),
    ],
)
def test_readers_have_to_agree(said: Sequence[Liked], weight: float | None) -> None:
    assert [pair.weight for pair in clicked(said, Drops())] == ([] if weight is None else [weight])


def test_what_is_not_taken_is_counted_with_its_reason() -> None:
    drops = Drops()
    assert clicked([liked("a"), liked("b", DOWN, text="blue kite")], drops) == []
    assert drops.counts == {PairReason.UNSURE.value: 1, PairReason.DISLIKED.value: 1}


def test_mining_gives_clicks_the_passage_that_answers_and_forgets_with_the_log(
    tmp_path: Path, tiny_model: Path
) -> None:
    bench = Workbench.open(tmp_path / "home", tiny_model)
    filler = "It takes patience and a steady hand every day until the whole thing goes well without a recipe. " * 3
    bench.put(page("bread.md", f"Flour and salt. {filler}", f"Yeast makes gas in the oven. {filler}", title="Loaf"))
    bench.put(page("dog.md", f"A puppy eats. {filler}"))
    searches = bench.home.catalog.searches
    for name in ("a", "b"):
        at = "2026-01-01T00:00:00+00:00"
        shown = ("dog.md", "bread.md")
        kept = LoggedSearch(name, "default", "gas of yeast", "hybrid", "m", Origin.PAGE, 10, 1, 2, shown, True, at)
        searches.put([kept])
        for document in (*shown[1:], "gone.md"):
            searches.say(Said(name, CLICK, document, 2))
    found = mine_pairs(bench.home, bench.collection)
    (mine,) = [pair for pair in found.pairs if pair.source == PairSource.CLICKS.value]
    texts = [text for batch in bench.home.catalog.chunks.all_texts(bench.collection) for text in batch]
    passage = next(t for t in texts if (t.document_id, t.chunk.position) == (mine.document, mine.position))
    assert (mine.query, mine.document, mine.weight) == ("gas of yeast", "bread.md", CLICKED)
    assert "Yeast makes gas" in passage.chunk.text
    keep(bench.home, bench.collection, found)
    assert bench.home.catalog.pairs.counts(bench.collection)["mined:clicks"] == 1
    searches.forget("2026-02-01")
    keep(bench.home, bench.collection, mine_pairs(bench.home, bench.collection))
    assert "mined:clicks" not in bench.home.catalog.pairs.counts(bench.collection)
    bench.close()


def test_clicks_never_train_on_what_test_queries_ask_or_want() -> None:
    asked = pair(5, "tigers: where do they sleep?", "mined:clicks")
    wanted = pair(0, "something else entirely", "mined:clicks")
    others = [pair(number, source="mined:clicks") for number in range(6, 40)]
    found = split([asked, wanted, *others], HUMAN, GROUPS, seed=0)
    used = {one.query for one in (*found.train, *found.dev)}
    assert asked.query not in used
    assert wanted.query not in used
    assert found.left_out["asked in nearly the same words by a test query"] == 1
    assert found.left_out["of a document that test queries want"] == 1
