"""Judging pooled documents: a session that any front end can drive, one document after the other, arms hidden."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.catalog.judgments import JudgedQuery
from retrieval.errors import UsageError
from trainer.pooling import shuffled

GRADES: Final = {3: "perfect", 2: "good", 1: "somewhat", 0: "not relevant"}


@dataclass(frozen=True, slots=True)
class Item:
    """A document to be judged for a query: the query's id and text, and the document's id."""

    query: str
    text: str
    document: str


OnGrade = Callable[[str, str, int | None], None]
"""Keeps the grade of a query's document; None takes it back."""


@dataclass(frozen=True, slots=True)
class Action:
    """What was done to items that had been skipped `skips` times before: they got a grade, or were skipped for None."""

    items: tuple[Item, ...]
    skips: int
    grade: int | None


@dataclass(frozen=True, slots=True)
class Left:
    """How many documents of how many queries wait for a judge."""

    documents: int
    queries: int


class Session:
    """A judge's way through the documents that wait in a judgment set: query by query, each one's documents shuffled.

    It holds nothing that could be lost: `on_grade` keeps a grade before anything else happens, and a new session over
    what is kept goes on where this one ended. Not thread-safe.
    """

    def __init__(
        self, judged: Sequence[JudgedQuery], on_grade: OnGrade, *, name: str = "", limit: int | None = None
    ) -> None:
        """Take the first `limit` queries that have a document to judge; the set's `name` takes part in the shuffle."""
        waiting = [items for query in judged if (items := _waiting(query, name))]
        line = [item for items in waiting[:limit] for item in items]
        self._on_grade = on_grade
        self._places = {item: place for place, item in enumerate(line)}
        self._skips = dict.fromkeys(line, 0)
        self._actions: list[Action] = []
        self.beyond = Left(sum(map(len, waiting)) - len(line), len(waiting) - len(waiting[:limit]))
        """What the limit left out."""

    @property
    def current(self) -> Item | None:
        """The item to judge now; None when all are judged. What was skipped comes again after what was not."""
        return min(self._skips, key=lambda item: (self._skips[item], self._places[item]), default=None)

    @property
    def left(self) -> Left:
        """What this session has not judged yet."""
        return Left(len(self._skips), len({item.query for item in self._skips}))

    @property
    def given(self) -> Counter[int]:
        """How many documents got each grade in this session."""
        return Counter(action.grade for action in self._actions if action.grade is not None)

    @property
    def can_undo(self) -> bool:
        """Whether there is an action to take back."""
        return bool(self._actions)

    def grade(self, grade: int) -> None:
        """Grade the current item; raises UsageError for what is no grade, and whatever `on_grade` raises."""
        if grade not in GRADES:
            raise UsageError(f"{grade!r} is not a grade; give one of {', '.join(map(str, GRADES))}.")
        item = self._now()
        self._on_grade(item.query, item.document, grade)
        self._actions.append(Action((item,), self._skips.pop(item), grade))

    def skip(self) -> None:
        """Put the current item at the end of the line."""
        self._skip([self._now()])

    def skip_query(self) -> None:
        """Put what is left of the current query at the end of the line."""
        now = self._now()
        skips = self._skips[now]
        self._skip([item for item in self._skips if item.query == now.query and self._skips[item] == skips])

    def undo(self) -> Action | None:
        """Take back the last action, so that all is as it was before, and return it; None if there is none."""
        if not self._actions:
            return None
        action = self._actions[-1]
        if action.grade is not None:
            (item,) = action.items
            self._on_grade(item.query, item.document, None)
        self._skips.update(dict.fromkeys(action.items, action.skips))
        return self._actions.pop()

    def _skip(self, items: Sequence[Item]) -> None:
        action = Action(tuple(items), self._skips[items[0]], None)
        self._skips.update(dict.fromkeys(items, action.skips + 1))
        self._actions.append(action)

    def _now(self) -> Item:
        if (current := self.current) is None:
            raise UsageError("Nothing is left to judge; `tandem judgments pool` finds more documents.")
        return current


def _waiting(query: JudgedQuery, name: str) -> list[Item]:
    documents = [document for document, grade in query.grades.items() if grade is None]
    return [Item(query.id, query.text, document) for document in shuffled(documents, name, query.id)]
