"""Which general queries a canary asks: Python's documentation, or a judgment set of this or another collection."""

from collections.abc import Callable
from dataclasses import replace

from indexer.promotion import embed
from retrieval.catalog import Collection
from retrieval.encoder import OnnxEncoder
from retrieval.home import Home
from retrieval.types import Mode
from trainer.arms import Arm
from trainer.clusters import clusters_of
from trainer.evaluate import evaluate
from trainer.evaluation_set import EvaluationSet
from trainer.findings import MINIMUM_EFFECT
from trainer.trained_on import unseen
from trainer.training.canary import Canary, judged_canary, standard_library_canary

NONE = "none"
"""Asks nothing."""

OnEmbedded = Callable[[int, int], None]
"""Called with (chunks embedded, chunks in all)."""


def ask_canary(
    home: Home,
    collection: Collection,
    name: str,
    versions: tuple[str, str],
    *,
    minimum_effect: float = MINIMUM_EFFECT,
    on_embedded: OnEmbedded = lambda _done, _all: None,
) -> Canary | None:
    """Ask both versions, before and after, the queries of a canary; None for the one that asks nothing.

    `name` is "" for Python's documentation, else NAME or COLLECTION/NAME of a judgment set. Queries of the collection
    itself that want what a version was taught are not asked; None where these are all. Raises NotFound.
    """
    if name == NONE:
        return None
    if not name:
        before, after = (_encoder(home, collection, version) for version in versions)
        return standard_library_canary(home.catalog, before, after, minimum_effect=minimum_effect)
    where, judged = canary_set(home, collection, name)
    if where.id == collection.id:
        judged = unseen(judged, home.catalog, versions)
    if not judged.queries:
        return None
    for version in versions:
        embed(home, where, version, on_embedded)
    arms = [Arm(Mode.EMBEDDING.value, version) for version in versions]
    runs = [result.run for result in evaluate(home, where, judged, arms)]
    return judged_canary(name, judged.qrels, runs, clusters_of(judged), minimum_effect=minimum_effect)


def canary_set(home: Home, collection: Collection, name: str) -> tuple[Collection, EvaluationSet]:
    """Return the judgment set that a name means, and the collection it is about; raises NotFound or UsageError."""
    other, slash, judgments = name.rpartition("/")
    where = home.catalog.collections.get(other) if slash else collection
    return where, EvaluationSet.of(home.catalog.judgments.get(where, judgments), judgments)


def _encoder(home: Home, collection: Collection, version: str) -> OnnxEncoder:
    return home.encoder(replace(collection, config=replace(collection.config, model=version)))
