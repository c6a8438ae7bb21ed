"""Bring the vectors of a model into an index that is in use: a batch at a time, and from where it was left.

A vector's state says how far it is. It is recorded after the index has flushed, so that whatever is killed, no state
claims a vector that the index does not hold. Until then the carrier is ahead of what is recorded.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Protocol

from indexer.candidates import wanted_vectors
from indexer.pace import AT_ONCE, Pace
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.collections import Settings
from retrieval.stores.base import Point, Store
from retrieval.types import JsonValue

CARRIED = "carried"
"""The collection's setting with the states of the vectors in its index, by passage fingerprint."""
BATCH = 500
"""Chunks seen to between two flushes, unless whoever carries has reason to keep it shorter."""


@dataclass(frozen=True, slots=True)
class Carried:
    """How far a model's vectors are on the points of an index.

    `after` is the last chunk whose point has been seen to, None once all have been. `whole` says that every one of them
    got a vector: none belongs to a chunk that the model has not embedded.
    """

    after: int | None = 0
    whole: bool = True

    @property
    def is_put(self) -> bool:
        """Whether every point has been seen to."""
        return self.after is None


BEGUN = Carried()
COMPLETE = Carried(after=None)

States = Mapping[str, Carried]


class Ledger(Protocol):
    """Keeps the states of one index's vectors."""

    def read(self) -> States:
        """The states, by vector name; one that is not there is not carried."""
        ...

    def write(self, name: str, before: Carried, after: Carried | None) -> bool:
        """Replace a state, or forget it; False, changing nothing, if it is no longer `before`."""
        ...


class CatalogLedger:
    """The states of an index that outlives its process, in the catalog."""

    def __init__(self, catalog: Catalog, collection: Collection) -> None:
        self._catalog = catalog
        self._collection = collection

    def read(self) -> States:
        """Return the states. An index made before there were any carries the active model's vectors."""
        return self._states(self._catalog.collections.setting(self._collection, CARRIED))

    def write(self, name: str, before: Carried, after: Carried | None) -> bool:
        """Replace a state, or forget it, unless somebody else did."""
        is_done = False

        def changed(settings: Settings) -> Settings:
            nonlocal is_done
            states = self._states(settings.get(CARRIED))
            is_done = states.get(name, BEGUN) == before
            return {**settings, CARRIED: as_json(_with(states, name, after))} if is_done else settings

        self._catalog.collections.update_settings(self._collection, changed)
        return is_done

    def _states(self, recorded: JsonValue) -> States:
        if isinstance(recorded, dict):
            return {name: Carried(**state) for name, state in recorded.items()}
        active = self._catalog.collections.get(self._collection.name).config.model
        return complete([self._catalog.models.get(active).passage_fingerprint] if active else [])


class MemoryLedger:
    """The states of an index that ends with its process."""

    def __init__(self, states: States) -> None:
        self._states = dict(states)

    def read(self) -> States:
        """Return the states."""
        return dict(self._states)

    def write(self, name: str, before: Carried, after: Carried | None) -> bool:
        """Replace a state, or forget it."""
        if self._states.get(name, BEGUN) != before:
            return False
        self._states = _with(self._states, name, after)
        return True


def ask_again(ledger: Ledger, name: str) -> None:
    """Have every point seen to once more where some were left without a vector: it may have been made since."""
    state = ledger.read().get(name, BEGUN)
    if state.is_put and not state.whole:
        ledger.write(name, state, BEGUN)


def complete(names: Iterable[str]) -> dict[str, Carried]:
    """Return the states of an index whose every point has these vectors, as an empty one's have."""
    return dict.fromkeys(names, COMPLETE)


def as_json(states: States) -> JsonValue:
    """Return states as the setting that keeps them."""
    return {name: {"after": state.after, "whole": state.whole} for name, state in states.items()}


def _with(states: States, name: str, state: Carried | None) -> dict[str, Carried]:
    others = {other: kept for other, kept in states.items() if other != name}
    return others if state is None else {**others, name: state}


class Carrier:
    """Makes one index carry the vectors it is to carry. Not thread-safe."""

    def __init__(self, catalog: Catalog, collection: Collection, store: Store, ledger: Ledger) -> None:
        self._catalog = catalog
        self._collection = collection
        self._store = store
        self.ledger = ledger
        self.in_use: frozenset[str] = frozenset()
        """Vectors that this process searches with, which stay though nobody wants them any more."""
        self._ahead: dict[str, tuple[Carried, Carried]] = {}
        """How far a vector is recorded to be, and how far it is once the index has flushed."""

    def state(self, name: str) -> Carried:
        """How far a vector is recorded to be."""
        return self.ledger.read().get(name, BEGUN)

    @property
    def is_ahead(self) -> bool:
        """Whether something is to be recorded once the index has flushed."""
        return bool(self._ahead)

    def record(self) -> None:
        """Record how far vectors are, after a flush; a state that somebody else changed meanwhile stays as it is."""
        for name, (before, reached) in self._ahead.items():
            self.ledger.write(name, before, reached)
        self._ahead = {}

    def step(self, limit: int | None = None, pace: Pace = AT_ONCE) -> int | None:
        """Put one batch of vectors, or drop those that nobody wants; return how many were put, None for nothing to do.

        What it put is recorded by `record`, once the index has flushed.
        """
        wanted = wanted_vectors(self._catalog, self._collection)
        states = self.ledger.read()
        unwanted = (states.keys() | self._store.vector_sizes().keys()) - wanted.keys() - self.in_use
        if unwanted:
            self._drop(unwanted, states)
            return 0
        for name, size in wanted.items():
            state = self._reached(name, states.get(name, BEGUN))
            if not state.is_put:
                self._store.add_vector(name, size)
                return self._put(name, state, limit or BATCH, pace)
        return None

    def _reached(self, name: str, recorded: Carried) -> Carried:
        before, reached = self._ahead.get(name, (recorded, recorded))
        if before == recorded:
            return reached
        del self._ahead[name]  # whoever changed the record wants that it is begun again, or is left
        return recorded

    def note_missing(self, points: Sequence[Point]) -> None:
        """Record which vectors these points came in without: not made yet, or not wanted at that moment.

        To be called before their changes count as indexed. Of points that are yet to be seen to, nothing is recorded.
        """
        for name in {*self.ledger.read(), *self._ahead}:
            first = min((point.id for point in points if name not in point.vectors), default=None)
            if first is not None and name in self._ahead:
                self._store.flush()
                self.record()
            while first is not None and (state := self.ledger.read().get(name)) and state.whole:
                is_to_come = state.after is not None and first > state.after
                if is_to_come or self.ledger.write(name, state, replace(state, whole=False)):
                    break

    def _put(self, name: str, state: Carried, limit: int, pace: Pace) -> int:
        after = state.after or 0
        chunks = self._catalog.chunks.hashed(self._collection, after=after, limit=limit)
        found = self._catalog.embeddings.get(name, {text_hash for _, text_hash in chunks})
        vectors = {chunk: found[text_hash] for chunk, text_hash in chunks if text_hash in found}
        for step in pace.steps(vectors.items()):
            self._store.put_vectors(name, dict(step))
        is_whole = state.whole and len(vectors) == len(chunks)
        reached = Carried(chunks[-1][0] if len(chunks) == limit else None, is_whole)
        self._ahead[name] = self._ahead.get(name, (state, state))[0], reached
        return len(vectors)

    def _drop(self, names: Set[str], states: States) -> None:
        for name in sorted(names):
            # The state goes first: what is half dropped must not pass for carried.
            if name not in states or self.ledger.write(name, states[name], None):
                self._store.drop_vector(name)
        self._store.flush()
