"""Ingest: plan (new, changed, unchanged, gone) -> parse -> chunk -> embed -> commit, a batch at a time.

A batch is embedded while those after it are parsed and those before it committed: embedding needs every core, and the
rest one. What is committed is acknowledged; a kill costs a few batches, whose embeddings are mostly kept too.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.cleaning import partitioned
from indexer.embedding import Embedding, Prepared
from indexer.pipeline import Pipeline
from indexer.plan import Plan, PlannedItem, make_plans
from indexer.sources.base import Problem, Source, SourceOptions
from retrieval.catalog import Batch, DocumentKey, DocumentRecord
from retrieval.errors import Skipped, TandemError
from retrieval.types import Document

AGAIN = "!"
"""Ends the hash of an item that is not to count as unchanged."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is. `done_bytes` of `total_bytes` are parsed, embedded and committed."""

    documents: int
    chunks: int
    embedded: int
    done_bytes: int
    total_bytes: int
    seconds: float

    @property
    def chunks_per_s(self) -> float:
        """Chunks committed a second so far."""
        return self.chunks / self.seconds if self.seconds else 0.0

    @property
    def share(self) -> float | None:
        """What share of the bytes is done; None where there are none."""
        return self.done_bytes / self.total_bytes if self.total_bytes else None

    @property
    def left_s(self) -> float | None:
        """Seconds left at the pace so far; None before anything is done."""
        if not self.done_bytes:
            return None
        return self.seconds * (self.total_bytes - self.done_bytes) / self.done_bytes


OnProgress = Callable[[Progress], None]


@dataclass(slots=True)
class Summary:
    """What an ingest did. The one value here that changes, because it is being counted."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    deleted: int = 0
    documents: int = 0
    chunks: int = 0
    embedded: int = 0
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)

    @property
    def failures(self) -> list[Problem]:
        """What should have been ingested and was not."""
        return [problem for problem in self.problems if not problem.skipped]

    @property
    def skipped(self) -> list[Problem]:
        """What was left out on purpose."""
        return [problem for problem in self.problems if problem.skipped]


class Ingest:
    """One run over some sources. `plans` is what it found to do; `on_commit` is called after every transaction."""

    def __init__(
        self,
        pipeline: Pipeline,
        sources: Sequence[Source],
        options: SourceOptions,
        *,
        on_commit: Callable[[], None] | None = None,
    ) -> None:
        catalog, collection = pipeline.catalog, pipeline.collection
        found = make_plans(catalog, collection, sources, options=options, settings=pipeline.settings)
        self.plans = found.plans
        self.summary = Summary(
            new=found.new,
            changed=found.changed,
            unchanged=found.unchanged,
            gone=len(found.gone),
            problems=list(found.problems),
        )
        self._pipeline = pipeline
        self._embedding = Embedding(pipeline)
        self._on_commit = on_commit or (lambda: None)
        self._on_progress: OnProgress = lambda _: None
        self._started = time.monotonic()
        self._done_bytes = 0
        self._keys = catalog.documents.keys(collection)
        self._seen: set[str] = set()
        self._before: dict[tuple[str, str], set[str]] = defaultdict(set)
        for key, known in self._keys.items():
            self._before[known.root, known.item_key].add(key)

    def run(self, on_progress: OnProgress | None = None, *, prune: bool = False) -> Summary:
        """Do what was planned; with `prune`, delete what is gone. A document that fails never stops the others."""
        self._on_progress = on_progress or self._on_progress
        self._started = time.monotonic()
        with self._embedding:
            left = [self._run(plan) for plan in self.plans]
            self._commit(self._embedding.rest())
        for plan, of_plan in zip(self.plans, left, strict=True):
            self._part(plan, of_plan, prune=prune)
        self.summary.seconds = time.monotonic() - self._started
        return self.summary

    def _run(self, plan: Plan) -> dict[str, str]:
        """Do what is to do; return the hashes of items that may no longer hold all documents they held before."""
        batch = Prepared(plan.source.root)
        left: dict[str, str] = {}
        for planned in plan.todo:
            problems = len(self.summary.problems)
            documents = self._parsed(plan, planned)
            if documents is None:
                self._done_bytes += planned.size_bytes
                continue
            for document in self._wanted(plan, planned, documents):
                batch.records.extend(self._prepared(document, planned))
                if self._embedding.wants(batch):
                    self._embed(batch)
            key, told = planned.item.key, self.summary.problems[problems:]
            has_failed = not all(problem.skipped for problem in told)
            # Marked, it is looked at again next time: its problem is told again, what it left behind can be pruned.
            content_hash = planned.content_hash + (AGAIN if has_failed or not documents else "")
            if not has_failed and self._left_behind(plan, key):
                left[key] = content_hash
            batch.items[key] = planned.content_hash + AGAIN if key in left else content_hash
            batch.size_bytes += planned.size_bytes
        self._embed(batch)
        return left

    def _part(self, plan: Plan, left: Mapping[str, str], *, prune: bool) -> None:
        """Part with documents whose items are gone or hold them no more: last, when it is known what moved elsewhere.

        `left` are items that held more before, with their hashes; those that have nothing left to prune are complete.
        """
        pipeline, root = self._pipeline, plan.source.root
        if prune:
            self._delete([key for item in (*plan.gone, *left) for key in self._left_behind(plan, item)])
            pipeline.catalog.documents.forget_items(pipeline.collection, root, plan.gone)
        else:
            self.summary.gone += sum(len(self._left_behind(plan, item)) for item in left)
        complete = {item: content for item, content in left.items() if prune or not self._left_behind(plan, item)}
        pipeline.commit(Batch(root, (), complete))

    def _delete(self, ids: Sequence[str]) -> None:
        pipeline = self._pipeline
        if ids:
            self.summary.deleted += pipeline.catalog.documents.delete(pipeline.collection, ids, pipeline.analyzer.words)
            self._on_commit()

    def _parsed(self, plan: Plan, planned: PlannedItem) -> list[Document] | None:
        """Return the item's documents, none of one that is left out; None of one that failed. The summary says why."""
        key = planned.item.key
        try:
            data = planned.data if planned.data is not None else plan.source.read(planned.item)
            documents, problems = partitioned(list(plan.source.parse(planned.item, data)))
        except Skipped as error:
            self.summary.problems.append(Problem(key, str(error), skipped=True))
            return []
        except TandemError as error:
            self.summary.problems.append(Problem(key, str(error), skipped=False))
            return None
        except Exception as error:  # a parser must not sink the batch, whatever the document made it do
            self.summary.problems.append(Problem(key, _defect("parsed", error), skipped=False))
            return None
        self.summary.problems.extend(problems)
        return documents

    def _wanted(self, plan: Plan, planned: PlannedItem, documents: list[Document]) -> list[Document]:
        """Leave out documents that are unchanged, and those whose id belongs to another source or item."""
        wanted: list[Document] = []
        for document in documents:
            known = self._keys.get(document.id)
            if known and (reason := self._conflict(document.id, known, plan, planned)):
                self.summary.problems.append(Problem(document.id, reason, skipped=False))
                continue
            here = DocumentKey(plan.source.root, planned.item.key, document.content_hash)
            if known != here or not planned.same_pipeline:
                wanted.append(document)
            self._keys[document.id] = here
            self._seen.add(document.id)
        return wanted

    def _conflict(self, document_id: str, known: DocumentKey, plan: Plan, planned: PlannedItem) -> str | None:
        """Say why a document may not replace the one that has its id; None when it may."""
        if known.root != plan.source.root:
            if Path(known.root).is_absolute() and not Path(known.root).exists():
                return None  # the folder moved; its documents move with it
            return (
                f"its id is taken by a document from {known.root}; give this source its own ids with --id-prefix, or "
                "another collection with --collection"
            )
        # An item that is yet to be parsed may have given it away; if not, the second of the two to be parsed is told.
        if known.item_key != planned.item.key and (document_id in self._seen or known.item_key in plan.kept):
            return f"its id is taken by a document of {known.item_key} in the same source; ids must be unique"
        return None

    def _prepared(self, document: Document, planned: PlannedItem) -> list[DocumentRecord]:
        try:
            return [self._pipeline.prepare(document, planned.item.key)]
        except Exception as error:  # as in _parsed
            self.summary.problems.append(Problem(document.id, _defect("cut into chunks", error), skipped=False))
            return []

    def _left_behind(self, plan: Plan, item_key: str) -> list[str]:
        """Return the documents that an item held before and that nothing of this run holds."""
        return sorted(self._before.get((plan.source.root, item_key), set()) - self._seen)

    def _embed(self, batch: Prepared) -> None:
        if taken := batch.taken():
            self._embedding.put(taken)
            self._commit(self._embedding.done())

    def _commit(self, embedded: Iterable[tuple[Prepared, int]]) -> None:
        for batch, texts in embedded:
            self._pipeline.commit(Batch(batch.root, tuple(batch.records), dict(batch.items)))
            self._on_commit()
            self.summary.documents += len(batch.records)
            self.summary.chunks += batch.texts
            self.summary.embedded += texts
            self._done_bytes += batch.size_bytes
            self._on_progress(self._progress())

    def _progress(self) -> Progress:
        total = sum(planned.size_bytes for plan in self.plans for planned in plan.todo)
        summary, seconds = self.summary, time.monotonic() - self._started
        return Progress(summary.documents, summary.chunks, summary.embedded, self._done_bytes, total, seconds)


def _defect(step: str, error: Exception) -> str:
    return f"could not be {step} ({type(error).__name__}: {error}); this is a defect of Tandem, please report it"
