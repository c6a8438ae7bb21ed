"""Exact identifiers are never lost: documents that hold one from the query come before those that do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from retrieval.analysis import Analyzer, Identifier
from retrieval.keyword import sparse
from retrieval.stores.base import Candidate, Candidates, KeywordLeg

MAX_IDENTIFIERS = 8
MAX_FORMS = 3
"""Of an identifier's forms (a.b.c, b.c, c), how many are looked for; the first that the corpus holds counts."""
SHORT_QUERY_WORDS = 6
RARE = 20
"""In a short query an identifier leads when at most this many documents hold it..."""
RARE_SHARE = 0.01
"""...or at most this share of a large collection; beyond, it is the collection's subject and tells nothing."""
RARE_IN_PROSE = 5
"""In a longer question it is one word among others, and leads only when it is this rare (p53 stands in dozens of
abstracts and is seldom the point)."""
WHOLE_QUERY_SHARE = 0.6
"""A weak identifier (kube-apiserver) leads only when it makes up this much of the query."""


class Naming(IntEnum):
    """How a document that holds an identifier is about it."""

    MENTIONS = 1
    NAMED_BY_SUFFIX = 2
    """Its title is the identifier with more in front: to_thread -> asyncio.to_thread."""
    NAMED = 3
    """Its title is the identifier."""


@dataclass(frozen=True, slots=True)
class Leads:
    """The identifiers of one query that may lead."""

    identifiers: tuple[Identifier, ...]
    is_short: bool = True

    @classmethod
    def of(cls, analyzer: Analyzer, query: str) -> "Leads":
        """Find them in a query's text."""
        characters = max(len("".join(query.split())), 1)
        found = [
            identifier
            for identifier in analyzer.identifiers(query)
            if identifier.strong or len(identifier.surface) / characters >= WHOLE_QUERY_SHARE
        ]
        return cls(tuple(found[:MAX_IDENTIFIERS]), len(analyzer.typed(query)) <= SHORT_QUERY_WORDS)

    def legs(self) -> dict[str, KeywordLeg]:
        """Return a keyword leg for each form of each identifier, to search along with the others."""
        return {
            _leg(term): KeywordLeg(sparse({term: 1.0}))
            for identifier in self.identifiers
            for term in identifier.terms[:MAX_FORMS]
        }

    def holders(self, found: Mapping[str, Sequence[Candidate]], documents: int, *, depth: int) -> list["Holders"]:
        """Return, for each identifier that the corpus holds and that is rare enough to tell, who holds it.

        `documents` is how many there are. A leg that found `depth` passages was cut there: how many documents hold the
        term is then unknown, and it does not lead.
        """
        most = max(RARE, RARE_SHARE * documents) if self.is_short else RARE_IN_PROSE
        held: list[Holders] = []
        for identifier in self.identifiers:
            for term in identifier.terms[:MAX_FORMS]:
                if candidates := found[_leg(term)]:
                    holding = len({candidate.document for candidate in candidates})
                    if holding <= most and len(candidates) < depth:
                        held.append(Holders(term, tuple(candidates)))
                    break
        return held


@dataclass(frozen=True, slots=True)
class Holders:
    """The passages that hold a term."""

    term: str
    candidates: tuple[Candidate, ...]


def with_holders(keyword: Sequence[Candidate], held: Sequence[Holders]) -> Candidates:
    """Return the keyword leg with every holder in it: a long query's other words may have crowded one out."""
    present = {candidate.id for candidate in keyword}
    last = keyword[-1].score if keyword else 0.0
    missing = {c.id: c.document for holders in held for c in holders.candidates if c.id not in present}
    return Candidates.of([*keyword, *((key, document, last) for key, document in sorted(missing.items()))])


def tiers(analyzer: Analyzer, held: Sequence[Holders], titles: Mapping[int, str]) -> dict[int, int]:
    """Return how strongly each document leads: the more identifiers and the more it is about them, the higher."""
    strengths: dict[int, int] = {}
    for holders in held:
        for document in {candidate.document for candidate in holders.candidates}:
            naming = _naming(analyzer, holders.term, titles.get(document, ""))
            strengths[document] = strengths.get(document, 0) + naming
    return strengths


def _naming(analyzer: Analyzer, term: str, title: str) -> Naming:
    for identifier in analyzer.identifiers(title):
        if len(identifier.surface) >= WHOLE_QUERY_SHARE * len(title.strip()):
            if identifier.term == term:
                return Naming.NAMED
            if term in identifier.terms:
                return Naming.NAMED_BY_SUFFIX
    return Naming.MENTIONS


def _leg(term: str) -> str:
    return f"identifier {term}"
