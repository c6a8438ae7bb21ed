"""Homes for benchmarks: the real default model, a fresh catalog, and ingest as the command does it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from benchmarks.harness import ROOT, SHARED_DATA, progress
from indexer.apply import IndexOwner, open_index
from indexer.ingest import Ingest, Summary
from indexer.pipeline import Pipeline
from indexer.sources import Source, SourceOptions, open_source
from retrieval.home import Home
from retrieval.models import ModelStore
from retrieval.search import Searcher
from retrieval.settings import Settings
from trainer.export import export_in_subprocess

MODULES = "asyncio,os,pathlib,json,logging,subprocess,threading,socket,email,collections"
COLLECTION = "default"


@cache
def exported_model() -> Path:
    """Return the folder of the default model, exported once into the demo's home."""
    progress("Finding the model")
    return ModelStore(Settings(home=ROOT / ".tandem"), export_in_subprocess).folder().path


@contextmanager
def fresh_home(store: str = "edge") -> Iterator[Home]:
    """A new home with the default model, deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="tandem-benchmark-") as folder:
        home = Home.open(Settings(home=Path(folder), model=str(exported_model()), store=store))
        try:
            yield home
        finally:
            home.close()


def writing(modules: str = MODULES, posts: Path = SHARED_DATA / "til") -> list[Source]:
    """Return what to ingest: documentation of Python's own modules, and a folder of posts where it is there."""
    locations = [f"pydoc:{modules}"] + ([str(posts)] if posts.is_dir() else [])
    return [source for location in locations for source in open_source(location, SourceOptions())]


def ingest(home: Home, sources: Sequence[Source]) -> Summary:
    """Ingest as `tandem ingest` does: plan, parse, chunk, embed, commit, and apply to the index after every commit."""
    collection, encoder = home.prepared(COLLECTION)
    with open_index(home.settings, home.catalog, collection) as index:

        def apply() -> None:
            index.apply_pending(more_to_come=True)

        summary = Ingest(
            Pipeline.of(home.catalog, collection, encoder), sources, SourceOptions(), on_commit=apply
        ).run()
        index.apply_pending()
    return summary


@contextmanager
def opened_searcher(home: Home) -> Iterator[tuple[Searcher, IndexOwner]]:
    """The home's collection as a service holds it: index open, what makes it fast loaded."""
    collection = home.catalog.collections.get(COLLECTION)
    encoder = home.encoder(collection)
    with open_index(home.settings, home.catalog, collection) as index:
        index.apply_pending()
        index.store.warm()
        yield Searcher(home.catalog, collection, index.store, lambda: encoder), index
