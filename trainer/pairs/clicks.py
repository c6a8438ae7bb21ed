"""What readers chose becomes pairs: a query, and the document that its searches led to, once enough of them agree.

A click says little: people click what stands first. So a click counts where several searches in the same words lead to
the same document, and for less where none of them had to look below the first rank. A thumb says it outright.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from retrieval.analysis.folding import fold
from retrieval.catalog.searches import FeedbackKind, Liked
from trainer.pairs.files import Brought
from trainer.pairs.offers import WEIGHTS, Drops, PairReason, PairSource

LEAST_SEARCHES: Final = 2
"""Searches in the same words that have to lead to a document, where nobody gave it a thumb up."""
THUMB_WEIGHT: Final = 1.0
FIRST_ONLY_WEIGHT: Final = 0.3
"""Of a document that was only ever clicked at rank 1."""


@dataclass(slots=True)
class _Choice:
    """What was said of one document in answer to one query, however it was typed."""

    texts: Counter[str] = field(default_factory=Counter)
    clicked_in: set[str] = field(default_factory=set)
    is_below_first: bool = False
    thumbs: Counter[FeedbackKind] = field(default_factory=Counter)

    def add(self, liked: Liked) -> None:
        self.texts[liked.text] += 1
        if liked.kind is FeedbackKind.CLICK:
            self.clicked_in.add(liked.search)
            self.is_below_first |= liked.rank is not None and liked.rank > 1
        else:
            self.thumbs[liked.kind] += 1

    def objection(self) -> PairReason | None:
        """Return why this is no pair."""
        up, down = self.thumbs[FeedbackKind.UP], self.thumbs[FeedbackKind.DOWN]
        if down and down >= up:
            return PairReason.DISLIKED
        return None if up or len(self.clicked_in) >= LEAST_SEARCHES else PairReason.UNSURE

    @property
    def weight(self) -> float:
        if self.thumbs[FeedbackKind.UP]:
            return THUMB_WEIGHT
        return WEIGHTS[PairSource.CLICKS] if self.is_below_first else FIRST_ONLY_WEIGHT

    @property
    def text(self) -> str:
        """The query as it was typed most often, the first of equals."""
        return self.texts.most_common(1)[0][0]


def clicked(liked: Sequence[Liked], drops: Drops) -> list[Brought]:
    """Return the queries and documents that readers agree on; what they do not is noted in `drops`."""
    return list(_agreed(liked, drops))


def _agreed(liked: Iterable[Liked], drops: Drops) -> Iterator[Brought]:
    choices: dict[tuple[str, str], _Choice] = defaultdict(_Choice)
    for one in liked:
        choices[" ".join(fold(one.text).split()), one.document].add(one)
    for (_, document), choice in choices.items():
        if reason := choice.objection():
            drops.add(reason, choice.text)
        else:
            yield Brought(choice.text, document, PairSource.CLICKS.value, choice.weight)
