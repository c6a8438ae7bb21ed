"""What every source is: a cheap listing of items, the bytes of one, and the documents these bytes hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

from retrieval.types import Document, Metadata


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the person who asked for a source said about it.

    `metadata` comes from --meta and is their explicit word: it wins over what a document says of itself.
    """

    format: str = "auto"
    base_url: str | None = None
    metadata: Metadata = field(default_factory=dict)
    max_file_bytes: int = 20_000_000
    allow_private: bool = False
    id_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One file, page or module of a source.

    `key` is stable within the source's root (a posix relative path, a URL, a dotted name); `locator` says where it is
    (an absolute path, a URL, a module) and `format` how it is parsed.
    """

    key: str
    locator: str
    format: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a listing could not make an item of, or a parser a document of: a bad line among good ones.

    `skipped` is True where it was left out on purpose, and False where it failed.
    """

    key: str
    reason: str
    skipped: bool


class Source(Protocol):
    """A folder, a file, a site or some Python packages.

    `version` changes when a parser improves, so that an unchanged item is parsed again. `lists_all` is False where the
    listing is a part of what `root` names: what it lacks is not gone.
    """

    version: ClassVar[str]
    lists_all: ClassVar[bool]

    @property
    def root(self) -> str:
        """The canonical name of what was asked for: an absolute folder path, a URL, "pydoc:json"."""

    def items(self) -> Iterator[Item | Problem]:
        """List what there is, in a stable order, without reading or parsing it.

        Raises SourceError where the root itself cannot be listed; anything smaller is a Problem.
        """

    def read(self, item: Item) -> bytes:
        """Return the bytes whose hash decides whether the item changed.

        Raises Skipped for what is left out (binary, too large, empty) and SourceError for what cannot be read.
        """

    def parse(self, item: Item, data: bytes) -> Sequence[Document | Problem]:
        """Return the documents of an item, with `finished` applied, and the records that could not become one.

        Raises Skipped or ParseError where there is no document to be had at all, and nothing else.
        """


class Parse(Protocol):
    """A format's parser: bytes to documents, raising Skipped or ParseError and nothing else.

    A parser leaves `options.metadata` and `options.id_prefix` alone: the Source applies them, once, with `finished`.
    It writes each link's target as the document has it; an HTML page that was fetched gets absolute targets.
    """

    def __call__(self, data: bytes, item: Item, options: SourceOptions) -> Sequence[Document | Problem]:
        """Return the documents in `data`, and a Problem for each record of it that could not become one."""


def finished(document: Document, options: SourceOptions) -> Document:
    """Return the document with --meta and the id prefix applied; every Source calls it on what its parser returns."""
    metadata: Mapping[str, object] = {**document.metadata, **options.metadata}
    return replace(document, id=options.id_prefix + document.id, metadata=metadata)


def all_finished(parts: Sequence[Document | Problem], options: SourceOptions) -> list[Document | Problem]:
    """Return what a parser gave with every document finished and every problem as it is."""
    return [finished(part, options) if isinstance(part, Document) else part for part in parts]
