"""Sources on disk: a folder of files, or one file given by name."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar

from indexer.sources.base import Item, Problem, SourceOptions, all_finished
from indexer.sources.decoding import binary_reason
from indexer.sources.formats import LINKED, TEXTUAL, checked_format, format_of, parser_of
from indexer.sources.links import LinkIndex
from indexer.sources.listing import Listing, leads_inside
from retrieval.errors import Skipped, SourceError, UsageError
from retrieval.types import Document

_MOST_KEYS = 50_000


class FolderSource:
    """Every file below a folder that a parser reads; --format reads the extensions that mean nothing by themselves."""

    version: ClassVar[str] = "files-1"
    lists_all: ClassVar[bool] = True

    def __init__(self, path: Path, options: SourceOptions) -> None:
        """Take an absolute folder; nothing is read yet. Raises UsageError for an unknown format."""
        self._path = path
        self._options = replace(options, format=checked_format(options.format))
        self._link_index: LinkIndex | None = None

    @property
    def root(self) -> str:
        """The folder's absolute path."""
        return str(self._path)

    def items(self) -> Iterator[Item | Problem]:
        """List the files, sorted; raises SourceError where the folder itself cannot be read."""
        if not os.access(self._path, os.R_OK | os.X_OK):
            raise SourceError(f"The folder {self.root!r} cannot be read; check that it exists and its permissions.")
        self._link_index = None  # the next one is built of what is there now
        yield from Listing(self._path, self._options.format).entries()

    def read(self, item: Item) -> bytes:
        """Return a file's bytes; raises Skipped where it is too large, empty or binary, SourceError if unreadable."""
        path = Path(item.locator)
        if path.is_symlink() and not leads_inside(path, self._path):
            raise Skipped(f"{item.key} is a symbolic link that leads out of the folder or nowhere.")
        return checked_bytes(item, _bytes_of(path, item.key, self._options.max_file_bytes))

    def parse(self, item: Item, data: bytes) -> list[Document | Problem]:
        """Return a file's documents, links resolved to the ids of this folder's other documents."""
        parts = parser_of(item.format)(data, item, self._options)
        if item.format in LINKED:
            parts = [self._linked(part, item.key) if isinstance(part, Document) else part for part in parts]
        return all_finished(parts, self._options)

    def _linked(self, document: Document, key: str) -> Document:
        if not document.links:
            return document
        if self._link_index is None:
            self._link_index = self._built_index()
        return replace(document, links=self._link_index.resolved(document.links, key))

    def _built_index(self) -> LinkIndex:
        listed = islice(Listing(self._path, self._options.format).entries(), _MOST_KEYS)
        items = [entry for entry in listed if isinstance(entry, Item)]
        return LinkIndex(items, base_url=self._options.base_url, id_prefix=self._options.id_prefix)


class FileSource(FolderSource):
    """One file given by name. Its root is the folder it lies in, so that it is the same document ingested with that."""

    lists_all: ClassVar[bool] = False

    def __init__(self, path: Path, options: SourceOptions) -> None:
        """Take an absolute path; --format overrides what its extension means."""
        super().__init__(path.parent, options)
        self._name = path.name

    def items(self) -> Iterator[Item | Problem]:
        """List the one file."""
        path = self._path / self._name
        chosen = self._options.format
        found = chosen if chosen != "auto" else format_of(path.suffix)
        if found is None:
            raise UsageError(
                f"{self._name!r} has the extension {path.suffix!r}, which means no format; say which with --format."
            )
        try:
            size_bytes = path.stat().st_size
        except OSError as error:
            raise SourceError(f"{str(path)!r} cannot be read ({error.strerror}).") from None
        yield Item(self._name, str(path), found, size_bytes)


def checked_bytes(item: Item, data: bytes) -> bytes:
    """Return a file's bytes; raises Skipped where it is empty, or binary under the name of a text."""
    if not data.strip():
        raise Skipped(f"{item.key} is empty: no text.")
    if item.format in TEXTUAL and (binary := binary_reason(data)) is not None:
        raise Skipped(f"{item.key} is named like {item.format} but is binary ({binary}).")
    return data


def checked_size(key: str, size_bytes: int, max_bytes: int) -> None:
    """Raise Skipped for a file over the limit."""
    if size_bytes > max_bytes:
        raise Skipped(
            f"{key} has {size_bytes:,} bytes, over the limit of {max_bytes:,}; "
            "set TANDEM_MAX_FILE_BYTES higher to have it read."
        )


def _bytes_of(path: Path, key: str, max_bytes: int) -> bytes:
    """Read a regular file of at most `max_bytes`; the size is asked of the file that is open, before it is read."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - of a descriptor
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Skipped(f"{key} is no regular file.")
            checked_size(key, status.st_size, max_bytes)
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise SourceError(f"{key} cannot be read ({error.strerror}); check its permissions.") from None
    checked_size(key, len(data), max_bytes)
    return data
