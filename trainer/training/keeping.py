"""Verdicts are kept in the catalog, so that a promotion can ask for one."""

from indexer.promotion import verdict_key
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.types import JsonValue
from trainer.compare import HELD_OUT
from trainer.findings import Report
from trainer.training.canary import Canary


def keep_verdict(catalog: Catalog, collection: Collection, report: Report, canary: Canary | None = None) -> None:
    """Keep what was said of each comparison of two models that was declared on a named judgment set.

    A canary that was not asked again stays with the verdict that it was asked for.
    """
    if not report.judgments:
        return
    whole = report.judgments.removesuffix(HELD_OUT)
    for found in (one for one in report.comparisons if version_of(one.a) and version_of(one.b)):
        contrast = found.contrast
        evidence: dict[str, JsonValue] = {
            "effect": contrast.effect,
            "interval": [contrast.low, contrast.high],
            "p": contrast.adjusted_p,
            "queries": contrast.queries,
            "sources": dict(report.sources),
            "minimum_effect": report.minimum_effect,
            "judged": {"name": whole, "digest": catalog.judgments.digest(collection, whole)},
        }
        if asked := _canary(canary) or known_canary(catalog, collection, found.a, found.b):
            evidence["canary"] = asked
        key = verdict_key(catalog, collection, version_of(found.a), version_of(found.b))
        kept = KeptVerdict(found.a, found.b, report.judgments, key, found.verdict.value, evidence)
        catalog.verdicts.put(collection, kept)


def _canary(canary: Canary | None) -> JsonValue:
    if canary is None:
        return None
    contrast = canary.contrast
    return {
        "name": canary.name,
        "effect": contrast.effect,
        "interval": [contrast.low, contrast.high],
        "queries": contrast.queries,
        "vetoed": canary.is_vetoed,
    }


def known_canary(catalog: Catalog, collection: Collection, a: str, b: str) -> JsonValue:
    """Return what a canary said of arm b against arm a, None if none was asked."""
    known = (kept.evidence.get("canary") for kept in catalog.verdicts.about(collection, b) if kept.a == a)
    return next((canary for canary in known if canary), None)


def version_of(arm: str) -> str:
    """Return the version of an arm, "" for one without a model."""
    return arm.partition("@")[2]
