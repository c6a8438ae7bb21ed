"""Make the index that a process serves anew, in another process and another folder, and go over to it.

It is made from the catalog, which is the truth, and not from a copy of the folder: nothing has to stand still while
files are copied, and whatever was wrong with the old index is not in the new one. What changes meanwhile is applied to
the old index, noted, and brought into the new one before searches go over to it.
"""

import json
import os
import subprocess  # our own interpreter and module
import sys
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexer.apply import IndexOwner
from indexer.building import read_built
from indexer.carrying import BEGUN, Carried, Carrier, MemoryLedger
from retrieval.catalog.rows import in_batches
from retrieval.errors import StoreError, UsageError
from retrieval.settings import Settings
from retrieval.stores import index_folder
from retrieval.stores.edge import EdgeStore
from retrieval.stores.generations import current_generation, new_generation, remove_generation


@dataclass(slots=True)
class _Made:
    """What the other process has made, opened here; `brought` counts chunks that changed meanwhile."""

    store: EdgeStore
    carrier: Carrier
    brought: int = 0


class Renewal:
    """One renewal of an index, begun when this is made.

    When `is_over`, what has changed is brought in by `take_up` and `bring`, as often as that is much, and `adopt` ends
    it. All but `bring` are called between two changes, by whoever applies them.
    """

    def __init__(self, settings: Settings, owner: IndexOwner) -> None:
        """Begin. The owner of the embedded index must not be carrying vectors, then or until the end."""
        if not isinstance(owner.store, EdgeStore):
            raise UsageError(f"Only an embedded index is made anew beside itself; TANDEM_STORE is {settings.store!r}.")
        self._owner = owner
        self._store = owner.store
        self._folder = index_folder(settings, owner.collection.name)
        self._generation = new_generation(self._folder)
        self._made: _Made | None = None
        owner.touched = set()  # before the other process reads the catalog: what it may not see is noted
        try:
            self._child = _started(settings, owner.collection.name, self._generation, owner.store.indexed_fields)
        except BaseException:
            owner.touched = None
            remove_generation(self._folder, self._generation)
            raise

    @property
    def is_over(self) -> bool:
        """Whether the other process has ended, in whatever way."""
        return self._child.poll() is not None

    @property
    def pid(self) -> int:
        """The other process."""
        return self._child.pid

    def take_up(self) -> set[int]:
        """Open what was made, and return the chunks that changed meanwhile. Raises StoreError when nothing was made."""
        self._opened()
        touched, self._owner.touched = self._owner.touched or set(), set()
        return touched

    def bring(self, chunks: Set[int]) -> None:
        """Bring chunks into the new index, as they are now."""
        made = self._opened()
        for some in in_batches(sorted(chunks), self._owner.pace.changes):
            self._owner.bring(set(some), made.store, made.carrier)
        made.brought += len(chunks)

    def adopt(self) -> int:
        """Bring in the last changes and go over, while searches go on; return how many points there are.

        Raises StoreError when the new index lacks a vector that this process searches with.
        """
        owner, made = self._owner, self._opened()
        self.bring(self.take_up())
        if made.brought:
            made.store.flush()
        self._agree(made.carrier)
        self._store.adopt(made.store)
        owner.record_flushed()
        owner.record_compacted(since=made.brought)
        self._end()
        return self._store.count()

    def give_up(self) -> None:
        """End the other process and leave nothing of it; harmless at the end."""
        self._end()
        if self._made is not None:
            with suppress(StoreError):
                self._made.store.close()
        with suppress(StoreError):  # which one is current cannot be told: then nothing is deleted
            if current_generation(self._folder) != self._generation:
                remove_generation(self._folder, self._generation)

    def _opened(self) -> _Made:
        if self._made is None:
            built, owner = read_built(self._generation), self._owner
            store = EdgeStore(self._generation)
            self._made = _Made(store, Carrier(owner.catalog, owner.collection, store, MemoryLedger(built.states)))
        return self._made

    def _agree(self, new: Carrier) -> None:
        """Record states that are true of both indexes: a kill may leave either."""
        in_use, ledger = self._owner.carrier.in_use, self._owner.carrier.ledger
        if lacking := [name for name in in_use if not new.state(name).is_put]:
            raise StoreError(f"The index that was made anew lacks the vectors {lacking}, which are searched with.")
        for name, state in ledger.read().items():
            if (agreed := _lesser(state, new.state(name))) != state:
                ledger.write(name, state, agreed)

    def _end(self) -> None:
        self._owner.touched = None
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        if self._child.stdin is not None:
            self._child.stdin.close()


def _lesser(one: Carried, other: Carried) -> Carried:
    if BEGUN in (one, other):
        return BEGUN
    reached = [state.after for state in (one, other) if state.after is not None]
    return Carried(min(reached, default=None), one.whole and other.whole)


def _started(settings: Settings, collection: str, generation: Path, fields: list[str]) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        **settings.environment(),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    arguments = [collection, str(generation), json.dumps(fields)]
    # In a session of its own, it does not get the terminal's Ctrl-C; its stdin ends when this process is killed.
    return subprocess.Popen(  # noqa: S603  # see the import
        [sys.executable, "-P", "-m", "indexer.building", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
