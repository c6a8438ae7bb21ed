"""What is doubtful about pairs before a model is trained on them: too few, too much alike, from one source."""

from collections import Counter
from collections.abc import Iterator, Sequence

from retrieval.catalog.pairs import Pair
from trainer.splits import Split

FEW = 300
"""Training pairs below which a gain is unlikely, and hard to prove."""
ONE_SOURCE = 0.8
ONE_GROUP = 0.05
SHORT_WORDS = 3


def concerns(split: Split) -> Iterator[str]:
    """Say what speaks against training on this split, a sentence each."""
    pairs = split.train
    if len(pairs) < FEW:
        yield (
            f"{len(pairs)} pairs are few to train on: a gain is unlikely. Bring clicks, or questions with documents "
            "that answer them (`tandem pairs import`)."
        )
    if pairs and all(pair.is_mined for pair in pairs):
        yield "Every pair was mined from the documents: none says how readers ask."
    yield from _one_sided(pairs)
    if len(split.dev) < FEW / 10:
        yield f"{len(split.dev)} pairs to choose by: which weights are best on them is mostly chance."


def _one_sided(pairs: Sequence[Pair]) -> Iterator[str]:
    if not pairs:
        return
    (source, most), *_ = Counter(pair.source for pair in pairs).most_common(1)
    if most > ONE_SOURCE * len(pairs) and len({pair.source for pair in pairs}) > 1:
        yield f"{100 * most // len(pairs)} % of the pairs come from one source, {source}: mixed kinds teach more."
    (group, largest), *_ = Counter(pair.group for pair in pairs).most_common(1)
    if largest > max(10, ONE_GROUP * len(pairs)):
        yield f"{largest} of the pairs are of one document or its near copies, {group!r}."
    short = sum(1 for pair in pairs if len(pair.query.split()) < SHORT_WORDS)
    if 2 * short > len(pairs):
        yield f"{100 * short // len(pairs)} % of the queries have fewer than {SHORT_WORDS} words."
