"""Sources: each format turns bytes into documents."""

from indexer.sources.base import Item, Problem, Source, SourceOptions
from indexer.sources.resolve import lasting, open_source

__all__ = ["Item", "Problem", "Source", "SourceOptions", "lasting", "open_source"]
