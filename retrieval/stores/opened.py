"""One generation of an embedded index, opened: the engine's shard in a folder, and what is known of it."""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import qdrant_edge as edge

from retrieval.stores import engine
from retrieval.stores.generations import CLEARED, SHARD, SOFT_DELETES
from retrieval.stores.payload import DOCUMENT

PAGE = 10_000


@dataclass(slots=True)
class Opened:
    """`sizes` are those of the dense vectors, `indexed` payload fields, `documents` known rows by point.

    `has_soft_deletes` says that the engine still counts deleted points in IDF.
    """

    folder: Path
    shard: edge.EdgeShard
    sizes: dict[str, int]
    indexed: set[str]
    has_soft_deletes: bool
    documents: dict[int, int] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, *, indexing_threshold_kb: int) -> Self:
        """Open or create the index in a folder."""
        shutil.rmtree(folder / CLEARED, ignore_errors=True)
        path = folder / SHARD
        with engine.engine_errors(folder, "opening"):
            shard = engine.open_shard(path, indexing_threshold_kb=indexing_threshold_kb)
            sizes = engine.dense_sizes(path)
            return cls(folder, shard, sizes, set(shard.info().payload_schema), (folder / SOFT_DELETES).exists())

    def close(self) -> None:
        """Flush and close."""
        self.shard.flush()
        self.shard.close()

    def put_away(self) -> None:
        """Close the shard and have it deleted by whoever opens the folder next."""
        self.shard.close()
        (self.folder / SHARD).rename(self.folder / CLEARED)
        self.forget_soft_deletes()

    def known(self, ids: Iterable[int]) -> list[int]:
        """Return those of `ids` that there are, ascending."""
        asked = sorted({i for i in ids if i >= 0})
        return [
            int(r.id)
            for s in range(0, len(asked), PAGE)
            for r in self.shard.retrieve(list(asked[s : s + PAGE]), False, False)
        ]

    def note_soft_deletes(self, ids: Sequence[int]) -> None:
        """Record that some of `ids` are about to be deleted or replaced, if there are any of them."""
        if self.has_soft_deletes or not self.known(ids):
            return
        descriptor = os.open(self.folder / SOFT_DELETES, os.O_WRONLY | os.O_CREAT, 0o600)
        os.fsync(descriptor)
        os.close(descriptor)
        self.has_soft_deletes = True

    def forget_soft_deletes(self) -> None:
        """Record that the engine counts living points only."""
        (self.folder / SOFT_DELETES).unlink(missing_ok=True)
        self.has_soft_deletes = False

    def documents_of(self, ids: Sequence[int]) -> list[int]:
        """Return the document of each point, reading those that are not known yet."""
        try:
            return list(map(self.documents.__getitem__, ids))
        except KeyError:
            self._learn([point_id for point_id in ids if point_id not in self.documents])
            return list(map(self.documents.__getitem__, ids))

    def index_field(self, name: str) -> None:
        """Index a payload field, unless it is."""
        if name not in self.indexed:
            self.shard.update(engine.field_index(name))
            self.indexed.add(name)

    def _learn(self, ids: Sequence[int]) -> None:
        records = self.shard.retrieve(list(ids), edge.PayloadSelector.Include([DOCUMENT]), False)
        self.documents.update((int(record.id), (record.payload or {})[DOCUMENT]) for record in records)
