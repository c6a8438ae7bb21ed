"""The judged queries that an evaluation asks."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import UsageError
from retrieval.types import Qrels
from trainer.qrels import Queries, read_qrels
from trainer.query_records import is_mined, read_judged_queries

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Queries that have judgments, and their judgments: both have the same query ids, in the order of the queries.

    `unasked` are judged queries whose text is not known, `unjudged` queries that nobody judged; both are left out.
    `sources` says where each query came from, `clusters` what it shares with correlated ones ("" for nothing), and
    `masks` which strings are hidden in which documents while it is searched.
    """

    queries: Queries
    qrels: Qrels
    unasked: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    masks: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    @property
    def source_counts(self) -> Counter[str]:
        """How many queries come from each source; those that do not say are taken for human."""
        return Counter(self.sources.get(query, "human") for query in self.queries)

    @property
    def mined(self) -> int:
        """How many queries were mined from the collection."""
        return sum(count for source, count in self.source_counts.items() if is_mined(source))

    def only(self, queries: Collection[str]) -> "EvaluationSet":
        """Return the set with no other queries than these."""
        kept = [query for query in self.queries if query in queries]
        return replace(
            self,
            queries={query: self.queries[query] for query in kept},
            qrels={query: self.qrels[query] for query in kept},
            sources={query: self.sources[query] for query in kept if query in self.sources},
            clusters={query: self.clusters[query] for query in kept if query in self.clusters},
            masks={query: self.masks[query] for query in kept if query in self.masks},
        )

    @classmethod
    def of(cls, judged: Sequence[JudgedQuery], name: str) -> "EvaluationSet":
        """Take those queries of a judgment set that have a grade; raises UsageError when none has."""
        graded = {
            query.id: {document: grade for document, grade in query.grades.items() if grade is not None}
            for query in judged
        }
        asked = [query for query in judged if graded[query.id]]
        if not asked:
            raise UsageError(
                f"The judgment set {name!r} has {len(judged)} queries and no judgment; `tandem judgments judge` gives "
                "some, or `tandem judgments import` brings them."
            )
        unjudged = tuple(query.id for query in judged if not graded[query.id])
        return replace(cls._asking(asked, graded), unjudged=unjudged)

    @classmethod
    def _asking(cls, asked: Sequence[JudgedQuery], grades: Qrels) -> "EvaluationSet":
        return cls(
            {query.id: query.text for query in asked},
            {query.id: grades[query.id] for query in asked},
            sources={query.id: query.source for query in asked},
            clusters={query.id: query.cluster for query in asked if query.cluster},
            masks={query.id: query.masks for query in asked if query.masks},
        )

    @classmethod
    def read(cls, queries_file: Path, qrels_file: Path) -> "EvaluationSet":
        """Read queries JSONL and qrels; raises UsageError where they are malformed or have no query in common."""
        known, qrels = read_judged_queries(queries_file), read_qrels(qrels_file)
        asked = [query for query in known if query.id in qrels]
        if not asked:
            raise UsageError(
                f"No query judged in {qrels_file} (such as {next(iter(qrels))!r}) is in {queries_file} (which has such "
                f"as {known[0].id!r}); give the two files of one evaluation set."
            )
        ids = {query.id for query in asked}
        return replace(
            cls._asking([replace(query, source=query.source or "human") for query in asked], qrels),
            unasked=tuple(query for query in qrels if query not in ids),
            unjudged=tuple(query.id for query in known if query.id not in ids),
        )

    def concerns(self, documents: Collection[str]) -> Iterator[str]:
        """Say what makes the measures mean less than they seem; `documents` are the ids that the collection has."""
        if self.unasked:
            yield f"{_counted(self.unasked, 'judged query')} left out, having no text: {_examples(self.unasked)}"
        if self.unjudged:
            yield f"{_counted(self.unjudged, 'query')} left out, having no judgment yet: {_examples(self.unjudged)}"
        judged = {document: None for grades in self.qrels.values() for document in grades}
        if unknown := [document for document in judged if document not in documents]:
            yield (
                f"{len(unknown)} of {len(judged)} judged documents are not in the collection, where no arm can "
                f"find them: {_examples(unknown)}"
            )
        if hopeless := [query for query, grades in self.qrels.items() if not any(grades.values())]:
            yield f"{_counted(hopeless, 'query')} judged without a relevant document, worth 0 to every arm: " + (
                _examples(hopeless)
            )


def _counted(items: Sequence[str], noun: str) -> str:
    plural = noun if len(items) == 1 else f"{noun[:-1]}ies"
    return f"{len(items)} {plural} {'is' if len(items) == 1 else 'are'}"


def _examples(items: Sequence[str]) -> str:
    shown = ", ".join(repr(item) for item in items[:_EXAMPLES])
    return f"{shown}, ..." if len(items) > _EXAMPLES else f"{shown}."
