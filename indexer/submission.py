"""Documents that were sent rather than found: a source over what a client submitted, so that ingest treats it alike."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from textwrap import shorten
from typing import ClassVar

from indexer.ingest import Ingest, Summary
from indexer.pipeline import Pipeline
from indexer.sources import Item, Problem, SourceOptions
from indexer.sources.texts import blocks_and_links
from retrieval.errors import Skipped
from retrieval.types import Block, BlockKind, Document, JsonValue

ROOT = "api"
"""The source root of every submitted document."""
TITLE_CHARS = 100
"""A title taken from a text without headings is cut to this length."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A document as a client sends it; `format` is markdown, html or text."""

    id: str
    text: str
    title: str = ""
    format: str = "markdown"
    url: str | None = None
    created: str | None = None
    updated: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)


class Submission:
    """A source whose items are submitted documents."""

    version: ClassVar[str] = "1"
    lists_all: ClassVar[bool] = True

    def __init__(self, documents: Sequence[Submitted]) -> None:
        self._documents = {document.id: document for document in documents}

    @property
    def root(self) -> str:
        """What every submitted document comes from."""
        return ROOT

    def items(self) -> Iterator[Item | Problem]:
        """List the documents."""
        for document in self._documents.values():
            yield Item(document.id, document.id, document.format, len(document.text))

    def read(self, item: Item) -> bytes:
        """Return a document as bytes, for its hash."""
        return json.dumps(asdict(self._documents[item.key]), sort_keys=True, default=str).encode()

    def parse(self, item: Item, data: bytes) -> Sequence[Document | Problem]:  # noqa: ARG002  # the protocol's
        """Return the document; raises Skipped for one without any text."""
        sent = Submitted(**json.loads(data))
        if not sent.text.strip() and not sent.title.strip():
            raise Skipped("It has neither title nor text; send at least one.")
        blocks, links = blocks_and_links(sent.text, sent.format)
        document = Document(
            id=sent.id,
            title=sent.title.strip() or _title(blocks) or sent.id,
            blocks=blocks,
            url=sent.url,
            created=sent.created,
            updated=sent.updated,
            tags=tuple(sent.tags),
            metadata=sent.metadata,
            links=links,
        )
        return [document]


def _title(blocks: Sequence[Block]) -> str:
    """Return the first heading, or else the beginning of the first line."""
    if heading := next((block.text for block in blocks if block.kind is BlockKind.HEADING), ""):
        return heading
    lines = blocks[0].text.strip().splitlines() if blocks else []
    return shorten(lines[0], TITLE_CHARS, placeholder="...") if lines else ""


def submit(
    pipeline: Pipeline, documents: Sequence[Submitted], *, on_commit: Callable[[], None] | None = None
) -> Summary:
    """Keep submitted documents in the catalog; an unchanged one costs nothing, a failing one stops no other.

    What `on_commit` raises, after a transaction, ends it there.
    """
    return Ingest(pipeline, [Submission(documents)], SourceOptions(), on_commit=on_commit).run()
