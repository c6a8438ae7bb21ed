"""Which models a collection searched with, one after the other, and why: what a rollback goes back along."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Self

from retrieval.catalog import Catalog, Collection
from retrieval.types import JsonValue

PROMOTIONS = "promotions"
"""The collection's setting that lists them, oldest first."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A collection's model became another.

    `verdict` is what allowed it: judgment set, verdict and when it was reached, empty where none did. `reason` is what
    whoever forced it gave; `canary_waived` is why a canary's veto was waived.
    """

    before: str
    after: str
    at: str
    is_rollback: bool = False
    verdict: Mapping[str, JsonValue] = field(default_factory=dict)
    reason: str = ""
    canary_waived: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Self:
        """Read what `to_json` wrote."""
        renamed = {"from": "before", "to": "after", "rollback": "is_rollback"}
        return cls(**{renamed.get(name, name): known for name, known in value.items()})

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        renamed = {"before": "from", "after": "to", "is_rollback": "rollback"}
        return {renamed.get(name, name): value for name, value in asdict(self).items()}


def promotions_of(catalog: Catalog, collection: Collection) -> list[Promotion]:
    """Return a collection's promotions and rollbacks, oldest first."""
    return history(catalog.collections.setting(collection, PROMOTIONS))


def history(setting: JsonValue) -> list[Promotion]:
    """Return the setting as promotions."""
    return [Promotion.from_json(entry) for entry in setting or ()]


def earlier_models(promotions: Sequence[Promotion]) -> list[str]:
    """Return the versions that rollbacks lead back to, the next one last: each rollback takes one promotion back."""
    earlier: list[str] = []
    for promotion in promotions:
        if promotion.is_rollback:
            del earlier[-1:]
        else:
            earlier.append(promotion.before)
    return earlier


def previous_model(promotions: Sequence[Promotion]) -> str:
    """Return the version that a rollback leads back to, "" where there is none."""
    return next(reversed(earlier_models(promotions)), "")


def promoted(promotions: Sequence[Promotion]) -> set[str]:
    """Return every version that the collection ever searched with, as far as it is recorded."""
    return {version for promotion in promotions for version in (promotion.before, promotion.after)}
