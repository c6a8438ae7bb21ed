"""Make a collection search with other settings, keep what there was before, and go back to it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

from indexer.apply import open_index
from indexer.moments import term_moments_of
from retrieval.analysis import ANALYZER_VERSION
from retrieval.catalog import Collection
from retrieval.errors import CatalogError, IndexBusy
from retrieval.home import Home
from retrieval.keyword import Bm25
from retrieval.types import JsonValue
from trainer.tune import Tuning
from trainer.tuning_grid import Setting

RECORD = "tuning"
"""The catalog's setting that says why a collection's settings are what they are."""


@dataclass(frozen=True, slots=True)
class Change:
    """A collection's settings changed. `chunks` were weighed again by now; `busy` says why that is still to come."""

    before: Setting
    after: Setting
    chunks: int = 0
    busy: str = ""


def adopt(home: Home, collection: Collection, tuning: Tuning, judgments: str, sources: Mapping[str, int]) -> Change:
    """Search with what tuning chose from now on, and record the evidence.

    Raises CatalogError when the collection's settings are no longer those that tuning started from.
    """
    catalog = home.catalog
    current = catalog.collections.get(collection.name)
    if current.config != collection.config:
        raise CatalogError(
            f"The settings of {collection.name!r} were changed while it was tuned; run `tandem tune` again."
        )
    record = {
        **evidence(tuning),
        "judgments": judgments,
        "sources": dict(sources),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"tandem": version("tandem-search"), "analyzer": ANALYZER_VERSION, "model": current.config.model},
        "earlier": catalog.collections.setting(current, RECORD) or {},
    }
    catalog.collections.put_setting(current, RECORD, record)  # first: a change that is recorded can be reverted
    return _changed(home, current, tuning.after)


def revert(home: Home, collection: Collection) -> Change | None:
    """Go back to the settings before the last adoption, keeping all else of the config; None when there was none."""
    catalog = home.catalog
    record = catalog.collections.setting(collection, RECORD)
    if not record:
        return None
    current = catalog.collections.get(collection.name)
    change = _changed(home, current, Setting(**record["before"]))
    catalog.collections.put_setting(current, RECORD, record["earlier"])
    return change


def evidence(tuning: Tuning) -> dict[str, JsonValue]:
    """Return what tuning found as JSON."""
    whole = tuning.contrast
    return {
        "verdict": tuning.verdict,
        "reasons": list(tuning.reasons),
        "before": asdict(tuning.before),
        "after": asdict(tuning.after),
        "settings": tuning.settings,
        "ndcg@10": {"before": tuning.mean_before, "after": tuning.mean_after},
        "effect": whole.effect,
        "interval": [whole.low, whole.high],
        "p": whole.p,
        "queries": whole.queries,
        "clusters": whole.clusters,
        "wins": whole.wins,
        "ties": whole.ties,
        "losses": whole.losses,
        "more_queries": tuning.more_queries,
        "folds": [asdict(fold) for fold in tuning.folds],
        "slices": [
            {
                "name": one.name,
                "queries": one.contrast.queries,
                "effect": one.contrast.effect,
                "interval": [one.contrast.low, one.contrast.high],
                "regressed": one.regressed,
            }
            for one in tuning.slices
        ],
    }


def _changed(home: Home, current: Collection, after: Setting) -> Change:
    """Configure the collection; other k1 or b make every chunk pending, for whoever owns the index."""
    catalog, change = home.catalog, Change(Setting.of(current.config), after)
    configured = catalog.collections.configure(current, after.within(current.config))
    if change.before.weighing == after.weighing:
        return change
    catalog.changes.redo_all(configured)  # after the config, which a service that serves reads for each chunk
    average_length = catalog.collections.setting(configured, "average_length")
    if average_length:  # a store in memory, weighed when it is opened, would never ask for them
        moments = term_moments_of(catalog, configured, Bm25(average_length, *after.weighing))
        catalog.moments.put_terms(configured, moments)
    try:
        with open_index(home.settings, catalog, configured) as index:
            index.apply_pending()
            index.compact_if_due()
            return replace(change, chunks=index.store.count())
    except IndexBusy as busy:
        return replace(change, busy=str(busy))
