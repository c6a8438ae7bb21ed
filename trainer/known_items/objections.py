"""Which texts a reader would accept as a query for their document, and what is wrong with the others."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from retrieval.types import BlockKind, Document
from trainer.known_items.candidates import Candidate, Source
from trainer.known_items.masks import masked, word_count
from trainer.known_items.shapes import (
    family,
    is_address,
    is_clause,
    is_name,
    is_reference,
    is_relative,
    points_elsewhere,
)
from trainer.known_items.words import Words

MOST_WORDS, MOST_CHARACTERS = 15, 150
MOST_WORDS_OF_ANCHOR = 8
LEAST_LEFT = 10
"""Distinct terms that a document must have left once the query is masked: with fewer there is nothing to find."""
COMMON, LEAST_COMMON = 0.05, 5
"""Words that stand together in more documents than this share, and this number, are no name for one of them."""
RARE, LEAST_RARE = 0.01, 2
"""A word in no more documents than this share, or this number, is query enough by itself."""
FAMILY, LEAST_FAMILY = 0.01, 3
"""So many titles that differ in numbers or dates only are kept, as a share of all documents."""
TREATED = 3
"""A document treats what a heading names if the word stands in it so often, the heading included."""

_QUESTIONS = (Source.QUESTION, Source.FAQ)
_RANKS = {Source.TITLE: 0, Source.HEADING: 2}


class Reason(StrEnum):
    """Why a text does not become a query."""

    ADDRESS = "an address"
    LONG = "longer than 15 words"
    BARE = "a heading that any document may have"
    THIN = "too few words that tell anything"
    POINTING = "means something only where it stands"
    CLAUSE = "a piece of a sentence"
    FOREIGN = "not what the document that it leads to is about"
    PASSING = "touched upon in passing"
    COMMON = "its words stand together in many documents"
    AMBIGUOUS = "asked of several documents"
    REPEATED = "asked of its document already in nearly the same words"
    CROWDED = "differs from others in numbers or dates only"
    BARREN = "hardly any text is left of its document once it is masked"
    ENOUGH = "more than wanted of one document"


Objection = Callable[[Candidate], Reason | None]


class Judge:
    """Knows the words of a collection; `groups` names, for the document at each place, it and its near copies."""

    def __init__(
        self, documents: Sequence[Document], groups: Sequence[str], candidates: Iterable[Candidate], words: Words
    ) -> None:
        """Read every document once; kept is what it says in the candidates' words."""
        self._documents = documents
        self._groups = groups
        self._words = words
        self._size = len(set(groups))
        wanted = frozenset(term for one in candidates for term in words.content(one.text) | words.numbers(one.text))
        self._holders: dict[str, set[str]] = {term: set() for term in wanted}
        self._treated: list[frozenset[str]] = []
        self._distinct: list[int] = []
        for document, group in zip(documents, groups, strict=True):
            counts = words.counts(_whole(document))
            held = wanted.intersection(counts)
            for term in held:
                self._holders[term].add(group)
            self._treated.append(frozenset(term for term in held if counts[term] >= TREATED))
            self._distinct.append(len(counts))

    def objection(self, candidate: Candidate) -> Reason | None:
        """Return what is wrong with a text by itself and as a name of its document; None for nothing."""
        if is_address(candidate.text):
            return Reason.ADDRESS
        if len(candidate.text.split()) > MOST_WORDS or len(candidate.text) > MOST_CHARACTERS:
            return Reason.LONG
        if not self._informative(candidate):
            return Reason.BARE
        if not self._tells(candidate):
            return Reason.THIN
        match candidate.source:
            case Source.TITLE:
                return None
            case Source.DOCSTRING:
                return Reason.POINTING if is_reference(candidate.text) else None
            case Source.ANCHOR:
                objection = self._objection_to_anchor(candidate)
            case Source.HEADING:
                objection = self._objection_to_heading(candidate)
            case _:
                objection = Reason.POINTING if points_elsewhere(candidate.text) else None
        return objection or (Reason.COMMON if self._is_common(candidate) else None)

    def matches(self, candidate: Candidate) -> int:
        """Count the groups in which all that a candidate tells stands together."""
        fewest, *others = sorted((self._holders[term] for term in self._telling(candidate)), key=len)
        return len(fewest.intersection(*others))

    def is_barren(self, candidate: Candidate) -> Reason | None:
        """Object where the masked document has nothing left to be found by."""
        strings, content = strings_of(candidate), self._words.content(candidate.text)
        hidden = self._words.counts(" ".join(strings))
        if len(content) > 1 and self._distinct[candidate.place] - len(hidden) >= LEAST_LEFT:
            return None  # without masking: no more than the terms of the strings can go
        left = self._words.counts(masked(_whole(self._documents[candidate.place]), strings))
        is_lost = len(content) == 1 and left.keys().isdisjoint(self._informative(candidate))
        return Reason.BARREN if is_lost or len(left) < LEAST_LEFT else None

    def is_ambiguous(self, candidates: Iterable[Candidate]) -> Objection:
        """Object to what is asked of another document as well by a source that tells as much or more of it."""
        claims: dict[frozenset[str], dict[str, int]] = defaultdict(dict)
        for one in candidates:
            claimed, group = claims[self._words.key(one.text)], self._groups[one.place]
            claimed[group] = min(_rank(one), claimed.get(group, _rank(one)))

        def objection(candidate: Candidate) -> Reason | None:
            claimed, own = claims[self._words.key(candidate.text)], self._groups[candidate.place]
            has_rival = any(rank <= _rank(candidate) for group, rank in claimed.items() if group != own)
            return Reason.AMBIGUOUS if has_rival else None

        return objection

    def is_repeated(self) -> Objection:
        """Object to a wording that only takes words from one before it of the same group, or adds one to it."""
        asked: dict[str, list[frozenset[str]]] = defaultdict(list)

        def objection(candidate: Candidate) -> Reason | None:
            key, before = self._words.key(candidate.text), asked[self._groups[candidate.place]]
            if any(key <= other or (other < key and len(key - other) == 1) for other in before):
                return Reason.REPEATED
            before.append(key)
            return None

        return objection

    def is_crowded(self) -> Objection:
        """Object to the next member of a family that has had its share."""
        most = max(LEAST_FAMILY, round(FAMILY * self._size))
        counts: dict[str, int] = defaultdict(int)

        def objection(candidate: Candidate) -> Reason | None:
            name = family(candidate.text)
            counts[name] += 1
            return Reason.CROWDED if "#" in name and counts[name] > most else None

        return objection

    def _tells(self, candidate: Candidate) -> bool:
        """Tell whether there are two words of content, one of them informative, or a word that is rare or code."""
        content, informative = self._words.content(candidate.text), self._informative(candidate)
        has_name = self._words.has_identifier(candidate.text)
        if candidate.source is Source.HEADING:
            is_told = len(content) >= 2 if has_name else len(content) >= 3 and len(informative) >= 2
            return is_told and not is_name(candidate.text)
        if candidate.source in _QUESTIONS and word_count(candidate.text) < 3:
            return False
        rare = max(LEAST_RARE, RARE * self._size)
        is_rare = any(len(self._holders[term]) <= rare for term in informative)
        return len(content) >= 2 or bool(self._words.numbers(candidate.text)) or is_rare or has_name

    def _objection_to_anchor(self, candidate: Candidate) -> Reason | None:
        is_piece = len(candidate.text.split()) > MOST_WORDS_OF_ANCHOR or is_clause(candidate.text)
        if points_elsewhere(candidate.text):
            return Reason.POINTING
        if is_piece:
            return Reason.CLAUSE
        return None if self.names_target(candidate) else Reason.FOREIGN

    def _objection_to_heading(self, candidate: Candidate) -> Reason | None:
        if points_elsewhere(candidate.text) or is_relative(candidate.text):
            return Reason.POINTING
        telling = self._telling(candidate)
        return None if 3 * len(telling & self._treated[candidate.place]) >= 2 * len(telling) else Reason.PASSING

    def names_target(self, candidate: Candidate) -> bool:
        """Tell whether half of what an anchor tells stands in its target, some of it in the title or a heading."""
        document, group = self._documents[candidate.place], self._groups[candidate.place]
        telling = self._telling(candidate)
        held = [term for term in telling if group in self._holders[term]]
        return 2 * len(held) >= len(telling) and not telling.isdisjoint(self._words.counts(_topics(document)))

    def _is_common(self, candidate: Candidate) -> bool:
        return self.matches(candidate) > max(LEAST_COMMON, COMMON * self._size)

    def _informative(self, candidate: Candidate) -> frozenset[str]:
        return self._words.informative(candidate.text, of_section=candidate.source is not Source.TITLE)

    def _telling(self, candidate: Candidate) -> frozenset[str]:
        return self._informative(candidate) | self._words.numbers(candidate.text)


def strings_of(candidate: Candidate) -> tuple[str, ...]:
    """Return what to mask: the query, and the text as written where cleaning took words out of its middle."""
    has_query = re.sub(r"\W+", " ", candidate.text).strip() in re.sub(r"\W+", " ", candidate.written)
    return (candidate.text,) if has_query else (candidate.text, candidate.written)


def _rank(candidate: Candidate) -> int:
    return _RANKS.get(candidate.source, 1)


def _whole(document: Document) -> str:
    return f"{document.title}\n\n{document.text}"


def _topics(document: Document) -> str:
    return "\n".join([document.title, *(block.text for block in document.blocks if block.kind is BlockKind.HEADING)])
