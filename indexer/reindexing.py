"""Make the index of a collection again from the catalog: here, or by the service that owns it."""

import time
from collections.abc import Callable

from indexer.apply import open_emptied_index
from indexer.pace import give_way
from indexer.pipeline import Pipeline
from indexer.reindex import embed_missing, reanalyze
from indexer.renewal_requests import ask, read_requests
from retrieval.catalog import Collection
from retrieval.errors import IndexBusy, StoreError
from retrieval.home import Home
from retrieval.stores import index_folder
from retrieval.stores.lock import Owner, read_owner

POLL_S = 0.2
TAKEN_UP_WITHIN_S = 60.0

Tell = Callable[[str], None]


def reindexed(home: Home, name: str, tell: Tell) -> tuple[int, int]:
    """Make the terms, the vectors that are missing, and the index again; return how many chunks, and texts embedded.

    A service that owns the index has it made in a process of its own and answers searches meanwhile. Raises IndexBusy
    when another command owns it.
    """
    collection, encoder = home.prepared(name)
    pipeline = Pipeline.of(home.catalog, collection, encoder)
    try:
        return _reindexed_here(home, pipeline, tell)
    except IndexBusy as busy:
        owner = read_owner(index_folder(home.settings, name))
        if owner is None:
            return _reindexed_here(home, pipeline, tell)
        if not owner.address:
            raise
        give_way()
        reanalyze(home.catalog, collection)
        embedded = embed_missing(pipeline)
        tell(f"{owner} has the index made anew in a process of its own; searches go on.")
        chunks = _reindexed_by(owner, home, collection, busy)
    if chunks is not None:
        return chunks, embedded
    tell("It has ended; the index is made here.")
    chunks, more = _reindexed_here(home, pipeline, tell)
    return chunks, embedded + more


def _reindexed_here(home: Home, pipeline: Pipeline, tell: Tell) -> tuple[int, int]:
    with open_emptied_index(home.settings, home.catalog, pipeline.collection) as owner:
        reanalyze(home.catalog, pipeline.collection)
        embedded = embed_missing(pipeline)
        chunks = owner.rebuild(lambda done, left: tell(f"{done} of {done + left} chunks indexed"))
        owner.compact_if_due()
    return chunks, embedded


def _reindexed_by(owner: Owner, home: Home, collection: Collection, busy: IndexBusy) -> int | None:
    """Ask the owner, and return how many chunks its new index holds; None when it has let go of the index."""
    number, asked_at = ask(home.catalog, collection), time.monotonic()
    while True:
        now = read_requests(home.catalog, collection)
        if now.done >= number:
            return now.points
        if now.failed >= number:
            raise StoreError(f"{now.why} {owner} serves the index that there was; its log may tell more.")
        if read_owner(index_folder(home.settings, collection.name)) is None:
            return None
        if now.begun < number and time.monotonic() - asked_at > TAKEN_UP_WITHIN_S:
            raise IndexBusy(
                f"{busy} It has not begun to make the index anew for {TAKEN_UP_WITHIN_S:.0f} s; it will when what it "
                "is at has ended."
            )
        time.sleep(POLL_S)
