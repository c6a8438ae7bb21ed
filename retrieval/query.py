"""What is asked of a search."""

from dataclasses import dataclass, replace

from retrieval.errors import UsageError
from retrieval.filters import Filter
from retrieval.types import Mode

MAX_K = 1_000
MAX_QUERY_CHARS = 10_000


@dataclass(frozen=True, slots=True)
class Query:
    """A question. With `group` documents are ranked; without it plain chunks are, and each hit is one chunk.

    `model` is the version of an embedding model to search with, empty for the collection's own. `offset` is how many of
    the best are left out, as a later page does; `explain` asks for more of how the ranking came about.
    """

    text: str
    k: int = 10
    mode: Mode = Mode.HYBRID
    where: Filter | None = None
    group: bool = True
    model: str = ""
    offset: int = 0
    explain: bool = False

    def suits(self, model: str) -> bool:
        """Whether a collection whose own model is `model` answers this with that one, or with none."""
        return self.mode is Mode.KEYWORD or self.model in ("", model)

    def checked(self) -> "Query":
        """Return the query with its text trimmed; raises UsageError for one that cannot be answered."""
        text = self.text.encode("utf-8", "replace").decode("utf-8").strip()
        if not text:
            raise UsageError("The query is empty; type some words.")
        if len(text) > MAX_QUERY_CHARS:
            raise UsageError(f"The query has {len(text)} characters; use at most {MAX_QUERY_CHARS}.")
        if not 1 <= self.k <= MAX_K:
            raise UsageError(f"k is {self.k}; use 1 to {MAX_K}.")
        if self.offset < 0:
            raise UsageError(f"The offset is {self.offset}; it cannot be negative.")
        return replace(self, text=text)
