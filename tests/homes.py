"""Homes for tests: a catalog, the tiny model and an index in a folder, and sources whose every step is seen."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest

from indexer.apply import IndexOwner, open_index
from indexer.chunking import Chunker
from indexer.ingest import Ingest, Summary
from indexer.pipeline import Pipeline
from indexer.sources import Item, Problem, Source, SourceOptions
from retrieval.analysis import Analyzer
from retrieval.catalog import Collection, CollectionConfig
from retrieval.encoder import OnnxEncoder
from retrieval.errors import TandemError
from retrieval.home import Home
from retrieval.query import Query
from retrieval.results import SearchResult
from retrieval.search import Searcher
from retrieval.settings import Settings
from retrieval.types import Block, BlockKind, Document, FloatArray, Mode

REPOSITORY = Path(__file__).resolve().parents[1]


def page(document_id: str, *paragraphs: str, title: str = "", **fields: object) -> Document:
    """Return a document of paragraphs; `fields` are its metadata."""
    blocks = tuple(Block(BlockKind.PARAGRAPH, text) for text in paragraphs)
    return Document(document_id, title or document_id, blocks, metadata=fields)


def _settings(model: Path) -> Settings:
    return Settings(home=model.parent / "template", model=str(model), threads=1)


@cache
def _template(model: Path) -> Path:
    """A home with an empty collection: copying it is several times faster than making one."""
    home = Home.open(_settings(model))
    home.prepared("default")
    home.close()
    return home.settings.home


@cache
def _bare_template(model: Path) -> Path:
    home = Home.open(replace(_settings(model), home=model.parent / "bare-template"))
    home.close()
    return home.settings.home


def opened_home(folder: Path, model: Path, *, is_bare: bool = False, **settings: Any) -> Home:
    """Open the home in `folder`, which is not there yet, with an empty collection "default", or none if it is bare.

    `settings` are others than the model's.
    """
    shutil.copytree(_bare_template(model) if is_bare else _template(model), folder)
    return Home.open(replace(_settings(model), home=folder, **settings))


@cache
def _encoder(model: Path) -> OnnxEncoder:
    return OnnxEncoder.load(model, threads=1)


@cache
def _chunker(model: Path) -> Chunker:
    return Chunker(_encoder(model).tokenizer_json)


Content = Sequence[Document | Problem] | TandemError


@dataclass(slots=True)
class Pages:
    """A source held in memory: what each item gives or raises, and a list of those that were parsed.

    An item changes when its content's representation does. `problems` are part of the listing; `unreadable` raise when
    read.
    """

    content: dict[str, Content]
    root: str = "/pages"
    problems: Sequence[Problem] = ()
    unreadable: Mapping[str, TandemError] = field(default_factory=dict)
    parsed: list[str] = field(default_factory=list)
    version: ClassVar[str] = "1"
    lists_all: ClassVar[bool] = True

    @classmethod
    def of(cls, *documents: Document, root: str = "/pages") -> "Pages":
        """One item a document, called by its id."""
        return cls({document.id: [document] for document in documents}, root)

    def items(self) -> Iterator[Item | Problem]:
        """List the items, then the problems."""
        for key in sorted(self.content):
            yield Item(key, key, "text")
        yield from self.problems

    def read(self, item: Item) -> bytes:
        """Return something that differs when the content does."""
        if item.key in self.unreadable:
            raise self.unreadable[item.key]
        return repr(self.content[item.key]).encode("utf-8", "surrogatepass")

    def parse(self, item: Item, data: bytes) -> Sequence[Document | Problem]:
        """Return the documents, noting that it was asked."""
        self.parsed.append(item.key)
        content = self.content[item.key]
        if isinstance(content, TandemError):
            raise content
        return content


@dataclass(slots=True)
class Counting:
    """An encoder that lists the passages it was given."""

    encoder: OnnxEncoder
    passages: list[str] = field(default_factory=list)

    @property
    def tokenizer_json(self) -> str:
        return self.encoder.tokenizer_json

    @property
    def fingerprint(self) -> str:
        return self.encoder.fingerprint

    @property
    def passage_fingerprint(self) -> str:
        return self.encoder.passage_fingerprint

    @property
    def dimensions(self) -> int:
        return self.encoder.dimensions

    @property
    def max_tokens(self) -> int:
        return self.encoder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.encoder.count_tokens(texts)

    def encode_queries(self, texts: Sequence[str]) -> FloatArray:
        return self.encoder.encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> FloatArray:
        self.passages.extend(texts)
        return self.encoder.encode_passages(texts)


@dataclass(slots=True)
class Workbench:
    """One collection of one home, and what its encoder was asked."""

    home: Home
    collection: Collection
    encoder: Counting
    chunker: Chunker

    @classmethod
    def open(cls, folder: Path, model: Path, *, config: CollectionConfig | None = None) -> "Workbench":
        """Open the home in `folder`, which is not there yet, with the collection "default"."""
        shutil.copytree(_template(model), folder)
        home = Home.open(replace(_settings(model), home=folder))
        collection = home.catalog.collections.get("default")
        if config:
            config = replace(config, model=collection.config.model)
            collection = home.catalog.collections.configure(collection, config)
        return cls(home, collection, Counting(_encoder(model)), _chunker(model))

    @classmethod
    def copied(cls, template: Path, folder: Path, model: Path) -> "Workbench":
        """Open a copy of a home that was made and closed before."""
        shutil.copytree(template, folder)
        home = Home.open(replace(_settings(model), home=folder))
        return cls(home, home.catalog.collections.get("default"), Counting(_encoder(model)), _chunker(model))

    def close(self) -> None:
        self.home.close()

    def with_store(self, store: str) -> "Workbench":
        """The same home under another TANDEM_STORE."""
        settings = replace(self.home.settings, store=store)
        return replace(self, home=Home(settings, self.home.catalog))

    @property
    def pipeline(self) -> Pipeline:
        analyzer = Analyzer(self.collection.config.language)
        return Pipeline(self.home.catalog, self.collection, self.encoder, self.chunker, analyzer)

    def ingest(self, *sources: Source, prune: bool = False, options: SourceOptions | None = None) -> Summary:
        """Ingest into the catalog alone; the index learns of it when it is next opened."""
        self.encoder.passages.clear()
        return Ingest(self.pipeline, sources, options or SourceOptions()).run(prune=prune)

    def put(self, *documents: Document) -> Summary:
        """Ingest documents, each an item of its own."""
        return self.ingest(Pages.of(*documents))

    @contextmanager
    def index(self) -> Iterator[IndexOwner]:
        """Open the index as its owner, everything applied."""
        with open_index(self.home.settings, self.home.catalog, self.collection) as owner:
            owner.apply_pending()
            yield owner

    def ids(self) -> list[str]:
        """Every document's id, ascending."""
        return sorted(self.home.catalog.documents.keys(self.collection))

    @contextmanager
    def searcher(self) -> Iterator[Searcher]:
        """Open the index and search it."""
        with self.index() as owner:
            yield Searcher(self.home.catalog, self.collection, owner.store, lambda: self.encoder)

    def search(self, text: str, *, mode: Mode = Mode.HYBRID, k: int = 10) -> SearchResult:
        """Search once."""
        with self.searcher() as searcher:
            return searcher.search(Query(text, k, mode))

    def found(self, text: str, *, mode: Mode = Mode.HYBRID, k: int = 10) -> list[str]:
        """Ids of the documents found, best first."""
        return [hit.document_id for hit in self.search(text, mode=mode, k=k).hits]


def environment(home: Path, model: Path) -> dict[str, str]:
    """The environment of a `tandem` that uses this home and the tiny model."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
    return {**kept, "TANDEM_HOME": str(home), "TANDEM_MODEL": str(model), "TANDEM_THREADS": "1"}


def tandem(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=dict(environment), capture_output=True, text=True, timeout=60, check=False
    )


def write_pages(folder: Path, pages: Mapping[str, str]) -> Path:
    """Write text files, by path relative to the folder."""
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs commands in this process, as `tandem` would."""

    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    @classmethod
    def on(cls, home: Path, model: Path, *, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> "Cli":
        """Commands on this home, whatever TANDEM_ variables there were."""
        for name in [name for name in os.environ if name.startswith("TANDEM_")]:
            patch.delenv(name)
        for name, value in environment(home, model).items():
            patch.setenv(name, value)
        return cls(capture, patch)

    def __call__(self, *arguments: str) -> Outcome:
        from service.cli import main

        self.capture.readouterr()
        self.patch.setattr(sys, "argv", ["tandem", *arguments])
        try:
            main()
            code: Any = 0
        except SystemExit as exit_:
            code = exit_.code or 0
        out, err = self.capture.readouterr()
        return Outcome(code, out, err)
