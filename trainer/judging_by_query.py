"""Judging a query at a time, all of its documents in view: what is shown next, and how far a judge is."""

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.catalog.judgments import JudgedQuery
from trainer.pooling import shuffled


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a judgment set is: documents graded and waiting, queries in all, and those with documents that wait.

    `unpooled` queries have no document at all: nothing was collected for them yet.
    """

    graded: int
    waiting: int
    queries: int
    waiting_queries: int
    unpooled: int

    @property
    def share(self) -> float:
        """The share of documents that has a grade, from 0 to 1."""
        return self.graded / max(1, self.graded + self.waiting)


def progress_of(judged: Sequence[JudgedQuery]) -> Progress:
    """Count what is judged, and what is left."""
    waiting = [len(waiting_in(query)) for query in judged]
    return Progress(
        graded=sum(len(query.grades) for query in judged) - sum(waiting),
        waiting=sum(waiting),
        queries=len(judged),
        waiting_queries=sum(bool(count) for count in waiting),
        unpooled=sum(not query.grades for query in judged),
    )


def waiting_in(query: JudgedQuery) -> list[str]:
    """Return the documents of a query that wait for a grade."""
    return [document for document, grade in query.grades.items() if grade is None]


def next_waiting(judged: Sequence[JudgedQuery], *, after: str = "") -> JudgedQuery | None:
    """Return the first query with a document that waits, behind the one called `after`; beyond the end, from the start.

    None where nothing waits.
    """
    place = next((place for place, query in enumerate(judged, 1) if query.id == after), 0)
    return next((query for query in (*judged[place:], *judged[:place]) if waiting_in(query)), None)


def in_order(query: JudgedQuery, name: str) -> list[str]:
    """Return a query's documents in an order that tells nothing of who found them, the same whenever it is asked."""
    return shuffled(query.grades, name, query.id)
