"""The documentation of an installed Python package: a document for each module, class, function and method."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cached_property
from importlib import metadata
from typing import Any, ClassVar

from indexer.sources.base import Item, Problem, SourceOptions, finished
from indexer.sources.docstrings import blocks_of
from indexer.sources.fields import address_of
from indexer.sources.introspection import Entry, entries_of
from indexer.sources.references import links_in
from retrieval.errors import ParseError, SourceError, UsageError
from retrieval.types import Block, BlockKind, Document, Link


def packages_in(names: str) -> list[str]:
    """Split "json, asyncio" into dotted names, each once; raises UsageError for one that is no dotted name."""
    packages = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    wrong = [name for name in packages if not all(part.isidentifier() for part in name.split("."))]
    if wrong or not packages:
        raise UsageError(f"pydoc:{names} names {wrong[0] if wrong else 'no package'!r}; write pydoc:json,asyncio.")
    return packages


class PydocSource:
    """One package; its items are its public modules, and a document's id is its public dotted name."""

    version: ClassVar[str] = "pydoc-1"
    lists_all: ClassVar[bool] = True

    def __init__(self, package: str, options: SourceOptions) -> None:
        """Remember the package; it is imported when it is first listed."""
        self._package = package
        self._options = options

    @property
    def root(self) -> str:
        """The package with the scheme: "pydoc:json"."""
        return f"pydoc:{self._package}"

    @cached_property
    def _found(self) -> tuple[dict[str, list[Entry]], list[Problem]]:
        entries, problems = entries_of(self._package)
        modules: dict[str, list[Entry]] = {}
        for entry in entries:
            modules.setdefault(entry.module, []).append(entry)
        return modules, problems

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(entry.name for entries in self._found[0].values() for entry in entries)

    @cached_property
    def _release(self) -> str:
        return release_of(self._package)

    def items(self) -> Iterator[Item | Problem]:
        """List the modules that document something; raises SourceError where the package cannot be imported."""
        modules, problems = self._found
        for module in sorted(modules):
            yield Item(module, module, "pydoc")
        yield from problems

    def read(self, item: Item) -> bytes:
        """Return all that is known of a module as JSON; two runs over the same code give the same bytes."""
        entries = self._found[0].get(item.key)
        if entries is None:
            raise SourceError(f"The module {item.key!r} documents nothing any more; ingest {self.root} again.")
        records = [
            {**asdict(entry), "links": [asdict(link) for link in links_in(entry.docstring, entry.name, self._names)]}
            for entry in entries
        ]
        content = {"package": self._package, "release": self._release, "entries": records}
        return json.dumps(content, sort_keys=True, ensure_ascii=True).encode("ascii")

    def parse(self, item: Item, data: bytes) -> list[Document]:
        """Return a document for each entry of the module, from the bytes alone."""
        try:
            content = json.loads(data)
            documents = [_document(record, content) for record in content["entries"]]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ParseError(f"{item.key} is not what pydoc wrote ({type(error).__name__}: {error}).") from None
        base = self._options.base_url
        return [finished(replace(found, url=address_of(found.id, base)), self._options) for found in documents]


def release_of(package: str) -> str:
    """Return the version of the distribution that a package came with, or Python's for the standard library."""
    top = package.partition(".")[0]
    if top in sys.stdlib_module_names:
        return ".".join(map(str, sys.version_info[:3]))
    distributions = metadata.packages_distributions().get(top, [])
    return metadata.version(distributions[0]) if distributions else ""


def _document(record: dict[str, Any], content: dict[str, Any]) -> Document:
    name, aliases = str(record["name"]), [str(alias) for alias in record["aliases"]]
    said = {
        "kind": str(record["kind"]),
        "module": str(record["module"]),
        "package": str(content["package"]),
        "version": str(content["release"]),
    }
    return Document(
        id=name,
        title=name,
        blocks=tuple(_blocks(record)),
        metadata={**said, "aliases": aliases} if aliases else said,
        links=tuple(Link(str(o["target"]), str(o["anchor"]), str(o["sentence"])) for o in record["links"]),
    )


def _blocks(record: dict[str, Any]) -> Iterator[Block]:
    if record["signature"]:
        yield Block(BlockKind.CODE, f"{record['name']}{record['signature']}", language="python")
    if record["kind"] == "method" and not record["docstring"]:
        owner = str(record["name"]).rpartition(".")[0]
        yield Block(BlockKind.PARAGRAPH, f"Method of {owner}. {record['owner']}".strip())
    yield from blocks_of(str(record["docstring"]))
    for value in record["values"]:
        yield Block(BlockKind.ROW, str(value))
