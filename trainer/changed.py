"""The queries that changed most between two arms, with what each of them showed first."""

from collections.abc import Mapping

from retrieval.analysis import Analyzer
from retrieval.catalog import Collection
from retrieval.home import Home
from retrieval.snippets import Highlighter
from retrieval.types import Document
from trainer.evaluate import ArmResult
from trainer.evaluation_set import EvaluationSet
from trainer.findings import MEASURE, ChangedQuery, TopHit

SHOWN_QUERIES = 20
SHOWN_HITS = 5
EXCERPT_CHARS = 200


class ChangedQueries:
    """Looks up what arms showed for the queries of one judgment set."""

    def __init__(self, home: Home, collection: Collection, judged: EvaluationSet) -> None:
        self._catalog = home.catalog
        self._collection = collection
        self._judged = judged
        self._analyzer = Analyzer(collection.config.language)
        self._documents: dict[str, Document] = {}

    def of(self, a: ArmResult, b: ArmResult, differences: Mapping[str, float]) -> list[ChangedQuery]:
        """Return the queries that changed most, the greatest change first; none that did not change."""
        most = sorted(differences, key=lambda query: (-abs(differences[query]), query))[:SHOWN_QUERIES]
        return [self._changed(query, a, b) for query in most if differences[query]]

    def _changed(self, query: str, a: ArmResult, b: ArmResult) -> ChangedQuery:
        return ChangedQuery(
            query=query,
            text=self._judged.queries[query],
            source=self._judged.sources.get(query, "human"),
            a=a.values[MEASURE][query],
            b=b.values[MEASURE][query],
            a_hits=self._hits(query, a),
            b_hits=self._hits(query, b),
        )

    def _hits(self, query: str, result: ArmResult) -> list[TopHit]:
        found = result.run.get(query, {})
        best = sorted(found, key=lambda document: -found[document])[:SHOWN_HITS]
        highlighter = Highlighter(self._analyzer, self._analyzer.query_terms(self._judged.queries[query]))
        hits: list[TopHit] = []
        for rank, key in enumerate(best, 1):
            document = self._document(key)
            excerpt = highlighter.highlight(document.text, max_chars=EXCERPT_CHARS)
            hits.append(TopHit(rank, key, document.title, excerpt, self._judged.qrels[query].get(key)))
        return hits

    def _document(self, key: str) -> Document:
        if key not in self._documents:
            self._documents[key] = self._catalog.documents.get(self._collection, key)
        return self._documents[key]
