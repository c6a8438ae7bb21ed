"""What is wrong with an offer beside others: asked of several documents, asked already, one of too many."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from trainer.known_items.candidates import Candidate, Source
from trainer.known_items.masks import masked, word_count
from trainer.known_items.objections import LEAST_LEFT, Judge, Reason
from trainer.pairs.material import Material
from trainer.pairs.offers import Drops, Offer, PairReason, PairSource
from trainer.pairs.passages import passage_of

MOST_OF_GROUP: Final = 60
"""Pairs of one document and its near copies: one book among notes must not be all that a model learns from."""
LEAST_LEFT_OF_SIGNATURE: Final = 3
"""Distinct terms left of a function whose docstring is masked: its signature is answer enough."""

_RANK = {source: rank for rank, source in enumerate(PairSource)}
_Objection = Callable[[Offer], Reason | PairReason | None]


class Sieve:
    """Keeps the offers that have a passage of their own to lead to, and remembers what was asked."""

    def __init__(self, material: Material, judge: Judge, drops: Drops) -> None:
        self._material = material
        self._judge = judge
        self._drops = drops
        self._claims: dict[frozenset[str], set[str]] = defaultdict(set)
        self._asked: set[tuple[str, frozenset[str]]] = set()

    def sifted(self, offers: Iterable[Offer], *, seed: int) -> list[Offer]:
        """Return the offers without an objection; where there are too many of a document, `seed` draws.

        The strings of an offer then have the headings that its query names, too.
        """
        hidden = [self._with_headings(offer) for offer in offers]
        answered = self._kept(hidden, self._is_barren)
        for offer in answered:
            self._claims[self._key(offer)].add(self._group(offer))
        single = self._kept(answered, self._is_ambiguous)
        chance = random.Random(seed)  # noqa: S311 - a sample, no secret
        shuffled = chance.sample(single, len(single))
        ordered = sorted(shuffled, key=lambda offer: _RANK[offer.source])
        distinct = self._kept(ordered, self._is_repeated)
        return self._kept(distinct, self._is_too_much())

    def _kept(self, offers: Iterable[Offer], objection: _Objection) -> list[Offer]:
        kept: list[Offer] = []
        for offer in offers:
            reason = objection(offer)
            if reason is None:
                kept.append(offer)
            else:
                self._drops.add(reason, offer.query)
        return kept

    def _with_headings(self, offer: Offer) -> Offer:
        """Hide the title and the headings of a passage that stand in its query whole; a single word is no name."""
        text = self._material.chunks[offer.place][offer.position]
        names = (text.title, *text.chunk.headings)
        named = [name for name in names if word_count(name) > 1 and masked(offer.query, [name]) != offer.query]
        return replace(offer, strings=tuple(dict.fromkeys([*offer.strings, *named])))

    def _is_barren(self, offer: Offer) -> PairReason | None:
        text = self._material.chunks[offer.place][offer.position]
        passage, words = passage_of(text, offer.strings), self._material.words
        least = LEAST_LEFT_OF_SIGNATURE if offer.source is PairSource.DOCSTRING else LEAST_LEFT
        is_barren = len(words.counts(passage.chunk.text)) < least
        return PairReason.BARREN if is_barren else None

    def _is_ambiguous(self, offer: Offer) -> PairReason | None:
        return PairReason.AMBIGUOUS if len(self._claims[self._key(offer)]) > 1 else None

    def _is_repeated(self, offer: Offer) -> PairReason | None:
        asked = self._group(offer), self._key(offer)
        if asked in self._asked:
            return PairReason.REPEATED
        self._asked.add(asked)
        return None

    def _is_too_much(self) -> _Objection:
        crowded = self._judge.is_crowded()
        counts: Counter[str] = Counter()

        def objection(offer: Offer) -> Reason | None:
            group = self._group(offer)
            if counts[group] >= MOST_OF_GROUP:
                return Reason.ENOUGH
            reason = crowded(Candidate(offer.query, offer.query, Source.HEADING, offer.place))
            counts[group] += reason is None
            return reason

        return objection

    def _group(self, offer: Offer) -> str:
        return self._material.groups[offer.place]

    def _key(self, offer: Offer) -> frozenset[str]:
        return self._material.words.key(offer.query)
