"""Mine pairs: what documents and links ask, and the passage that answers it, unless neither leg finds it there.

Beside these, what readers clicked and judged, where enough of them agree.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from retrieval.catalog import Collection
from retrieval.catalog.pairs import Pair
from retrieval.errors import UsageError
from retrieval.home import Home
from retrieval.types import JsonValue
from trainer.known_items.candidates import candidates_of, linked
from trainer.known_items.objections import Judge
from trainer.pairs.anchors import Anchors, sentence_candidate
from trainer.pairs.brought import placed_by
from trainer.pairs.clicks import clicked
from trainer.pairs.comments import Comments, comment_candidates
from trainer.pairs.consistency import best_ranks
from trainer.pairs.keywords import Shortener
from trainer.pairs.legs import Legs
from trainer.pairs.material import Material
from trainer.pairs.offers import DOUBTFUL, SHORTENED, WEIGHTS, Drops, Offer, PairReason, PairSource
from trainer.pairs.own_words import OwnWords
from trainer.pairs.passages import passage_of
from trainer.pairs.sieve import Sieve
from trainer.pairs.vectors import OnProgress, silent

DEPTH: Final = 50
"""A passage has to be among so many first ones of either leg,"""
SHARE: Final = 0.05
"""and within this share of a small collection, whose first fifty would be all there is;"""
LEAST_DEPTH: Final = 10
"""but of so many in any case."""
STRICTER: Final = 5
"""A query of a doubtful source has to find its passage among so many times fewer."""
SETTING: Final = "pair_mining"
"""The collection's setting that says what the last mining found."""


@dataclass(frozen=True, slots=True)
class MinedPairs:
    """Pairs, how many come from each source, and why other texts became none, with a few of them by reason."""

    pairs: tuple[Pair, ...]
    sources: Mapping[str, int]
    dropped: Mapping[str, int]
    examples: Mapping[str, tuple[str, ...]]

    def summary(self) -> dict[str, JsonValue]:
        """Return what is recorded of a mining."""
        return {
            "pairs": len(self.pairs),
            "sources": dict(self.sources),
            "dropped": dict(self.dropped),
            "examples": {reason: list(texts) for reason, texts in self.examples.items()},
        }


def mine_pairs(
    home: Home, collection: Collection, *, seed: int = 0, k: int = DEPTH, on_progress: OnProgress = silent
) -> MinedPairs:
    """Return the pairs that a collection offers; the same documents, model and seed give the same.

    `k` is how deep in either leg a passage may be found. Passages that lose a string are embedded, and kept so.

    Raises UsageError for a collection without documents, and what loading its model raises.
    """
    return _Mining(home, collection, on_progress).run(seed=seed, k=k)


def keep(home: Home, collection: Collection, found: MinedPairs) -> None:
    """Put mined pairs in place of those mined before, and record what was dropped and why."""
    home.catalog.pairs.add(collection, found.pairs, replace_mined=True)
    home.catalog.collections.put_setting(collection, SETTING, found.summary())


class _Mining:
    """One run over a collection: what its steps share."""

    def __init__(self, home: Home, collection: Collection, on_progress: OnProgress) -> None:
        catalog = home.catalog
        if not catalog.documents.count(collection):
            raise UsageError(f"Collection {collection.name!r} has no document yet; `tandem ingest PATH` brings some.")
        self._imported = [pair for pair in catalog.pairs.list(collection) if not pair.is_mined]
        self._liked = catalog.searches.liked(collection)
        self._share = collection.config.embedding_weight
        self._material = Material.read(catalog, collection)
        self._legs = Legs.of(home, collection, self._material.group_of, on_progress)
        self._places = {document.id: place for place, document in enumerate(self._material.documents)}
        self._drops = Drops()

    def run(self, *, seed: int, k: int) -> MinedPairs:
        depth = min(k, max(LEAST_DEPTH, round(SHARE * len(self._legs.corpus.texts))))
        offers, judge = self._offers()
        sieve = Sieve(self._material, judge, self._drops)
        found = self._consistent(sieve.sifted(offers, seed=seed), depth)
        found += self._consistent(sieve.sifted(self._short(found), seed=seed), depth)
        chosen = self._chosen()
        taken = {(pair.query, pair.document) for pair in chosen}
        offered = (self._pair(offer) for offer in sorted(found, key=_order))
        pairs = (*chosen, *(pair for pair in offered if (pair.query, pair.document) not in taken))
        sources = dict(sorted(Counter(pair.source for pair in pairs).items()))
        return MinedPairs(pairs, sources, self._drops.counts, self._drops.examples())

    def _chosen(self) -> Sequence[Pair]:
        """Return the pairs that readers' clicks and thumbs make."""
        known = clicked(self._liked, self._drops)
        return placed_by(self._legs, self._material.group_of, known, self._share).pairs if known else ()

    def _offers(self) -> tuple[list[Offer], Judge]:
        """Return all that may become a pair; the judge has to know every word of it beforehand."""
        material, drops = self._material, self._drops
        own, links = list(candidates_of(material.documents)), list(linked(material.documents))
        sentences = [told for one, link in links if (told := sentence_candidate(one, link))]
        comments = list(comment_candidates(material))
        every = [*own, *sentences, *(comment for comment, _ in comments)]
        judge = Judge(material.documents, material.groups, every, material.words)
        makers = OwnWords(material, judge, own, drops), Anchors(material, judge, links, drops)
        return [offer for maker in (*makers, Comments(judge, comments, drops)) for offer in maker.offers()], judge

    def _short(self, offers: Sequence[Offer]) -> Iterator[Offer]:
        """Yield the keywords of long queries, of brought pairs too."""
        shortener = Shortener(self._legs.corpus.analyzer.language, self._legs.corpus.idf_of)
        brought = (offer for pair in self._imported if (offer := self._brought(pair)))
        for offer in [*(offer for offer in offers if offer.source in SHORTENED), *brought]:
            passage = passage_of(self._material.chunks[offer.place][offer.position], offer.strings)
            if words := shortener.keywords_of(offer.query, self._material.words.counts(passage.text)):
                yield replace(offer, query=words, source=PairSource.KEYWORDS)

    def _brought(self, pair: Pair) -> Offer | None:
        place = self._places.get(pair.document)
        if place is None or pair.position >= len(self._material.chunks[place]):
            return None
        return Offer(pair.query, PairSource.KEYWORDS, place, pair.position, pair.strings)

    def _consistent(self, offers: Sequence[Offer], depth: int) -> list[Offer]:
        """Return the offers whose passage is found; the chunks of its own group do not compete with it."""
        there = self._legs.corpus.rows
        offers = [offer for offer in offers if self._key(offer) in there]  # not those of a chunk that went meanwhile
        texts = [self._material.chunks[offer.place][offer.position] for offer in offers]
        passages = [passage_of(text, offer.strings) for text, offer in zip(texts, offers, strict=True)]
        rows = [there[self._key(offer)] for offer in offers]
        asked = self._legs.asked([offer.query for offer in offers])
        ranks = best_ranks(self._legs.corpus, asked, self._legs.positives(passages, rows))
        kept: list[Offer] = []
        for offer, rank in zip(offers, ranks, strict=True):
            if rank <= (depth if offer.source not in DOUBTFUL else max(1, depth // STRICTER)):
                kept.append(offer)
            else:
                self._drops.add(PairReason.INCONSISTENT, offer.query)
        return kept

    def _key(self, offer: Offer) -> tuple[str, int]:
        return self._material.documents[offer.place].id, offer.position

    def _pair(self, offer: Offer) -> Pair:
        document, group = self._material.documents[offer.place].id, self._material.groups[offer.place]
        weight = WEIGHTS[offer.source]
        return Pair(offer.query, document, offer.position, offer.source.value, weight, group, offer.strings)


def _order(offer: Offer) -> tuple[int, int, str]:
    return offer.place, offer.position, offer.query
