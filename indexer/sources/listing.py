"""The files of a folder that may be documents: sorted, nothing hidden, nothing outside."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from indexer.sources.base import Item, Problem
from indexer.sources.formats import format_of

_NOT_WRITING = frozenset({"node_modules", "bower_components", "__pycache__", "site-packages"})
"""Folders of other people's code and of caches. What begins with a dot is passed over besides."""
_FEED_MARKS = (b"<rss", b"<feed", b"<rdf:rdf")
_SNIFFED_BYTES = 2048
_MOST_NAMED = 8


@dataclass(slots=True)
class Listing:
    """Walks one folder; `passed` counts the extensions of files that no parser reads."""

    root: Path
    format: str = "auto"
    passed: Counter[str] = field(default_factory=Counter)

    def entries(self) -> Iterator[Item | Problem]:
        """Give the folder's items sorted by path, the problems met, and at the end what was passed over."""
        self.passed.clear()
        yield from self._walk(self.root)
        if self.passed:
            yield Problem(".", _told(self.passed), skipped=True)

    def _walk(self, top: Path) -> Iterator[Item | Problem]:
        folders = [top]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as scanned:
                    found = sorted(scanned, key=lambda entry: entry.name)
            except OSError as error:
                yield Problem(_printable(self._key(folder)), f"The folder cannot be read ({error.strerror}).", False)
                continue
            if any(entry.name == "pyvenv.cfg" for entry in found):
                continue  # a virtual environment, whatever its name
            inner = [
                Path(entry) for entry in found if entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name)
            ]
            folders.extend(reversed(inner))
            for entry in found:
                if not entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name):
                    yield from self._file(Path(entry))

    def _file(self, path: Path) -> Iterator[Item | Problem]:
        key = self._key(path)
        name = format_of(path.suffix, self.format)
        if name is None:
            self.passed[path.suffix.lower()] += 1
            return
        if (problem := self._problem(path, key)) is not None:
            yield problem
            return
        try:
            if path.suffix.lower() == ".xml" and not _is_feed(path):
                self.passed[".xml"] += 1
                return
            yield Item(key, str(path), name, path.stat().st_size)
        except OSError as error:
            yield Problem(key, f"It cannot be read ({error.strerror}).", skipped=False)

    def _problem(self, path: Path, key: str) -> Problem | None:
        if _printable(key) != key:
            return Problem(_printable(key), "Its name is not valid UTF-8; rename it to have it read.", skipped=False)
        if path.is_symlink() and not leads_inside(path, self.root):
            return Problem(key, "It is a symbolic link that leads out of the folder or nowhere.", skipped=True)
        if not path.is_file():
            return Problem(key, "It is no regular file.", skipped=True)
        return None

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def is_hidden(name: str) -> bool:
    """Say whether a file or folder is passed over for its name."""
    return name.startswith(".") or name in _NOT_WRITING


def leads_inside(path: Path, root: Path) -> bool:
    """Say whether a path, links resolved, is a regular file below the root that would be listed by itself."""
    try:
        real = path.resolve(strict=True)
        inside = real.relative_to(root.resolve(strict=True))
        return stat.S_ISREG(real.stat().st_mode) and not any(is_hidden(part) for part in inside.parts)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle
        return False


def _is_feed(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_SNIFFED_BYTES).lower()
    return any(mark in head for mark in _FEED_MARKS)


def _told(passed: Counter[str]) -> str:
    named = [f"{extension or 'no extension'} {count:,}" for extension, count in passed.most_common(_MOST_NAMED)]
    more = f" and {len(passed) - _MOST_NAMED} more kinds" if len(passed) > _MOST_NAMED else ""
    total = passed.total()
    return f"{total:,} {'file' if total == 1 else 'files'} of kinds that are not read: {', '.join(named)}{more}."


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
