"""What may become a pair, where it comes from, and why some of it does not."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_EXAMPLES = 5


class PairSource(StrEnum):
    """Where a query was mined, the most telling first."""

    CLICKS = "mined:clicks"
    FAQ = "mined:faq"
    QUESTION = "mined:question-heading"
    TITLE = "mined:title"
    ANCHOR = "mined:anchor"
    DOCSTRING = "mined:docstring"
    HEADING = "mined:heading"
    SECTION = "mined:section"
    COMMENT = "mined:comment"
    SENTENCE = "mined:anchor-sentence"
    KEYWORDS = "mined:keywords"


WEIGHTS: Final[Mapping[PairSource, float]] = {
    PairSource.CLICKS: 0.7,
    PairSource.FAQ: 1.0,
    PairSource.QUESTION: 1.0,
    PairSource.TITLE: 0.8,
    PairSource.ANCHOR: 0.8,
    PairSource.DOCSTRING: 0.8,
    PairSource.HEADING: 0.8,
    PairSource.SECTION: 0.6,
    PairSource.COMMENT: 0.6,
    PairSource.SENTENCE: 0.5,
    PairSource.KEYWORDS: 0.4,
}
"""What a pair counts beside one that a person brought, which counts 1: the less, the less it is like a typed query."""

SHORTENED: Final = frozenset({PairSource.FAQ, PairSource.QUESTION, PairSource.TITLE, PairSource.HEADING})
"""What people would say in fewer words where it is long. A docstring's sentence is too dry to lose any."""
DOUBTFUL: Final = frozenset({PairSource.COMMENT, PairSource.SENTENCE, PairSource.KEYWORDS})
"""What nobody wrote to name a passage."""


class PairReason(StrEnum):
    """Why a text does not become a pair, beside what makes it no query at all."""

    FUNCTIONAL = "an anchor that names nothing (here, next, read more)"
    UNDOCUMENTED = "a name whose documentation only refers to another"
    RECURRING = "a heading of several sections of its document"
    UNPLACED = "no passage of its document is found for it"
    BARREN = "hardly any text is left of its passage once it is masked"
    REPEATED = "asked of its document already in the same words"
    AMBIGUOUS = "asked of several documents"
    NO_COMMENT = "a comment that says nothing by itself, or is code"
    UNSURE = "clicked in too few searches to be sure"
    DISLIKED = "as many thumbs down as up"
    INCONSISTENT = "neither leg finds its passage among the first"


@dataclass(frozen=True, slots=True)
class Offer:
    """A query, the document at `place` and its chunk at `position`, and the strings that would give the query away."""

    query: str
    source: PairSource
    place: int
    position: int
    strings: tuple[str, ...]


@dataclass(slots=True)
class Drops:
    """Counts what is dropped by reason, and keeps a few texts of each."""

    counts: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: StrEnum, text: str) -> None:
        """Note that a text is dropped."""
        self.counts[reason.value] += 1
        if len(self._examples[reason.value]) < _EXAMPLES and text not in self._examples[reason.value]:
            self._examples[reason.value].append(text)

    def examples(self) -> dict[str, tuple[str, ...]]:
        """Return a few texts by reason."""
        return {reason: tuple(texts) for reason, texts in self._examples.items()}
