"""Files that were sent rather than found: a source over their names and bytes, each read by itself, apart."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import ClassVar

from indexer.apart.reader import Reader
from indexer.ingest import Ingest, Summary
from indexer.pipeline import Pipeline
from indexer.sources.base import Item, Problem, SourceOptions, all_finished
from indexer.sources.decoding import binary_reason
from indexer.sources.folder import FolderSource, checked_bytes, checked_size
from indexer.sources.formats import LINKED, checked_format, format_of
from indexer.sources.links import LinkIndex
from retrieval.errors import Skipped
from retrieval.types import Document

ROOT = "upload"
"""The source root of every file that was sent."""
MOST_NAME_CHARS = 1_000
_ARCHIVES = frozenset(
    [".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".zst", ".7z", ".rar", ".jar", ".cab", ".iso"]
)
_OFFICE = frozenset(
    [
        ".doc",
        ".docx",
        ".odt",
        ".rtf",
        ".xls",
        ".xlsx",
        ".ods",
        ".ppt",
        ".pptx",
        ".odp",
        ".pages",
        ".numbers",
        ".key",
        ".epub",
        ".mobi",
    ]
)
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as a client sends it; its name may be anything."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """Files, and how to read them: `options` as `tandem ingest` has them."""

    files: Sequence[Sent]
    options: SourceOptions = field(default_factory=SourceOptions)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of files: those read now and those that were there already, by what they are called here."""

    read: Sequence[str]
    unchanged: Sequence[str]
    summary: Summary


def relative_name(sent: str) -> str:
    """Return a file's name as an id may have it: relative, "/" between its parts, none of them "..", all printable.

    It is never used as a path. Returns "" where nothing is left.
    """
    name = unicodedata.normalize("NFC", _DRIVE.sub("", sent, count=1) if _DRIVE.match(sent) else sent)
    printable = "".join(c for c in name.replace("\\", "/") if c.isprintable())
    parts = [part.strip() for part in printable.split("/")]
    return "/".join(part for part in parts if part not in ("", ".", ".."))[-MOST_NAME_CHARS:].lstrip("/ ")


class UploadSource:
    """A source whose items are files that were sent; `read_keys` are those that were parsed."""

    version: ClassVar[str] = f"upload-1/{FolderSource.version}"
    lists_all: ClassVar[bool] = True

    def __init__(self, files: Sequence[Sent], options: SourceOptions, reader: Reader) -> None:
        """Raises UsageError for an unknown format."""
        self._files = files
        self.options = replace(options, format=checked_format(options.format))
        self._reader = reader
        self._data: dict[str, bytes] = {}
        self._links = LinkIndex(())
        self.read_keys: list[str] = []

    @property
    def root(self) -> str:
        """What every file that was sent comes from."""
        return ROOT

    def items(self) -> Iterator[Item | Problem]:
        """List the files that have a name of their own and a format, each under its id's prefix."""
        self._data.clear()
        listed = [self._listed(sent) for sent in self._files]
        named = [replace(item, key=self._name(item.key)) for item in listed if isinstance(item, Item)]
        prefix = self.options.id_prefix
        self._links = LinkIndex(named, base_url=self.options.base_url, id_prefix=prefix)
        yield from listed

    def _listed(self, sent: Sent) -> Item | Problem:
        name = relative_name(sent.name)
        key = self.options.id_prefix + name
        if not name:
            return Problem(sent.name[:100] or "a file", "It has no name that an id could be made of.", skipped=False)
        if key in self._data:
            return Problem(key, "Another file of this request has the same name; send it by itself.", skipped=False)
        suffix = PurePosixPath(name).suffix.lower()
        kind = format_of(suffix, self.options.format)
        if suffix in _ARCHIVES | _OFFICE or kind is None:
            return Problem(key, _unread(suffix), skipped=False)
        self._data[key] = sent.data
        return Item(key, "", kind, len(sent.data))

    def read(self, item: Item) -> bytes:
        """Return a file's bytes; raises Skipped where it is too large, empty or binary."""
        data = self._data[item.key]
        name = self._name(item.key)
        checked_size(name, len(data), self.options.max_file_bytes)
        if item.format != "pdf" and (binary := binary_reason(data)) is not None:
            raise Skipped(f"{name} is {binary}, not {item.format}; archives are not unpacked.")
        return checked_bytes(replace(item, key=name), data)

    def parse(self, item: Item, data: bytes) -> Sequence[Document | Problem]:
        """Return a file's documents, links resolved to the ids of those sent with it."""
        name = self._name(item.key)
        parts = self._reader.parse(data, replace(item, key=name), self.options)
        if item.format in LINKED:
            parts = [self._linked(part, name) if isinstance(part, Document) else part for part in parts]
        self.read_keys.append(item.key)
        return all_finished(parts, self.options)

    def _linked(self, document: Document, name: str) -> Document:
        return replace(document, links=self._links.resolved(document.links, name))

    def _name(self, key: str) -> str:
        """Return what a file is called without the prefix, which is put before its documents' ids at the end."""
        return key.removeprefix(self.options.id_prefix)


def upload(pipeline: Pipeline, sent: Upload, *, on_commit: Callable[[], None] | None = None) -> Uploaded:
    """Keep what files hold; an unchanged one costs nothing, a failing one stops no other.

    What `on_commit` raises, after a transaction, ends it there. Raises UsageError for an unknown format.
    """
    with Reader() as reader:
        source = UploadSource(sent.files, sent.options, reader)
        ingest = Ingest(pipeline, [source], source.options, on_commit=on_commit)
        unchanged = [key for plan in ingest.plans for key in sorted(plan.kept - _told(plan.problems))]
        summary = ingest.run()
    return Uploaded(source.read_keys, unchanged, summary)


def _told(problems: Sequence[Problem]) -> set[str]:
    return {problem.key for problem in problems}


def _unread(suffix: str) -> str:
    if suffix in _ARCHIVES:
        return f"It is an archive ({suffix}), which is not unpacked; send the files that are in it."
    if suffix in _OFFICE:
        return f"Files of the kind {suffix} are not read; send it as PDF, HTML, Markdown or text."
    shown = suffix or "none"
    return f"Its extension ({shown}) means no format; send Markdown, HTML, text or such, or say the format."
