"""Queries in a document's own words: its title, headings, questions and docstring."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from trainer.known_items.candidates import Candidate, Source
from trainer.known_items.objections import LEAST_RARE, RARE, Judge, Reason, strings_of
from trainer.known_items.shapes import is_relative, points_elsewhere
from trainer.pairs.material import Material
from trainer.pairs.offers import Drops, Offer, PairReason, PairSource
from trainer.pairs.placing import position_after, position_holding, position_of_heading, recurring_headings

MOST_WORDS: Final = 10
"""Of a title and a heading: nobody types more."""
ENOUGH_TOLD: Final = 3
"""So many words that tell something make a question, be they together in many documents."""
_NEEDS_TITLE = (Reason.THIN, Reason.COMMON, Reason.AMBIGUOUS, Reason.PASSING)
"""What may be wrong with a heading by itself, and not with the title before it."""
_QUESTIONS = (Source.QUESTION, Source.FAQ)
_OF_WRITER = re.compile(r"(?:how|why|what|when|where) (?:i|we)\b", re.IGNORECASE)
"""A heading that says what its writer did asks nothing."""
_BEFORE_NAME = re.compile(r"^(?:announcing|introducing|launching|using|about|welcome to)\s+(?:the\s+)?", re.IGNORECASE)
_AFTER_NAME = re.compile(r"[:,;]\s|\s[–—/|-]\s|\s\([^()]*\)$")
"""Between what a title names and what it says of it."""


class OwnWords:
    """Offers what documents ask for themselves."""

    def __init__(self, material: Material, judge: Judge, candidates: Sequence[Candidate], drops: Drops) -> None:
        """Take every candidate, the anchors too: what they ask as well is ambiguous."""
        self._material = material
        self._judge = judge
        self._drops = drops
        self._is_ambiguous = judge.is_ambiguous(candidates)
        self._candidates = [candidate for candidate in candidates if candidate.source is not Source.ANCHOR]
        self._titles = {one.place: one for one in self._candidates if one.source is Source.TITLE}
        self._rare = max(LEAST_RARE, RARE * len(set(material.groups)))
        self._undocumented = {
            one.place
            for one in self._candidates
            if one.source is Source.DOCSTRING and judge.objection(one) is Reason.POINTING
        }
        self._recurring = [recurring_headings(document) for document in material.documents]

    def offers(self) -> Iterator[Offer]:
        """Yield a query for each title, heading and docstring that makes one; note the others."""
        for candidate in self._candidates:
            offer = self._offer(candidate)
            if isinstance(offer, Offer):
                yield offer
            else:
                self._drops.add(offer, candidate.text)

    def _offer(self, candidate: Candidate) -> Offer | Reason | PairReason:
        objection = self._objection(candidate)
        if objection is not None and not (candidate.source is Source.HEADING and objection in _NEEDS_TITLE):
            return objection
        if candidate.written in self._recurring[candidate.place]:
            return PairReason.RECURRING
        position = self._position(candidate)
        if position is None:
            return PairReason.UNPLACED
        if objection is not None:
            return self._with_title(candidate, position) or objection
        return Offer(candidate.text, PairSource(candidate.source), candidate.place, position, strings_of(candidate))

    def _objection(self, candidate: Candidate) -> Reason | PairReason | None:
        objection = self._judge.objection(candidate)
        if candidate.source is Source.TITLE and candidate.place in self._undocumented:
            return PairReason.UNDOCUMENTED
        if candidate.source in _QUESTIONS and _OF_WRITER.match(candidate.text):
            return Reason.POINTING
        if candidate.source in _QUESTIONS and objection in (None, Reason.COMMON):
            objection = self._objection_to_question(candidate, is_common=objection is not None)
        return objection or self._is_ambiguous(candidate)

    def _objection_to_question(self, candidate: Candidate, *, is_common: bool) -> Reason | None:
        """Object to one telling word that is not rare, and to few that stand together in many documents."""
        told = len(self._material.words.informative(candidate.text, of_section=True))
        if told == 1 and self._judge.matches(candidate) > self._rare:
            return Reason.THIN
        return Reason.COMMON if is_common and told < ENOUGH_TOLD else None

    def _with_title(self, candidate: Candidate, position: int) -> Offer | None:
        """Return the heading after its document's title, where each tells something that the other does not."""
        title = self._titles.get(candidate.place)
        if title is None or points_elsewhere(candidate.text) or is_relative(candidate.text):
            return None
        words, heading = self._material.words, self._material.words.content(candidate.text)
        if heading <= words.content(title.text) or words.informative(title.text, of_section=False) <= heading:
            return None
        query = f"{self._short(title.text)} {candidate.text}"
        if len(query.split()) > MOST_WORDS:
            return None
        strings = tuple(dict.fromkeys([*strings_of(title), *strings_of(candidate)]))
        return Offer(query, PairSource.SECTION, candidate.place, position, strings)

    def _short(self, title: str) -> str:
        """Return a title up to its first dash, colon, comma or bracket, if that tells something."""
        first = _AFTER_NAME.split(_BEFORE_NAME.sub("", title), maxsplit=1)[0]
        return first if self._material.words.informative(first, of_section=True) else title

    def _position(self, candidate: Candidate) -> int | None:
        chunks = self._material.chunks[candidate.place]
        if candidate.source is Source.TITLE:
            return chunks[0].chunk.position
        if candidate.source is Source.DOCSTRING:
            return position_holding(chunks, candidate.text)
        position = position_of_heading(chunks, candidate.written)
        if position is None and candidate.source is Source.FAQ:
            return position_after(chunks, candidate.written)
        return position
