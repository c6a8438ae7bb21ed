"""What each collection uses a version for, and what comparisons said of it there."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from indexer.candidates import candidates_of
from indexer.permission import arm
from indexer.promotion_history import previous_model, promoted, promotions_of
from retrieval.catalog import Catalog, Collection
from retrieval.catalog.verdicts import KeptVerdict
from retrieval.types import JsonValue


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict on a version's hybrid arm in a collection."""

    collection: str
    verdict: KeptVerdict

    @property
    def words(self) -> str:
        """The verdict as a phrase."""
        said = self.verdict
        return (
            f"{said.verdict} than {said.a}" if said.verdict in ("better", "worse") else f"{said.verdict}, to {said.a}"
        )

    def to_json(self) -> dict[str, JsonValue]:
        """The verdict as JSON."""
        said = self.verdict
        names = ("a", "b", "judgments", "verdict", "evidence", "made_at")
        return {"collection": self.collection, **{name: getattr(said, name) for name in names}}


@dataclass(frozen=True, slots=True)
class Use:
    """Collections by what they use a version for, and verdicts on it, the newest first.

    Those in `previous_in` would go back to it; the index of those in `candidate_in` carries its vectors.
    """

    active_in: tuple[str, ...] = ()
    previous_in: tuple[str, ...] = ()
    candidate_in: tuple[str, ...] = ()
    verdicts: tuple[Said, ...] = field(default=())

    @property
    def words(self) -> str:
        """The uses as a phrase."""
        kinds = {"active": self.active_in, "previous": self.previous_in, "candidate": self.candidate_in}
        return "; ".join(f"{kind} in {', '.join(names)}" for kind, names in kinds.items() if names)

    @property
    def said(self) -> str:
        """The last verdict as a phrase."""
        return f"{self.verdicts[0].words} ({self.verdicts[0].collection})" if self.verdicts else ""

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return {
            "active_in": self.active_in,
            "previous_in": self.previous_in,
            "candidate_in": self.candidate_in,
            "verdicts": [said.to_json() for said in self.verdicts],
        }


def versions_in(catalog: Catalog, collection: Collection) -> set[str]:
    """Return the versions that a collection has to do with: that it has searched with, may go over to, or compared."""
    compared = {side for verdict in catalog.verdicts.all(collection) for side in (verdict.a, verdict.b)}
    searched = promoted(promotions_of(catalog, collection)) | {collection.config.model}
    return {*searched, *candidates_of(catalog, collection), *(side.partition("@")[2] for side in compared)} - {""}


def uses_of(catalog: Catalog, versions: Sequence[str]) -> dict[str, Use]:
    """Return what each version is used for."""
    uses = dict.fromkeys(versions, Use())
    for collection in catalog.collections.list():
        name, previous = collection.name, previous_model(promotions_of(catalog, collection))
        candidates = set(candidates_of(catalog, collection)) - {previous, collection.config.model}
        for version, use in uses.items():
            said = [Said(name, verdict) for verdict in catalog.verdicts.about(collection, arm(version))]
            uses[version] = replace(
                use,
                active_in=(*use.active_in, *[name] * (version == collection.config.model)),
                previous_in=(*use.previous_in, *[name] * (version == previous)),
                candidate_in=(*use.candidate_in, *[name] * (version in candidates)),
                verdicts=tuple(sorted([*use.verdicts, *said], key=lambda one: one.verdict.made_at, reverse=True)),
            )
    return uses
