"""Whether a version may become a collection's model: on a verdict about just these two models and settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Self

from retrieval.catalog import Catalog, Collection
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.errors import ModelError, NotFound, UsageError
from retrieval.types import JsonValue

BETTER, WORSE = "better", "worse"
LEAST_EFFECT = 0.01
"""A verdict that was asked for less of nDCG@10 does not decide about a promotion."""


class PromotionRefused(ModelError):
    """A version may not be promoted; the message says why, and what would allow it."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What whoever promotes takes upon themselves, with their reasons; "" is nothing."""

    force: str = ""
    """Why it is promoted without a verdict `better`."""
    waive_canary: str = ""
    """Why it does not matter what it forgot."""

    @classmethod
    def of(cls, *, force: str | None, waive_canary: str | None) -> Self:
        """Return what was given, None where nothing was; raises UsageError for a reason without words."""
        for option, reason in (("--force", force), ("--waive-canary", waive_canary)):
            if reason is not None and not reason.strip():
                raise UsageError(f"{option} needs a reason: it is recorded with the promotion.")
        return cls((force or "").strip(), (waive_canary or "").strip())


@dataclass(frozen=True, slots=True)
class Permission:
    """What allows a promotion; see Promotion."""

    verdict: Mapping[str, JsonValue] = field(default_factory=dict)
    reason: str = ""
    canary_waived: str = ""


def verdict_key(catalog: Catalog, collection: Collection, a_version: str, b_version: str) -> str:
    """Return a digest of what a verdict on two versions' hybrid arms depends on: both models, and the settings."""
    fingerprints = [catalog.models.get(version).fingerprint for version in (a_version, b_version)]
    settings = {**asdict(collection.config), "model": ""}
    return blake2b(json.dumps([fingerprints, settings], sort_keys=True).encode(), digest_size=16).hexdigest()


def arm(version: str) -> str:
    """Return what verdicts call the arm that a promotion decides about."""
    return f"hybrid@{version}"


def permission(catalog: Catalog, collection: Collection, version: str, overrides: Overrides) -> Permission:
    """Return what allows a version to replace the collection's model.

    Raises PromotionRefused when nothing does: it takes a verdict `better` against the active model, none `worse` on any
    judgment set, and no veto of the canary.
    """
    active = collection.config.model
    key = verdict_key(catalog, collection, active, version)
    said = [verdict for verdict in catalog.verdicts.about(collection, arm(version)) if verdict.a == arm(active)]
    about_these = [verdict for verdict in said if verdict.key == key and _is_strict(verdict)]
    valid = [verdict for verdict in about_these if _is_of_today(catalog, collection, verdict)]
    better = next((verdict for verdict in valid if verdict.verdict == BETTER), None)
    if not overrides.force:
        _check_verdicts(collection, version, said, valid)
    doubt = _doubt_of_canary(catalog, collection, version)
    if doubt and not overrides.waive_canary:
        raise PromotionRefused(
            f"{version!r} {doubt}. If that does not matter here: `--waive-canary REASON` is kept with the promotion."
        )
    return Permission(_told(better) if better else {}, overrides.force, overrides.waive_canary if doubt else "")


def _doubt_of_canary(catalog: Catalog, collection: Collection, version: str) -> str:
    """Say what speaks against a version besides its ranking; "" for nothing. What was never tuned forgot nothing."""
    canaries = [verdict.evidence.get("canary") for verdict in catalog.verdicts.about(collection, arm(version))]
    asked = [canary for canary in canaries if isinstance(canary, dict)]
    if any(canary.get("vetoed") for canary in asked):
        return "has forgotten what is not of this collection: its canary vetoes it"
    if not asked and catalog.models.get(version).provenance.get("training"):
        return "was tuned, and no canary was asked what it has forgotten; `tandem compare` asks one"
    return ""


def _check_verdicts(
    collection: Collection, version: str, said: Sequence[KeptVerdict], valid: Sequence[KeptVerdict]
) -> None:
    if worse := [verdict for verdict in valid if verdict.verdict == WORSE]:
        raise PromotionRefused(
            f"{version!r} is worse than {collection.config.model!r} on the judgments {worse[0].judgments!r}; it stays "
            "as it is."
        )
    if any(verdict.verdict == BETTER for verdict in valid):
        return
    arms = f"{arm(collection.config.model)} {arm(version)}"
    found = ", ".join(f"{verdict.verdict!r} on {verdict.judgments!r}" for verdict in valid)
    seen = (
        f"the verdict is {found}"
        if valid
        else "the verdict is about other settings, models or judgments"
        if said
        else "no verdict was reached"
    )
    then = "judge more queries (`tandem judge`), then " if valid else ""
    raise PromotionRefused(
        f"Only a verdict `better` lets {version!r} replace {collection.config.model!r} in {collection.name!r}, and "
        f"{seen}. To reach one, {then}`tandem compare {arms} -c {collection.name}`; `--force REASON` does without."
    )


def _is_of_today(catalog: Catalog, collection: Collection, verdict: KeptVerdict) -> bool:
    """Tell whether the judgments are still those that the verdict was reached by; one that does not say is believed."""
    judged = verdict.evidence.get("judged")
    if not isinstance(judged, dict):
        return True
    try:
        return bool(catalog.judgments.digest(collection, str(judged["name"])) == judged["digest"])
    except NotFound:
        return False


def _is_strict(verdict: KeptVerdict) -> bool:
    """Tell whether a verdict asked for an effect worth having; one that is worse always counts."""
    return verdict.verdict == WORSE or verdict.evidence.get("minimum_effect", LEAST_EFFECT) >= LEAST_EFFECT


def _told(verdict: KeptVerdict) -> dict[str, JsonValue]:
    return {"judgments": verdict.judgments, "verdict": verdict.verdict, "made_at": verdict.made_at}
