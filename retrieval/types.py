"""The values that travel between ingest, search and evaluation. All are frozen; none knows where it is stored."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

JsonValue = Any
"""What json.loads returns: str, int, float, bool, None, list or dict."""

Metadata = Mapping[str, JsonValue]

FloatArray = NDArray[np.float32]

Qrels = Mapping[str, Mapping[str, int]]
"""query id -> document id -> graded relevance (0 is judged and not relevant)."""

Run = Mapping[str, Mapping[str, float]]
"""query id -> document id -> score, higher is better."""


class BlockKind(StrEnum):
    """What a block of a document is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    CODE = "code"
    ITEM = "item"
    ROW = "row"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a document, free of markup.

    `level` is 1 to 6 for a heading and the nesting depth (from 0) of a list item; `language` is that of a code block.
    """

    kind: BlockKind
    text: str
    level: int = 0
    language: str = ""

    def rendered(self) -> str:
        """Return the block as plain Markdown."""
        match self.kind:
            case BlockKind.HEADING:
                return f"{'#' * self.level} {self.text}"
            case BlockKind.CODE:
                fence = "````" if "```" in self.text else "```"
                return f"{fence}{self.language}\n{self.text}\n{fence}"
            case BlockKind.ITEM:
                return f"{'  ' * self.level}- {self.text}"
            case _:
                return self.text


def rendered(blocks: Sequence[Block]) -> str:
    """Return blocks as plain Markdown: list items and table rows line by line, all else set apart by a blank line."""
    text = ""
    for before, block in zip([None, *blocks], blocks, strict=False):
        is_run = before is not None and before.kind is block.kind and block.kind in (BlockKind.ITEM, BlockKind.ROW)
        text += ("\n" if is_run else "\n\n" if before else "") + block.rendered()
    return text


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another document of the same site or folder.

    `target` is the id the linked document has (a path relative to the source root, resolved) or an absolute URL;
    any #fragment is kept. `sentence` is the sentence the anchor stands in, for the trainer to mine.
    """

    target: str
    anchor: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Document:
    """One thing a reader would open: a post, a page, a function's documentation.

    `id` is the user's own and comes back unchanged. `created` and `updated` are ISO 8601 dates or date-times.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]
    url: str | None = None
    created: str | None = None
    updated: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    @property
    def text(self) -> str:
        """The whole text as plain Markdown: headings, code fences, list items and table rows kept."""
        return rendered(self.blocks)

    @property
    def content_hash(self) -> str:
        """Digest of all that a reader or a filter could see; equal hashes mean nothing to do."""
        content = [
            self.title,
            [[block.kind, block.text, block.level, block.language] for block in self.blocks],
            [self.url, self.created, self.updated, list(self.tags), dict(self.metadata)],
            [[link.target, link.anchor, link.sentence] for link in self.links],
        ]
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document: what is embedded, indexed and shown.

    `headings` is the path of headings above it, outermost first, without the document's title. `tokens` counts
    `text` in the encoder's tokenizer.
    """

    position: int
    headings: tuple[str, ...]
    text: str
    tokens: int

    def embedding_text(self, title: str) -> str:
        """Return what both legs see: "title > headings", a newline, the text."""
        path = [title, *(h for h in self.headings if h != title)]
        return " > ".join(part for part in path if part) + "\n" + self.text


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Term ids (uint32, ascending, unique) and their weights (float32), of equal length."""

    indices: NDArray[np.uint32]
    values: FloatArray


class Mode(StrEnum):
    """Which legs a search uses."""

    HYBRID = "hybrid"
    KEYWORD = "keyword"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class LegScore:
    """Where one leg put a passage or document: rank from 1, and the leg's own score."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk shown under a hit; `highlights` is HTML-safe text with the matches in <mark>."""

    chunk_id: int
    headings: tuple[str, ...]
    text: str
    highlights: str
    score: float
    legs: Mapping[str, LegScore]


@dataclass(frozen=True, slots=True)
class Hit:
    """A document found, with its best passages. `legs` gives each leg's rank and score of the document."""

    rank: int
    score: float
    document_id: str
    title: str
    url: str | None
    metadata: Metadata
    passages: tuple[Passage, ...]
    legs: Mapping[str, LegScore] = field(default_factory=dict)
