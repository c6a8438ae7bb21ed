"""Sources: each format turns bytes into documents."""

from indexer.sources.base import Item, Problem, Source, SourceOptions
from indexer.sources.resolve import open_source

__all__ = ["Item", "Problem", "Source", "SourceOptions", "open_source"]
