"""Words as readers type them, for the spelling vocabulary."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A token of a query, folded but not stemmed, at text[start:end].

    It is known to a corpus whose vocabulary has `text`, or has all of `parts` (none for a plain word).
    """

    text: str
    start: int
    end: int
    parts: tuple[str, ...] = ()
