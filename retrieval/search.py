"""Searcher: a query in, hits out. Both legs in one pass, each leg's passages aggregated to documents, then fused."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import Any

from numpy.typing import NDArray

from retrieval import fusion
from retrieval.analysis import Analyzer
from retrieval.catalog import Catalog, Collection, Moments, TermMoments
from retrieval.encoder import Encoder
from retrieval.errors import ModelError
from retrieval.explanation import explanation_of
from retrieval.filters import Exists, Filter, fields_of
from retrieval.fusion import Scale, Sizes
from retrieval.keyword import sparse
from retrieval.leads import Holders, Leads, tiers, with_holders
from retrieval.presentation import Presenter
from retrieval.query import Query
from retrieval.ranking import Fusion, Ranking, led, rank
from retrieval.results import SearchResult
from retrieval.stores.base import Candidates, EmbeddingLeg, KeywordLeg, Leg, Store
from retrieval.types import Mode, SparseVector

CANDIDATES = 150
"""Passages fetched from each leg: deep enough that a document's second and third passage are among them. An identifier
that stands in as many is too common to lead (see leads)."""

MAX_NAMES, MAX_NAME = 5, 50
"""Fields that are looked at for a note, and characters of each in it."""

Titles = Callable[[Set[int]], Mapping[int, str]]
"""From documents' rows to their titles."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What calibrates the legs, and how many chunks each document has; `digest` tells them from others."""

    terms: TermMoments | None
    vectors: Moments | None
    sizes: Sizes
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What each leg found for a query, and how that becomes one ranking; `strengths` are those of items that lead."""

    legs: Mapping[str, Candidates]
    how: Fusion
    strengths: Mapping[int, int]
    group: bool

    def ranking(self) -> Ranking:
        """Fuse the legs."""
        ranking = rank(self.legs, self.how, group=self.group)
        return led(ranking, self.strengths) if self.strengths else ranking


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds by stage."""

    ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        started = time.perf_counter()
        yield
        self.ms[name] = (time.perf_counter() - started) * 1000


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query as each leg understands it; a leg that the mode leaves out is None. `words` are its index terms."""

    query: Query
    words: Mapping[str, float]
    terms: SparseVector | None
    embedding: EmbeddingLeg | None
    leads: Leads


class Searcher:
    """Searches one collection's store; safe to call from several threads."""

    def __init__(
        self,
        catalog: Catalog,
        collection: Collection,
        store: Store,
        encoder: Callable[[], Encoder],
        *,
        statistics: Statistics | None = None,
        titles: Titles | None = None,
    ) -> None:
        """`encoder` is called when a query first needs it: keyword search never loads a model.

        `statistics` and `titles` are given for a store that holds something else than the catalog says.
        """
        self.collection = collection
        self.store = store
        self._catalog = catalog
        self._encoder = encoder
        self._given = statistics
        self._titles = titles or self._catalog_titles
        self._analyzer = Analyzer(collection.config.language)
        self._presenter = Presenter(catalog, collection, self._analyzer)
        self._statistics: Statistics | None = None
        self._lock = Lock()

    def refresh(self) -> None:
        """Read statistics and vocabulary anew, as the index has changed; searches meanwhile use what there was."""
        self._presenter.refresh()
        self._statistics = self._given or self._read_statistics()

    def search(self, query: Query) -> SearchResult:
        """Return the best hits.

        Raises UsageError for a query that cannot be answered, and ModelError when the embedding leg is asked for and
        the collection has no model.
        """
        query, watch = query.checked(), Stopwatch()
        asked = self._asked(query, watch)
        ranking = self._rank(asked, watch)
        with watch.stage("present"):
            hits, suggestions = self._presenter.presented(query, asked.words, ranking)
            notes = () if hits or query.where is None else self._unknown_fields(query.where)
        watch.ms["total"] = sum(watch.ms.values())
        return SearchResult(
            query.text,
            hits,
            self.arm(query.mode),
            watch.ms,
            suggestions,
            notes=notes,
            explanation=explanation_of(ranking, query) if query.explain else None,
            found=ranking.order,
        )

    def _unknown_fields(self, where: Filter) -> tuple[str, ...]:
        """Return a sentence where nothing was found for want of a field that no document has."""
        looked_at = sorted(fields_of(where))[:MAX_NAMES]  # a filter may name a hundred, and each is counted
        unknown = [field for field in looked_at if not self.store.count(Exists(field))]
        if not unknown:
            return ()
        names = ", ".join(repr(field[:MAX_NAME]) for field in unknown)
        return (f"No document has the field {names} that the filter looks at: is it spelled so?",)

    def arm(self, mode: Mode) -> str:
        """Return the arm's name: keyword, embedding@VERSION or hybrid@VERSION."""
        return mode.value if mode is Mode.KEYWORD else f"{mode.value}@{self.collection.config.model}"

    def rank(self, query: Query, watch: Stopwatch) -> Ranking:
        """Rank without reading texts: what evaluation measures."""
        return self._rank(self._asked(query, watch), watch)

    def findings(self, query: Query) -> Findings:
        """Search without fusing, for who fuses the same legs in several ways."""
        asked = self._asked(query, Stopwatch())
        return self._findings(asked, self._find(asked))

    def _asked(self, query: Query, watch: Stopwatch) -> _Asked:
        with watch.stage("analyse"):
            words = self._analyzer.query_terms(query.text)
            by_words = query.mode is not Mode.EMBEDDING
            terms = sparse(words) if by_words else None
            leads = Leads.of(self._analyzer, query.text) if by_words else Leads(())
        with watch.stage("encode"):
            embedding = None if query.mode is Mode.KEYWORD else self._embedding(query.text)
        return _Asked(query, words, terms, embedding, leads)

    def _rank(self, asked: _Asked, watch: Stopwatch) -> Ranking:
        with watch.stage("index"):
            found = self._find(asked)
        with watch.stage("fuse"):
            return self._findings(asked, found).ranking()

    def _embedding(self, text: str) -> EmbeddingLeg:
        if not self.collection.config.model:
            raise ModelError(
                f"Collection {self.collection.name!r} has no embedding model yet: ingest something first, or search "
                "with --mode keyword."
            )
        encoder = self._encoder()
        return EmbeddingLeg(encoder.passage_fingerprint, encoder.encode_queries([text])[0])

    def _find(self, asked: _Asked) -> dict[str, Candidates]:
        legs: dict[str, Leg] = {}
        if asked.terms is not None:
            legs[Mode.KEYWORD] = KeywordLeg(asked.terms)
        if asked.embedding is not None:
            legs[Mode.EMBEDDING] = asked.embedding
        legs |= asked.leads.legs()
        lists = self.store.search(list(legs.values()), self._depth(asked.query), asked.query.where)
        return dict(zip(legs, lists, strict=True))

    @staticmethod
    def _depth(query: Query) -> int:
        return max(CANDIDATES, 2 * query.k)

    def _findings(self, asked: _Asked, found: dict[str, Candidates]) -> Findings:
        depth = self._depth(asked.query)
        held = asked.leads.holders(found, len(self.statistics().sizes), depth=depth)
        legs = {str(leg): found[leg] for leg in (Mode.KEYWORD, Mode.EMBEDDING) if leg in found}
        if held:
            legs[Mode.KEYWORD] = with_holders(legs[Mode.KEYWORD], held)
        config = self.collection.config
        how = Fusion(
            method=config.fusion,
            embedding_weight=config.embedding_weight,
            scales=self._scales(asked, legs),
            cut=frozenset(leg for leg, candidates in legs.items() if len(candidates) >= depth),
            sizes=self.statistics().sizes,
        )
        return Findings(legs, how, self._strengths(asked.query, held) if held else {}, asked.query.group)

    def _strengths(self, query: Query, held: Sequence[Holders]) -> dict[int, int]:
        rows = {candidate.document for holders in held for candidate in holders.candidates}
        strengths = tiers(self._analyzer, held, self._titles(rows))
        if query.group:
            return strengths
        return {c.id: strengths[c.document] for holders in held for c in holders.candidates}

    def _catalog_titles(self, rows: Set[int]) -> Mapping[int, str]:
        return {row: document.title for row, document in self._catalog.documents.shown(rows).items()}

    def _scales(self, asked: _Asked, legs: dict[str, Candidates]) -> dict[str, Scale]:
        statistics = self.statistics()
        scales: dict[str, Scale] = {}
        for leg, candidates in legs.items():
            points = statistics.terms.points if leg == Mode.KEYWORD and statistics.terms else len(candidates)
            scales[leg] = fusion.observed_scale(candidates.scores, points)
        if asked.terms is not None and statistics.terms and statistics.terms.points:
            known = statistics.terms.of(asked.terms.indices)
            means, variances = fusion.term_moments(
                asked.terms.values, known.idf, known.sums, known.squares, known.points
            )
            if variances.any():  # else the statistics are older than every word of the query
                scales[Mode.KEYWORD] = fusion.keyword_scale(means, variances)
        if asked.embedding is not None and statistics.vectors:
            vectors = statistics.vectors
            scales[Mode.EMBEDDING] = fusion.embedding_scale(asked.embedding.vector, vectors.mean, vectors.covariance)
        return scales

    def statistics(self) -> Statistics:
        """Return the collection's statistics, read from the catalog on first use and by `refresh`."""
        if (statistics := self._statistics) is not None:
            return statistics
        with self._lock:
            if self._statistics is None:
                self._statistics = self._given or self._read_statistics()
            return self._statistics

    def _read_statistics(self) -> Statistics:
        catalog, collection = self._catalog, self.collection
        version = collection.config.model
        vectors = catalog.moments.get(collection, catalog.models.get(version).passage_fingerprint) if version else None
        terms, sizes = catalog.moments.get_terms(collection), Sizes.of(catalog.chunks.sizes(collection))
        arrays: list[NDArray[Any]] = [sizes.documents, sizes.passages]
        arrays += [vectors.mean, vectors.covariance] if vectors else []
        arrays += [terms.terms, terms.frequencies, terms.sums, terms.squares] if terms else []
        return Statistics(terms, vectors, sizes, _digest(arrays))


def _digest(arrays: Iterable[NDArray[Any]]) -> str:
    digest = blake2b(digest_size=8)
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
