"""One generation of an embedded index, opened: the engine's shard in a folder, and what is known of it.

The engine numbers its operations, keeps the number with each point that one has changed, and passes over an operation
whose number is not above a point's: it takes it for one that it has done. Where it was killed in a flush, points may be
on disk with higher numbers than the shard counts on from, and what is applied to them again would be passed over: a
deleted point would stay. So a file, `unflushed`, stands in the folder from the first change until it is closed, and
holds by how much the shard's number on disk may be below those of points. Whoever opens the folder and finds it counts
on by so much, with operations that do nothing and take next to no time.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import qdrant_edge as edge

from retrieval.errors import StoreError
from retrieval.stores import engine
from retrieval.stores.generations import CLEARED, SHARD, SOFT_DELETES, UNFLUSHED
from retrieval.stores.payload import DOCUMENT

PAGE = 10_000
MOST_UNFLUSHED = 5_000
"""Operations between two flushes."""
MOST_DIGITS = 8


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
    _behind: int = 0
    """By how much the shard's number on disk may be below those of points, through kills before this opening."""
    _unflushed: int = 0
    """Operations since the last flush."""
    _is_numbered: bool = False
    """Whether any of these changed points: the shard's number goes to disk with such alone."""
    _is_marked: bool = False

    @classmethod
    def open(cls, folder: Path, *, indexing_threshold_kb: int) -> Self:
        """Open or create the index in a folder."""
        shutil.rmtree(folder / CLEARED, ignore_errors=True)
        path = folder / SHARD
        with engine.engine_errors(folder, "opening"):
            shard = engine.open_shard(path, indexing_threshold_kb=indexing_threshold_kb)
            sizes = engine.dense_sizes(path)
            indexed, has_soft_deletes = set(shard.info().payload_schema), (folder / SOFT_DELETES).exists()
            opened = cls(folder, shard, sizes, indexed, has_soft_deletes)
            opened._catch_up()  # its own
            return opened

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self.discard()
        if self._is_marked and not self._behind:
            (self.folder / UNFLUSHED).unlink(missing_ok=True)

    def discard(self) -> None:
        """Close what nobody needs any more, without a flush."""
        self.shard.close()

    def update(self, operation: edge.UpdateOperation, *, of_points: bool = True) -> None:
        """Change the shard, once the folder says that it is being changed."""
        if not self._is_marked:
            self._mark(self._behind + MOST_UNFLUSHED)
        self.shard.update(operation)
        self._unflushed += 1
        self._is_numbered |= of_points
        if self._unflushed >= MOST_UNFLUSHED:
            self.flush()

    def flush(self) -> None:
        """Return once every change so far is on disk, and with changed points the number of the last one."""
        self.shard.flush()
        if self._is_numbered and self._behind:
            self._behind = 0
            self._mark(MOST_UNFLUSHED)
        self._unflushed, self._is_numbered = 0, False

    def _catch_up(self) -> None:
        """Count on beyond what processes that were killed may have counted to."""
        file = self.folder / UNFLUSHED
        if not file.exists():
            return
        written = file.read_bytes()[:MOST_DIGITS]
        if not written.isdigit():  # nor more than these digits, or opening it would take minutes
            raise StoreError(f"{file} holds {written!r}, which is no number of operations. Run `tandem reindex`.")
        self._behind = int(written)
        for _ in range(self._behind):
            self.shard.update(engine.NOTHING)

    def _mark(self, behind: int) -> None:
        draft = self.folder / f"{UNFLUSHED}.new"
        draft.write_text(str(behind), encoding="ascii")
        draft.replace(self.folder / UNFLUSHED)
        self._is_marked = True

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
            self.update(engine.field_index(name), of_points=False)
            self.indexed.add(name)

    def _learn(self, ids: Sequence[int]) -> None:
        records = self.shard.retrieve(list(ids), edge.PayloadSelector.Include([DOCUMENT]), False)
        self.documents.update((int(record.id), (record.payload or {})[DOCUMENT]) for record in records)
