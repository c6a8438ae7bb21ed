"""From an address as written in one file to the id of the document it leads to."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from indexer.sources.base import Item
from indexer.sources.decoding import decoded
from indexer.sources.fields import permalinks
from indexer.sources.front_matter import split_front_matter
from retrieval.errors import Skipped
from retrieval.types import Link

_ENDING = re.compile(r"\.(?:md|markdown|mdx|svx|qmd|rmd|html?|xhtml|rst|txt|php)$", re.IGNORECASE)
_FILE = re.compile(r"\.[a-z][a-z\d]{1,4}$", re.IGNORECASE)
_FOLDER_PAGE = re.compile(r"(?:^|/)(?:_?index|readme)$", re.IGNORECASE)
_DATED_NAME = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}[-_]")
_DISTINCT_NAME = re.compile(r"(?=.{8})[^/]*[a-z][^/]*[-_.\d]", re.IGNORECASE)
_HEAD_BYTES = 8_192
_MOST_HEADS = 5_000


class _Address(NamedTuple):
    """A link's target taken apart; `host` is empty for an address within the site."""

    host: str
    path: str
    fragment: str


class LinkIndex:
    """Knows every file of a folder by its path, its page address, its permalinks and its name."""

    def __init__(self, items: Iterable[Item], *, base_url: str | None = None, id_prefix: str = "") -> None:
        """Index the items; their front matter is read only when a link needs it."""
        self._items = {item.key: item for item in items}
        self._id_prefix = id_prefix
        self._base = urlsplit((base_url or "").partition("{")[0])
        self._pages: dict[str, str] = {}
        for key in self._items:
            self._pages.setdefault(_page(key), key)

    def resolved(self, links: Sequence[Link], key: str) -> tuple[Link, ...]:
        """Return the links that stay inside, each with the id of its target; those of the file `key`.

        A link below the base URL that leads to none of the files keeps its absolute address.
        """
        found = (replace(link, target=target) for link in links if (target := self._target(link.target, key)))
        return tuple(dict.fromkeys(found))

    def _target(self, written: str, key: str) -> str | None:
        address = _address(written)
        if address is None or not (address.path or address.host):
            return None
        found = self._elsewhere(address) if address.host else self._here(address.path, key)
        if found == key:
            return None
        if found is not None:
            return self._id_prefix + found + address.fragment
        is_page = _ENDING.search(address.path) or not _FILE.search(address.path)
        return written if is_page and address.host and address.host == _host(self._base.netloc) else None

    def _elsewhere(self, address: _Address) -> str | None:
        """Follow an absolute URL: within the base URL like a site path, elsewhere only by an unmistakable permalink."""
        if address.host == _host(self._base.netloc):
            within = address.path.removeprefix(self._base.path.rstrip("/"))
            return self._by_path(within.lstrip("/")) or self._by_permalink(address.path) or self._by_name(address.path)
        if address.path.strip("/").count("/") >= 2:
            return self._by_permalink(address.path)
        return None

    def _here(self, path: str, key: str) -> str | None:
        if path.startswith("@/"):  # Zola's root
            return self._by_path(path[2:])
        if path.startswith("/"):
            within = path.removeprefix(self._base.path.rstrip("/")).lstrip("/")
            return self._by_path(within) or self._by_permalink(path) or self._by_name(path)
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(key), path))
        below = posixpath.normpath(posixpath.join(_ENDING.sub("", key), path))  # where pages have folders of their own
        by_file = self._by_path(beside) or self._by_path(below) or self._by_path(path.lstrip("./"))
        return by_file or self._by_permalink(path.lstrip("./")) or self._by_name(path)

    def _by_path(self, path: str) -> str | None:
        if path in self._items:
            return path
        path = "" if path == "." else path
        return None if path.startswith("..") else self._pages.get(_page(path))

    def _by_permalink(self, path: str) -> str | None:
        page = _page(path.strip("/"))
        return self._permalinks.get(page) if page else None

    def _by_name(self, path: str) -> str | None:
        """Find the one file of that name, where the name is telling enough and no other file has it."""
        name = _DATED_NAME.sub("", _page(path.rstrip("/")).rpartition("/")[2])
        keys = self._names.get(name, ()) if _DISTINCT_NAME.match(name) else ()
        return keys[0] if len(keys) == 1 else None

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for key in self._items:
            name = _DATED_NAME.sub("", _page(key).rpartition("/")[2])
            names.setdefault(name, []).append(key)
        return names

    @cached_property
    def _permalinks(self) -> dict[str, str]:
        found: dict[str, str] = {}
        markdown = [item for item in self._items.values() if item.format == "markdown"]
        for item in markdown[:_MOST_HEADS]:
            for permalink in _declared(Path(item.locator)):
                found.setdefault(_page(permalink.strip("/")), item.key)
        return found


def _declared(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            head = decoded(file.read(_HEAD_BYTES))
    except (OSError, Skipped):
        return
    for permalink in permalinks(split_front_matter(head).fields):
        yield _path_of(permalink)


def _path_of(address: str) -> str:
    """Return the path of an address, which may be one already; empty where it cannot be taken apart."""
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _address(written: str) -> _Address | None:
    try:
        parts = urlsplit(written.strip())
    except ValueError:
        return None
    if parts.scheme not in ("", "http", "https") or (parts.scheme and not parts.netloc):
        return None
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return _Address(_host(parts.netloc), unquote(parts.path), fragment)


def _host(netloc: str) -> str:
    return netloc.lower().removeprefix("www.")


def _page(path: str) -> str:
    """Return the form in which a file's path and its page's address are the same: no ending, no index."""
    return _FOLDER_PAGE.sub("", _ENDING.sub("", path.rstrip("/")))
