"""What the client returns besides search results and jobs. What a newer service tells more is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from retrieval.types import JsonValue, Link, Metadata

Body = Mapping[str, JsonValue]


class Failure(NamedTuple):
    """A document, file or record that was not kept, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of documents: how many are new or changed, and how many were there already.

    `indexed` says whether searches find them; if not, they are safe, and found once the index's owner has followed.
    """

    kept: int
    unchanged: int
    chunks: int
    embedded: int
    failures: Sequence[Failure]
    indexed: bool

    @classmethod
    def of(cls, body: Body) -> "Kept":
        """Read an answer."""
        return cls(body["kept"], body["unchanged"], body["chunks"], body["embedded"], _failures(body), body["indexed"])


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that was read, by what it is called there; `unchanged` says that it was there already."""

    name: str
    unchanged: bool


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """What became of files; `kept` counts the documents in them that are new or changed."""

    files: Sequence[KeptFile]
    kept: int
    chunks: int
    embedded: int
    failures: Sequence[Failure]
    indexed: bool

    @classmethod
    def of(cls, body: Body) -> "KeptFiles":
        """Read an answer."""
        files = tuple(KeptFile(file["name"], file["unchanged"]) for file in body["files"])
        return cls(files, body["kept"], body["chunks"], body["embedded"], _failures(body), body["indexed"])


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many documents were deleted, and whether searches know it already."""

    deleted: int
    indexed: bool

    @classmethod
    def of(cls, body: Body) -> "Deleted":
        """Read an answer."""
        return cls(body["deleted"], body["indexed"])


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document in a list."""

    id: str
    title: str
    url: str | None
    metadata: Metadata

    @classmethod
    def of(cls, body: Body) -> "ListedDocument":
        """Read an answer."""
        return cls(body["id"], body["title"], body["url"], body["metadata"])


@dataclass(frozen=True, slots=True)
class WholeDocument:
    """A document as it was understood. `etag` is what a write takes that must not undo another's."""

    id: str
    title: str
    url: str | None
    metadata: Metadata
    created: str | None
    updated: str | None
    tags: Sequence[str]
    links: Sequence[Link]
    text: str
    etag: str

    @classmethod
    def of(cls, body: Body, etag: str) -> "WholeDocument":
        """Read an answer."""
        return cls(
            id=body["id"],
            title=body["title"],
            url=body["url"],
            metadata=body["metadata"],
            created=body["created"],
            updated=body["updated"],
            tags=tuple(body["tags"]),
            links=tuple(Link(link["target"], link["anchor"], link["sentence"]) for link in body["links"]),
            text=body["text"],
            etag=etag,
        )


@dataclass(frozen=True, slots=True)
class ListedCollection:
    """A collection; `pending` changes are safe and not yet searchable, `model` is None before the first ingest."""

    name: str
    documents: int
    chunks: int
    model: str | None
    language: str
    created_at: str
    pending: int

    @classmethod
    def of(cls, body: Body) -> "ListedCollection":
        """Read an answer."""
        return cls(**{name: body[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model: what collections use it for, what was last said of it, how it came about."""

    version: str
    fingerprint: str
    dimensions: int
    precision: str
    source: str
    uses: Sequence[str]
    said: str
    provenance: Metadata

    @classmethod
    def of(cls, body: Body) -> "ListedModel":
        """Read an answer."""
        return cls(**{name: body[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Switch:
    """Which model a collection is searched with now, and which one before."""

    collection: str
    model: str
    before: str

    @classmethod
    def of(cls, body: Body) -> "Switch":
        """Read an answer."""
        return cls(**{name: body[name] for name in cls.__slots__})


def _failures(body: Body) -> Sequence[Failure]:
    return tuple(Failure(failure["id"], failure["reason"]) for failure in body["failures"])
