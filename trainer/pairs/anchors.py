"""Queries in the words of links: the anchor, or the sentence around one that says too little."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from retrieval.types import Link
from trainer.known_items.candidates import Candidate, Source
from trainer.known_items.objections import Judge, Reason, strings_of
from trainer.known_items.shapes import cleaned, is_relative, points_elsewhere
from trainer.pairs.material import Material
from trainer.pairs.offers import Drops, Offer, PairReason, PairSource
from trainer.pairs.placing import heading_of, position_of_heading

LEAST_WORDS, MOST_WORDS = 4, 25
LEAST_TOLD = 3
"""Words of content that a sentence must have in common with the passage."""

_TOO_THIN = (Reason.BARE, Reason.THIN, Reason.COMMON, Reason.POINTING, Reason.CLAUSE, Reason.FOREIGN)
"""What may be wrong with an anchor, and not with the sentence around it."""
_FUNCTIONAL = (Reason.BARE, Reason.THIN, Reason.POINTING)
_SENDS = (
    r"(?:please|also|just|simply|you|we|i|can|may|will|should|could|to|['’]ll|\s)*"
    r"\b(?:read|see|check|follow|consult|refer|have a look|take a look|look|visit|find|learn|click|go|head|continue)\b"
    r"|(?:as|like)\s+(?:\w+\s+)?(?:explained|described|said|shown|seen|mentioned|discussed|saw|announced)\b"
    r"|(?:explained|described|documented|discussed|covered|shown)\s+in\b"
)
"""How a clause begins that sends its reader somewhere."""
_OF_ITS_TIME = re.compile(
    r"^\w+ly,|\b(?:previous|previously|prior|last|later|earlier|recent|recently|following|next|today|yesterday|ago|soon|now"
    r"|this|these|those|here|above|below|announced?|announces|announcement|post|posts|blog|page|link|section|chapter"
    r"|docs|documentation|tutorial|guide|articles?|mentioned|discussed|wrote|written|said|talked|update[ds]?|series"
    r"|since|has|have|had|was|were|been|did|became|thanks?|i|(?:19|20)\d\d|january|february|april|june|july|august|september|october|november|december)\b",
    re.IGNORECASE,
)


class Anchors:
    """Offers what links say of their targets."""

    def __init__(
        self, material: Material, judge: Judge, linked: Sequence[tuple[Candidate, Link]], drops: Drops
    ) -> None:
        """Take every link to another document, with what its anchor asks."""
        self._material = material
        self._judge = judge
        self._drops = drops
        links: dict[Candidate, list[Link]] = defaultdict(list)
        for candidate, link in linked:
            links[candidate].append(link)
        self._links: Mapping[Candidate, Sequence[Link]] = links

    def offers(self) -> Iterator[Offer]:
        """Yield a query for each anchor that names its target, and for sentences that do; note the others."""
        for candidate, links in self._links.items():
            objection = self._objection(candidate)
            if objection is None:
                offers = self._placed(candidate, PairSource.ANCHOR, links[:1])
            elif objection in _TOO_THIN:
                offers = [offer for link in links for offer in self._of_sentence(candidate, link)]
            else:
                offers = []
            yield from offers
            if not offers:
                self._drops.add(_reason(objection), candidate.text)

    def _objection(self, candidate: Candidate) -> Reason | None:
        objection = self._judge.objection(candidate)
        is_word = " " not in candidate.text and not self._material.words.has_identifier(candidate.text)
        return Reason.THIN if objection is None and is_word else objection

    def _of_sentence(self, candidate: Candidate, link: Link) -> list[Offer]:
        told = sentence_candidate(candidate, link)
        if told is None or not self._judge.names_target(told):
            return []
        return [offer for offer in self._placed(told, PairSource.SENTENCE, [link]) if self._is_told(offer)]

    def _placed(self, candidate: Candidate, source: PairSource, links: Sequence[Link]) -> list[Offer]:
        found = ((link, self._position(candidate, link)) for link in links)
        strings = strings_of(candidate)
        return [
            Offer(candidate.text, source, candidate.place, position, strings)
            for _, position in found
            if position is not None
        ]

    def _position(self, candidate: Candidate, link: Link) -> int | None:
        """Return the section that the link's fragment names, unless the anchor names the page: then where it begins."""
        document, chunks = self._material.documents[candidate.place], self._material.chunks[candidate.place]
        words = self._material.words
        if "#" not in link.target or words.content(candidate.text) <= words.content(document.title):
            return chunks[0].chunk.position
        heading = heading_of(document, link.target)
        return None if heading is None else position_of_heading(chunks, heading)

    def _is_told(self, offer: Offer) -> bool:
        """Tell whether a passage is about what a sentence says, going by the words of content that both have."""
        chunk = self._material.chunks[offer.place][offer.position]
        words = self._material.words
        content = words.content(offer.query)
        shared = content.intersection(words.counts(chunk.chunk.embedding_text(chunk.title)))
        return len(shared) >= LEAST_TOLD and 2 * len(shared) >= len(content)


def sentence_candidate(candidate: Candidate, link: Link) -> Candidate | None:
    """Return what the sentence of a link asks of its target, if it means something outside its text."""
    said = sentence_of(link)
    words = len(said.split())
    if not LEAST_WORDS <= words <= MOST_WORDS or words <= len(link.anchor.split()):
        return None
    if points_elsewhere(said) or is_relative(said) or _OF_ITS_TIME.search(said):
        return None
    return Candidate(said, said, Source.ANCHOR, candidate.place)


def sentence_of(link: Link) -> str:
    """Return what the sentence of a link says of its target, without the clause that sends the reader there."""
    anchor = re.escape(" ".join(link.anchor.split()))
    if not anchor:
        return ""
    clause = rf"(?:^|[,;:(—–-]|\.\s|\b(?:and|so|but)\b)\s*(?:{_SENDS})[^,;]*?{anchor}[^,;]*"
    return cleaned(re.sub(clause, " ", " ".join(link.sentence.split()), flags=re.IGNORECASE))


def _reason(objection: Reason | None) -> Reason | PairReason:
    if objection is None:
        return PairReason.UNPLACED
    return PairReason.FUNCTIONAL if objection in _FUNCTIONAL else objection
