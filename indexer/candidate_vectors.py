"""Get a candidate ready to be promoted: its vectors into the catalog, and from there into the index that serves on."""

import time
from bisect import bisect_right
from collections.abc import Callable

from indexer.apply import open_index
from indexer.candidates import candidates_of, with_candidates
from indexer.carrying import BEGUN, Carried, CatalogLedger, ask_again
from indexer.pipeline import Pipeline
from indexer.reindex import embed_missing, unembedded
from retrieval.catalog import Collection
from retrieval.errors import IndexBusy, StoreError, UsageError
from retrieval.home import Home
from retrieval.stores import index_folder
from retrieval.stores.lock import read_owner

POLL_S = 0.2
STALLED_S = 60.0
"""For how long the process that owns the index may get nowhere with a candidate's vectors."""
ATTEMPTS = 5

OnProgress = Callable[[int, int], None]
"""Called with how many are done, and how many there are."""


def silent(_done: int, _total: int) -> None:
    """Tell nobody."""


def embed(home: Home, collection: Collection, version: str, on_progress: OnProgress = silent) -> int:
    """Compute a version's vectors of every chunk that has none yet, into the catalog; return how many texts that were.

    Killed, the same call goes on where it was. A model that shares its passages' vectors needs none of its own.
    Raises NotFound for a version that is not there, UsageError for one that cannot take the collection's chunks.
    """
    fingerprint = home.registered(version).passage_fingerprint
    missing = len(unembedded(home.catalog, collection, fingerprint))
    if missing:
        pipeline = Pipeline.of(home.catalog, collection, home.encoder_of(version))
        missing = embed_missing(pipeline, lambda done: on_progress(done, missing))
    ask_again(CatalogLedger(home.catalog, collection), fingerprint)
    return missing


def carry(home: Home, collection: Collection, version: str, on_progress: OnProgress = silent) -> None:
    """Make a version a candidate, and return when the index carries its vectors beside the active model's.

    Whoever owns the index puts them there, this process if nobody does; the one that serves goes on serving. Killed,
    the same call goes on where it was. Raises IndexBusy when the owner gets nowhere.
    """
    fingerprint = home.registered(version).passage_fingerprint
    if version not in candidates_of(home.catalog, collection):
        home.catalog.collections.update_settings(collection, lambda known: with_candidates(known, add=[version]))
    for _ in range(ATTEMPTS):
        ask_again(CatalogLedger(home.catalog, collection), fingerprint)
        if _carried_here(home, collection, fingerprint, on_progress):
            return
    raise StoreError(
        f"The index of {collection.name!r} still lacks vectors of {version!r}: not every chunk has one. Run the same "
        "command again; `tandem doctor --repair` if that does not help."
    )


def forget(home: Home, collection: Collection, version: str) -> None:
    """Make a version no candidate any more; whoever owns the index drops its vectors. The catalog keeps them.

    Raises UsageError for the collection's active model.
    """
    if home.catalog.collections.get(collection.name).config.model == version:
        raise UsageError(f"{version!r} is the model that {collection.name!r} searches with, not a candidate.")
    home.catalog.collections.update_settings(collection, lambda known: with_candidates(known, drop=[version]))
    apply_if_free(home, collection)


def apply_if_free(home: Home, collection: Collection) -> bool:
    """Bring the index up to date if no other process owns it; tell whether."""
    try:
        with open_index(home.settings, home.catalog, collection) as owner:
            owner.apply_pending()
    except IndexBusy:
        return False
    return True


def is_carried(home: Home, collection: Collection, fingerprint: str) -> bool:
    """Whether the index has these vectors on every point whose chunk has one. Each memory store sees to its own."""
    if home.settings.store == "memory":
        return True
    return CatalogLedger(home.catalog, collection).read().get(fingerprint, BEGUN).is_put


def _carried_here(home: Home, collection: Collection, fingerprint: str, on_progress: OnProgress) -> bool:
    """Carry the vectors as the owner of the index, or see that its owner does; False if that is to be tried again."""
    try:
        with open_index(home.settings, home.catalog, collection) as owner:
            owner.apply_pending(carry=False)
            put, total = 0, owner.store.count()

            def on_put(more: int) -> None:
                nonlocal put
                put += more
                on_progress(min(put, total), total)

            owner.carry(on_put)
            owner.compact_if_due()
            return owner.carrier.state(fingerprint).whole
    except IndexBusy as busy:
        return _carried_elsewhere(home, collection, fingerprint, busy, on_progress)


def _carried_elsewhere(
    home: Home, collection: Collection, fingerprint: str, busy: IndexBusy, on_progress: OnProgress
) -> bool:
    """Wait for the owner of the index; False when it has let go of it, or has left points without a vector."""
    ledger, chunks = CatalogLedger(home.catalog, collection), home.catalog.chunks.ids(collection)
    folder = index_folder(home.settings, collection.name)
    seen, since = BEGUN, time.monotonic()
    while True:
        state = ledger.read().get(fingerprint, BEGUN)
        if state.is_put:
            return state.whole
        if state != seen:
            seen, since = state, time.monotonic()
            on_progress(_seen_to(state, chunks), len(chunks))
        if read_owner(folder) is None:
            return False
        if time.monotonic() - since > STALLED_S:
            raise IndexBusy(
                f"{busy} It has got nowhere with the new vectors for {STALLED_S:.0f} s. Wait until it has finished its "
                "own work, or stop it, and run the same command again: what is done is kept."
            )
        time.sleep(POLL_S)


def _seen_to(state: Carried, chunks: list[int]) -> int:
    return bisect_right(chunks, state.after or 0)
