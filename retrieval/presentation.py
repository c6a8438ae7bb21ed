"""From a ranking to hits that a person reads: texts, highlights, and what a mistyped word may have meant."""

from collections.abc import Mapping

from retrieval.analysis import Analyzer
from retrieval.catalog import Catalog, Collection, ShownChunk, ShownDocument
from retrieval.query import Query
from retrieval.ranking import RankedPassage, Ranking
from retrieval.snippets import Highlighter, without_fences
from retrieval.spelling import did_you_mean, is_known
from retrieval.types import Hit, LegScore, Passage

PASSAGES_A_HIT = 3


class Presenter:
    """Shows hits of one collection."""

    def __init__(self, catalog: Catalog, collection: Collection, analyzer: Analyzer) -> None:
        self._catalog = catalog
        self._collection = collection
        self._analyzer = analyzer
        self._known: set[str] = set()
        self._vocabulary: Mapping[str, int] | None = None

    def refresh(self) -> None:
        """Read the vocabulary anew, as the collection has changed; suggestions meanwhile come from the one before."""
        self._known = set()
        self._vocabulary = self._catalog.vocabulary.all(self._collection)

    def presented(
        self, query: Query, terms: Mapping[str, float], ranking: Ranking
    ) -> tuple[tuple[Hit, ...], dict[str, tuple[str, ...]]]:
        """Return the query's hits and suggestions for its words, both from one snapshot of the catalog."""
        known = self._known  # before the snapshot, or what it knows might outlive a refresh
        with self._catalog.database.read():
            return self.hits(terms, ranking, query), self._did_you_mean(query.text, known)

    def hits(self, terms: Mapping[str, float], ranking: Ranking, query: Query) -> tuple[Hit, ...]:
        """Return the items of a ranking that the query asks for; one deleted since it was indexed is left out.

        `terms` are the query's, to be marked in the passages.
        """
        shown = ranking.explained(ranking.order[query.offset : query.offset + query.k])
        ranked = {item: explained.passages[:PASSAGES_A_HIT] for item, explained in shown.items()}
        chunks = self._catalog.chunks.shown(passage.id for passages in ranked.values() for passage in passages)
        highlighter = Highlighter(self._analyzer, terms)
        hits: list[Hit] = []
        for item, explained in shown.items():
            present = [passage for passage in ranked[item] if passage.id in chunks]
            if present:
                passages = tuple(_passage(passage, chunks[passage.id], highlighter) for passage in present)
                document = chunks[present[0].id].document
                rank = query.offset + len(hits) + 1
                hits.append(_hit(rank, ranking.scores[item], document, passages, explained.legs))
        return tuple(hits)

    def _did_you_mean(self, text: str, known: set[str]) -> dict[str, tuple[str, ...]]:
        """Return known words for each word of the query that the collection does not know."""
        words = self._analyzer.typed(text)
        if unmet := {form for word in words for form in (word.text, *word.parts)} - known:
            known.update(self._catalog.vocabulary.counts(self._collection, unmet))
        if all(is_known(word, known) for word in words):
            return {}
        vocabulary = self._vocabulary
        if vocabulary is None:
            vocabulary = self._vocabulary = self._catalog.vocabulary.all(self._collection)
        return did_you_mean(self._analyzer, text, vocabulary=vocabulary)


def _passage(passage: RankedPassage, chunk: ShownChunk, highlighter: Highlighter) -> Passage:
    highlights = highlighter.highlight(without_fences(chunk.text))
    return Passage(chunk.id, chunk.headings, chunk.text, highlights, passage.score, passage.legs)


def _hit(
    rank: int, score: float, document: ShownDocument, passages: tuple[Passage, ...], legs: Mapping[str, LegScore]
) -> Hit:
    return Hit(
        rank=rank,
        score=score,
        document_id=document.id,
        title=document.title,
        url=document.url,
        metadata=document.metadata,
        passages=passages,
        legs=legs,
    )
