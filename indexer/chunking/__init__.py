"""Document -> Chunks: heading-aware passages of bounded size. Pure and deterministic.

A chunk is cut where its reader would pause. Blocks of one section are packed together into the fewest chunks, of
sizes as equal as they can be; a short section joins the ones that follow it under the same parent; only a block that
does not fit by itself is split, at sentences or blank lines, then lines, then words.
"""

from indexer.chunking.chunker import CHUNKER_VERSION, Chunker

__all__ = ["CHUNKER_VERSION", "Chunker"]
