"""Delete a version: its row, its vectors in the catalog and in every index, its files.

The files go last: a row whose folder is gone would be a model that nobody can load. Killed at any step, the same
command does the rest.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from indexer.candidate_vectors import apply_if_free
from indexer.candidates import candidates_of, with_candidates
from indexer.carrying import CatalogLedger
from indexer.permission import arm
from indexer.promotion import unannounced
from indexer.promotion_history import previous_model, promotions_of
from retrieval.catalog import Collection
from retrieval.catalog.collections import Settings
from retrieval.catalog.due_vectors import PROMOTING
from retrieval.errors import NotFound, UsageError
from retrieval.home import Home


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went with a version. `waiting` are collections whose index another process owns, which drops the vectors."""

    embeddings: int
    waiting: tuple[str, ...]


def delete_model(home: Home, version: str, *, force: bool = False) -> Deleted:
    """Delete a version.

    Raises NotFound for one that is not there, UsageError for one that a collection searches with, and without `force`
    for one that a rollback would go back to.
    """
    record = {known.version: known for known in home.catalog.models.list()}.get(version)
    if record is None:
        home.models.remove_model(version)  # left by a deletion that was killed; NotFound if it is no version at all
        return Deleted(0, ())
    collections = home.catalog.collections.list()
    for collection in collections:
        _check_unneeded(home, collection, version, force=force)
    carrying = [one for one in collections if _carries(home, one, version, record.passage_fingerprint)]
    for collection in carrying:
        home.catalog.collections.update_settings(collection, partial(_withdrawn, version))
    home.catalog.verdicts.void(arm(version))
    embeddings = home.catalog.models.delete(version)
    waiting = [collection.name for collection in carrying if not apply_if_free(home, collection)]
    with suppress(NotFound):  # its folder was gone before
        home.models.remove_model(version)
    return Deleted(embeddings, tuple(waiting))


def _check_unneeded(home: Home, collection: Collection, version: str, *, force: bool) -> None:
    if collection.config.model == version:
        raise UsageError(
            f"{version!r} is the model that {collection.name!r} searches with; promote another one there first."
        )
    if not force and previous_model(promotions_of(home.catalog, collection)) == version:
        raise UsageError(
            f"{version!r} is what `tandem models rollback -c {collection.name}` goes back to; --force deletes it all "
            "the same."
        )


def _carries(home: Home, collection: Collection, version: str, fingerprint: str) -> bool:
    return (
        version in candidates_of(home.catalog, collection)
        or version == home.catalog.collections.setting(collection, PROMOTING)
        or fingerprint in CatalogLedger(home.catalog, collection).read()
    )


def _withdrawn(version: str, settings: Settings) -> Settings:
    return unannounced(version, with_candidates(settings, drop=[version]))
