"""Make a version the model that a collection searches with, on a verdict; and go back to the one before.

Everything that takes time comes first: its vectors into the catalog and the index, its moments. The promotion itself is
one transaction that changes one name. Killed before it, the old model serves on and the same command goes on; killed
after it, the promotion is done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial

from indexer.candidate_vectors import apply_if_free, carry, embed, forget, is_carried
from indexer.candidates import CANDIDATES, listed, with_candidates
from indexer.moments import put_moments
from indexer.permission import Overrides, PromotionRefused, permission, verdict_key
from indexer.pipeline import Pipeline
from indexer.promotion_history import PROMOTIONS, Promotion, history, previous_model, promoted, promotions_of
from indexer.reindex import unembedded
from retrieval.catalog import Collection, ModelRecord
from retrieval.catalog.collections import CONFIG, Settings, config_of
from retrieval.catalog.database import now
from retrieval.catalog.due_vectors import PROMOTING
from retrieval.errors import FingerprintMismatch, UsageError
from retrieval.home import Home

__all__ = ["PromotionRefused", "carry", "embed", "forget", "promote", "rollback", "verdict_key"]

EMBEDDED_AT_ONCE = 500
"""Texts that a rollback embeds itself for the model it goes back to; more are left to `tandem doctor --repair`."""

Tell = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A rollback, and how many texts the model gone back to has still to embed."""

    promotion: Promotion
    unembedded: int


def promote(
    home: Home,
    collection: Collection,
    version: str,
    *,
    force: str | None = None,
    waive_canary: str | None = None,
    tell: Tell = lambda _what, _done, _total: None,
) -> Promotion:
    """Make a version the collection's model, and return what was recorded of it.

    `force` and `waive_canary` are reasons to do without a verdict `better`, and in spite of the canary. Raises
    NotFound for a version that is not there, PromotionRefused when nothing allows it or the collection's settings
    changed meanwhile, IndexBusy when the owner of the index gets nowhere.
    """
    collection = home.catalog.collections.get(collection.name)
    record = home.registered(version)
    overrides = Overrides.of(force=force, waive_canary=waive_canary)
    _check_other(collection, version)
    with _announced(home, collection, version):
        allowed = permission(home.catalog, collection, version, overrides)
        _check_usable(home, collection, version)
        _prepare(home, collection, record, tell)
        promotion = Promotion(collection.config.model, version, now(), **asdict(allowed))
        _switch(home, collection, promotion)
    return promotion


def _check_other(collection: Collection, version: str) -> None:
    if not collection.config.model:
        raise UsageError(
            f"Collection {collection.name!r} has no model yet that {version!r} could replace: "
            f"`TANDEM_MODEL={version} tandem ingest PATH -c {collection.name}` gives it this one."
        )
    if collection.config.model == version:
        raise UsageError(f"{version!r} is the model that {collection.name!r} searches with already.")


def _check_usable(home: Home, collection: Collection, version: str) -> None:
    """Raise ModelError for a version whose files do not work, UsageError for one that cannot take the chunks."""
    encoder = home.encoder_of(version)
    encoder.encode_queries(["a first query"])
    Pipeline.of(home.catalog, collection, encoder)


@contextmanager
def _announced(home: Home, collection: Collection, version: str) -> Iterator[None]:
    """Hold every commit to the version's vectors from now on, so that nothing is missing when it is switched to.

    A promotion that was killed leaves its announcement; the same promotion, refused or done, takes it back.
    """
    put = home.catalog.collections.put_setting
    put(collection, PROMOTING, version)
    try:
        yield
    except BaseException:
        home.catalog.collections.update_settings(collection, partial(unannounced, version))
        raise


def unannounced(version: str, settings: Settings) -> Settings:
    """Return the settings without the announcement that a version is being promoted."""
    return {**settings, PROMOTING: ""} if settings.get(PROMOTING) == version else settings


def _prepare(home: Home, collection: Collection, record: ModelRecord, tell: Tell) -> None:
    """Bring a version's vectors into the catalog and the index, and its moments into the catalog."""
    embed(home, collection, record.version, partial(tell, "embedding"))
    carry(home, collection, record.version, partial(tell, "into the index"))
    active = home.catalog.models.get(collection.config.model)
    if record.passage_fingerprint != active.passage_fingerprint:  # else they are in use, and stay as they are
        put_moments(home.catalog, collection, record.passage_fingerprint)


def _switch(home: Home, collection: Collection, promotion: Promotion) -> None:
    """Change the collection's model in one transaction, provided that nothing it was decided on has changed.

    The model before becomes a candidate, to be gone back to at once; those that were promoted earlier are none any
    longer, lest the index carry them all.
    """

    def switched(settings: Settings) -> Settings:
        if config_of(settings) != collection.config:
            raise PromotionRefused(
                f"The settings of {collection.name!r} were changed while {promotion.after!r} was prepared; nothing was "
                "switched. Run the same command again."
            )
        if not promotion.is_rollback and (
            settings.get(PROMOTING) != promotion.after or promotion.after not in listed(settings.get(CANDIDATES))
        ):
            raise PromotionRefused(f"Another process promotes or withdraws a model of {collection.name!r}; try again.")
        home.catalog.models.get(promotion.after)  # it may have been deleted
        promotions = history(settings.get(PROMOTIONS))
        dropped = {promotion.after} if promotion.is_rollback else {promotion.after, *promoted(promotions)}
        return {
            **with_candidates(settings, add=[promotion.before], drop=dropped),
            CONFIG: asdict(replace(collection.config, model=promotion.after)),
            PROMOTIONS: [known.to_json() for known in [*promotions, promotion]],
            PROMOTING: "",
        }

    home.catalog.collections.update_settings(collection, switched)


def rollback(home: Home, collection: Collection, tell: Tell = lambda _what, _done, _total: None) -> RolledBack:
    """Go back to the model before the last promotion, at once, and record it.

    What was ingested since may lack its vectors: they are made afterwards if they are few. Raises UsageError where
    there is nothing to go back to, ModelError when that model is no longer whole.
    """
    collection = home.catalog.collections.get(collection.name)
    version = previous_model(promotions_of(home.catalog, collection))
    if not version:
        raise UsageError(
            f"{collection.name!r} searches with {collection.config.model or 'no model'!r}, and no promotion before it "
            "is left to take back."
        )
    record = home.catalog.models.get(version)
    if home.models.model(version).fingerprint != record.fingerprint:
        raise FingerprintMismatch(f"The folder of {version!r} holds another model now; restore it, then try again.")
    if not is_carried(home, collection, record.passage_fingerprint):
        _prepare(home, collection, record, tell)
    promotion = Promotion(collection.config.model, version, now(), is_rollback=True)
    _switch(home, collection, promotion)
    return RolledBack(promotion, _completed(home, collection, record, tell))


def _completed(home: Home, collection: Collection, record: ModelRecord, tell: Tell) -> int:
    """Embed what the model missed, if it is little; return how many texts are left without a vector."""
    missing = len(unembedded(home.catalog, collection, record.passage_fingerprint))
    if 0 < missing <= EMBEDDED_AT_ONCE:
        embed(home, collection, record.version, partial(tell, "embedding"))
        missing = 0
    apply_if_free(home, collection)
    return missing
